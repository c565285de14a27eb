"""From the bytes of a delimited text to its characters."""

from __future__ import annotations

import codecs
import io
from typing import IO, cast

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def text_of(content: IO[bytes], encoding: str = "") -> io.TextIOWrapper:
    """The characters of a file: UTF-8, or UTF-16 and UTF-32 as their marks tell.

    Bytes that are not of the encoding become lone surrogates, which no text has, so that they
    spoil only the record that they are in. Line ends stay as they are.

    Args:
        content: a file opened for reading at its start.
        encoding: its name, where it is known; empty goes by the file's first bytes.

    Raises:
        LookupError: there is no such encoding.
        UnicodeError: the file has the mark of another one.
    """
    buffered = io.BufferedReader(cast("io.RawIOBase", content))
    head = buffered.peek(64)[:64]
    encoding = _as_marked(encoding, head) if encoding else _encoding_of(head)
    wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
    errors = "surrogatepass" if wide else "surrogateescape"
    return io.TextIOWrapper(buffered, encoding, errors=errors, newline="")


def _as_marked(encoding: str, head: bytes) -> str:
    """A named encoding, by which the file's mark is no part of its first word."""
    marked = next((marked for mark, marked in _MARKS if head.startswith(mark)), "")
    if not marked:
        return encoding
    family = marked.removesuffix("-sig")
    if not codecs.lookup(encoding).name.startswith(family):
        raise UnicodeError(f"its first bytes say {family}, not {encoding}; leave --encoding out")
    return marked


def _encoding_of(head: bytes) -> str:
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    # A text of Latin letters in UTF-16 without a mark: each second byte is zero.
    if len(head) > 1 and not any(head[1::2]) and all(head[: len(head) // 2 * 2 : 2]):
        return "utf-16-le"
    if len(head) > 1 and not any(head[::2]) and all(head[1::2]):
        return "utf-16-be"
    return "utf-8"
