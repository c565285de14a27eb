"""Checks of a row's values, shared by all sources."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from indexer.core import records
from indexer.core.credentials import without_credentials
from indexer.core.delimited import is_unicode
from indexer.core.errors import ItemError
from indexer.core.given_values import is_missing
from indexer.core.reasons import Reason, Stage
from indexer.core.records import MAX_ID_BYTES, MAX_METADATA_BYTES, Failure, Item, Kind
from indexer.sources.columns import INT64, text_form

# Made once, since json.dumps makes an encoder at each call with options.
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def failure(item: Item, reason: Reason, message: str) -> Failure:
    """A dead letter of the reading stage; its texts are made valid Unicode."""
    clean = Item(
        item_id=_printable(without_credentials(item.item_id)),
        kind=item.kind,
        source=_printable(without_credentials(item.source)),
        title=_printable(item.title),
        metadata=item.metadata if _is_unicode_json(item.metadata) else {},
        parent_id=_printable(without_credentials(item.parent_id)),
        part=item.part,
    )
    return records.failure(clean, Stage.READ, reason, _printable(message))


def bad_row(kind: Kind, place: str, message: str) -> Failure:
    """A row that could not even be parsed; ``place`` (``TABLE#ROW``) is its id and source."""
    item = Item(item_id=place, kind=kind, source=place)
    return failure(item, Reason.UNREADABLE, f"{place}: {message}")


def is_blank(value: Any) -> bool:
    """Whether a cell has no value: none, not a number, or blanks alone."""
    return is_missing(value) or (isinstance(value, str) and not value.strip())


def checked_id(value: Any, column: str) -> str:
    """An item's id as text.

    Raises:
        ItemError: BAD_ID: missing, too long, or not valid Unicode.
    """
    # Tables that passed through pandas hold whole numbers as floats.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, Decimal | UUID) or (isinstance(value, bytes) and len(value) == 16):
        value = text_form(value)
    if value == "" or is_missing(value):
        raise ItemError(Reason.BAD_ID, f"no id in the column {column!r}; give each row one")
    if not isinstance(value, str):
        kind = type(value).__name__
        raise ItemError(Reason.BAD_ID, f"the id is a {kind}; it must be text or a whole number")
    if not is_unicode(value):
        raise ItemError(Reason.BAD_ID, f"the id {value!r} is not valid Unicode; rename it")
    length = len(value.encode())
    if length > MAX_ID_BYTES:
        raise ItemError(
            Reason.BAD_ID, f"the id has {length:,} bytes, the limit is {MAX_ID_BYTES:,}; shorten it"
        )
    return value


def checked_title(value: Any, column: str) -> str:
    """An item's text; numbers become text, nothing becomes the empty text.

    Raises:
        ItemError: UNREADABLE: not valid Unicode, or a list or object.
    """
    if is_missing(value):
        return ""
    if not isinstance(value, str | int | float):
        kind = type(value).__name__
        raise ItemError(Reason.UNREADABLE, f"the column {column!r} holds a {kind}, not a text")
    text = str(value)
    if not is_unicode(text):
        raise ItemError(
            Reason.UNREADABLE, f"the column {column!r} is not valid Unicode; save it as UTF-8"
        )
    return text


def checked_metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values of a row's other columns; missing ones (None, NaN) are left out.

    Credentials in addresses are left out. Dates and durations become ISO 8601, decimals
    floats, whole numbers beyond 64 bits text.

    Raises:
        ItemError: BAD_METADATA: binary or infinite values, invalid Unicode, too long as JSON.
    """
    try:
        cleaned = {key: _json_value(value, key) for key, value in values.items()}
        metadata = {key: value for key, value in cleaned.items() if value is not None}
        length = len(_encoder.encode(metadata).encode())
    except UnicodeEncodeError as error:
        raise ItemError(
            Reason.BAD_METADATA, "the metadata is not valid Unicode; save it as UTF-8"
        ) from error
    except RecursionError as error:
        raise ItemError(Reason.BAD_METADATA, "the metadata is nested too deeply") from error
    if length > MAX_METADATA_BYTES:
        widest = max(metadata, key=lambda key: len(json.dumps(metadata[key], ensure_ascii=False)))
        raise ItemError(
            Reason.BAD_METADATA,
            f"the metadata has {length:,} bytes as JSON, the limit is {MAX_METADATA_BYTES:,}; "
            f"leave the longest column out with --exclude-columns {widest}",
        )
    return metadata


def _json_value(value: Any, column: str) -> Any:
    """One metadata value as JSON knows it."""
    if isinstance(value, str):
        return without_credentials(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value in INT64 else str(value)
    if isinstance(value, float | Decimal):
        number = float(value)
        if math.isinf(number):
            raise ItemError(
                Reason.BAD_METADATA,
                f"the column {column!r} holds {value}, which no filter finds; correct it, or leave "
                f"the column out with --exclude-columns {column}",
            )
        return None if math.isnan(number) else number
    is_uuid = isinstance(value, UUID) or (isinstance(value, bytes) and len(value) == 16)
    if is_uuid or isinstance(value, date | datetime | time | timedelta):
        return text_form(value)
    if isinstance(value, list | tuple):
        return [_json_value(entry, column) for entry in value]
    if isinstance(value, dict):
        return {str(key): _json_value(entry, column) for key, entry in value.items()}
    raise ItemError(
        Reason.BAD_METADATA,
        f"the column {column!r} holds a {type(value).__name__}, which JSON can't; leave "
        f"it out with --exclude-columns {column}",
    )


def _printable(text: str) -> str:
    """Valid Unicode: what is not is written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def _is_unicode_json(metadata: Mapping[str, Any]) -> bool:
    return is_unicode(json.dumps(metadata, ensure_ascii=False, default=str))
