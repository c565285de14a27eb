"""Why an input became a dead letter, and where: the words that summaries count by."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """The class of a failure; each value is stored in the dead letters file."""

    MISSING = "missing"
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    DOWNLOAD_FAILED = "download_failed"
    HOST_GIVEN_UP = "host_given_up"
    TRUNCATED = "truncated"
    NOT_A_PICTURE = "not_a_picture"
    NOT_A_SOUND = "not_a_sound"
    NOT_A_VIDEO = "not_a_video"
    UNSUPPORTED = "unsupported"
    TOO_SLOW = "too_slow"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_LONG = "too_long"
    EMPTY_TEXT = "empty_text"
    BAD_ID = "bad_id"
    DUPLICATE_ID = "duplicate_id"
    BAD_METADATA = "bad_metadata"
    BAD_VECTOR = "bad_vector"
    NOT_EMBEDDED = "not_embedded"
    DAMAGED = "damaged"


class Stage(StrEnum):
    """The stage of the pipeline in which an item failed."""

    READ = "read"
    DECODE = "decode"
    EMBED = "embed"
    STORE = "store"
