"""What an item can be."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What an item's content is."""

    PICTURE = "picture"
    SOUND = "sound"
    VIDEO = "video"
    TEXT = "text"
    VECTOR = "vector"
