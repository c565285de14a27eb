"""Pictures inside a table: bytes, base64, ``data:`` URIs, lists; and the address of each.

A picture in a row has the address ``TABLE#ROW``, followed where needed by the column and the
place in the row's list: ``TABLE#ROW&column=photo&picture=2``.
"""

from __future__ import annotations

import ast
import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes

from indexer.core.errors import ItemError
from indexer.core.given_values import is_missing
from indexer.core.reasons import Reason

_ADDRESS = re.compile(
    r"(?P<table>.+)#(?P<row>[0-9]+)(?:&column=(?P<column>[^&]+))?(?:&picture=(?P<place>[0-9]+))?",
    re.DOTALL,
)

ADDRESS_KEYS = ("path", "url", "src", "hi_res", "large", "thumb", "link", "href")
"""Keys of an object that may hold a picture's address, the best one first."""

_SEVERAL = re.compile(r"\s*\|\s*(?=https?://|//)|,?\s+(?=https?://)", re.IGNORECASE)

# How base64 of a picture begins: JPEG, PNG, GIF, WebP (and WAV), TIFF, BMP, and the boxes of AVIF
# and HEIC; of a sound: FLAC, Ogg, MP3 with its tags.
_BASE64 = re.compile(
    r"(?:/9j/|_9j_|iVBORw0KGgo|R0lGOD|UklGR|SUkqA|TU0AK|Qk|AAAA[A-Za-z0-9+/_-]GZ0eX"
    r"|ZkxhQ|T2dnU|SUQz)"
    r"[A-Za-z0-9+/_\-\s]*={0,2}\s*"
)
_LEAST_BASE64 = 60
"""Characters: no picture is smaller, and few paths are longer without a point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPicture:
    """The place of a picture inside a table.

    Attributes:
        table: path or address of the file.
        row: line (text files) or row (Parquet, Arrow), from 1.
        column: empty for the table's one column of pictures.
        place: among the pictures of the row, from 1.
    """

    table: str
    row: int
    column: str = ""
    place: int = 1

    def __str__(self) -> str:
        column = f"&column={quote(self.column, safe='')}" if self.column else ""
        place = f"&picture={self.place}" if self.place > 1 else ""
        return f"{self.table}#{self.row}{column}{place}"


def row_picture(address: str) -> RowPicture | None:
    """The place that an address names; None for other addresses."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        return None
    return RowPicture(
        table=match["table"],
        row=int(match["row"]),
        column=unquote(match["column"] or ""),
        place=int(match["place"] or 1),
    )


def pictures_in(value: Any, column: str) -> list[str | bytes]:
    """The pictures that a cell holds, in order: addresses as text, contents as bytes.

    Read are texts (a path, an address, several addresses divided by ``|`` or blanks, a JSON
    list, a ``data:`` URI, base64), bytes, objects such as the ``{bytes, path}`` of Hugging
    Face's datasets, and lists of all these.

    Raises:
        ItemError: MISSING: the cell holds something else. UNREADABLE: broken base64.
    """
    if is_missing(value):
        return []
    if isinstance(value, str):
        return _in_text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return [bytes(value)] if len(value) else []
    if isinstance(value, Mapping):
        return _in_object(value, column)
    if isinstance(value, list | tuple):
        return [picture for entry in value for picture in pictures_in(entry, column)]
    kind = type(value).__name__
    raise ItemError(Reason.MISSING, f"the column {column!r} holds {kind}, not a path or an address")


def holds_bytes(value: Any) -> bool:
    """Whether a cell's first picture is a content, not an address."""
    try:
        return any(isinstance(picture, bytes) for picture in pictures_in(value, "")[:1])
    except ItemError:
        return False


def _in_text(text: str) -> list[str | bytes]:
    text = text.strip()
    # Nearly every cell is one short address, so this quick check comes first.
    if len(text) < _LEAST_BASE64 and text[:1] not in "[dD" and "|" not in text and " " not in text:
        return [text]
    if text[:5].lower() == "data:":
        return [_data_uri(text)]
    if len(text) >= _LEAST_BASE64 and _BASE64.fullmatch(text):
        return [_from_base64(text)]
    if text[:1] == "[" and text[-1:] == "]":
        entries = _list_in(text)
        if entries is not None:
            return [picture for entry in entries for picture in _in_text(entry)]
    return [address for address in _SEVERAL.split(text) if address]


def _list_in(text: str) -> list[str] | None:
    """A list of texts written as JSON or as Python does; None where it is none."""
    for parse in (json.loads, ast.literal_eval):
        try:
            entries = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(entries, list) and all(isinstance(entry, str) for entry in entries):
            return entries
    return None


def _in_object(value: Mapping[str, Any], column: str) -> list[str | bytes]:
    content = value.get("bytes")
    if isinstance(content, bytes | bytearray | memoryview) and len(content):
        return [bytes(content)]
    if isinstance(content, str) and content:
        return [_from_base64(content)]
    for key in ADDRESS_KEYS:
        # A struct of lists, one entry a picture, is how Arrow may write a list of structs.
        pictures = pictures_in(value.get(key), column)
        if pictures:
            return pictures
    if value.keys() <= {"bytes", *ADDRESS_KEYS} or "bytes" in value:
        return []
    raise ItemError(
        Reason.MISSING,
        f"the column {column!r} holds an object with {', '.join(map(repr, value))}; a picture's "
        f"has 'bytes' or one of {', '.join(map(repr, ADDRESS_KEYS))}",
    )


def _data_uri(text: str) -> bytes:
    """The content of a ``data:`` URI (RFC 2397)."""
    head, comma, body = text.partition(",")
    if not comma:
        raise ItemError(Reason.UNREADABLE, "the data: URI has no comma; export it again")
    if head.lower().rstrip().endswith(";base64"):
        return _from_base64(unquote(body))
    return unquote_to_bytes(body)


def _from_base64(text: str) -> bytes:
    packed = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ItemError(
            Reason.UNREADABLE, f"its base64 is broken ({error}); export it again"
        ) from error
