"""CSV and TSV."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import IO, Any

from indexer.delimited import (
    NOT_UNICODE,
    SAMPLED_LINES,
    UNCLOSED,
    DelimitedText,
    Dialect,
    HeaderError,
    Quoting,
    find_dialect,
    is_unicode,
    text_of,
    with_tabs,
)
from indexer.errors import SourceError
from indexer.sources.tables import Row, bytes_of, cut_short

_DAMAGE = (EOFError, OSError, zlib.error, UnicodeError)
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True)
class DelimitedTable:
    """CSV or TSV with a header; quoted fields may hold newlines.

    How it is written is found: the separator, UTF-8 or UTF-16, what quotation marks mean. In a
    table that is separated by tabs they mean nothing, unless all of them enclose fields.

    Numbers are recognised value by value, as the types of whole columns would cost a
    full read: ``7``, ``-1.50``, ``true`` become JSON values; ``007``, ``1e5``, ``+1``
    and what has more than 15 digits after or around a point stay text.

    Attributes:
        expected: the separator that decides where the lines do not.
        delimiter: the separator, where it was said.
        quoting: what quotation marks mean, where that was said.
        encoding: its name, where it was said.
    """

    address: str
    expected: str = ","
    delimiter: str = ""
    quoting: Quoting = Quoting.AUTO
    encoding: str = ""

    def columns(self) -> list[str]:
        """Names in the header; an unnamed one is called after its place."""
        with self._text() as text:
            return self._names(text)

    def rows(self) -> Iterator[Row]:
        """Rows with text values; a ragged or wrongly encoded one has a problem instead."""
        with self._text() as text:
            names = self._names(text)
            number = 0
            try:
                for number, fields, problem in text.records():
                    if fields is None:
                        yield Row(number=number, values=None, problem=_with_remedy(problem))
                    else:
                        yield Row(number=number, values=dict(zip(names, fields, strict=True)))
            except _DAMAGE as error:
                yield cut_short(number + 1, error)

    def metadata_value(self, value: Any) -> Any:
        """Numbers and truth values out of text; the empty text is no value."""
        if value == "" or not isinstance(value, str):
            return None
        if _INTEGER.fullmatch(value):
            return int(value)
        if len(value) <= 17 and _DECIMAL.fullmatch(value):
            return float(value)
        return _WORDS.get(value, value)

    @cached_property
    def dialect(self) -> Dialect:
        """How the table is written.

        Raises:
            SourceError: it can't be read, or there is no such encoding.
        """
        with self._lines() as lines:
            try:
                sample = list(islice(lines, SAMPLED_LINES))
            except _DAMAGE as error:
                raise SourceError(f"{self.address}: can't be read ({error})") from error
        dialect = find_dialect(
            sample, expected=self.expected, delimiter=self.delimiter, quoting=self.quoting
        )
        with self._lines() as lines:
            try:
                return with_tabs(dialect, sample, lines)
            except _DAMAGE:
                return dialect

    @contextmanager
    def _text(self) -> Iterator[DelimitedText]:
        dialect = self.dialect
        with self._lines() as lines:
            try:
                yield DelimitedText(lines, dialect)
            except HeaderError as error:
                raise SourceError(f"{self.address}: {error}") from error

    @contextmanager
    def _lines(self) -> Iterator[IO[str]]:
        with bytes_of(self.address) as content:
            try:
                text = text_of(content, self.encoding)
            except LookupError as error:
                raise SourceError(
                    f"--encoding {self.encoding}: there is no such encoding"
                ) from error
            except _DAMAGE as error:
                raise SourceError(f"{self.address}: can't be read ({error}); check it") from error
            with text:
                yield text

    def _names(self, text: DelimitedText) -> list[str]:
        names = text.names
        if not all(map(is_unicode, names)) or any("\0" in name for name in names):
            raise SourceError(
                f"{self.address}: the header is not UTF-8; save the table as UTF-8, or name its "
                "encoding, such as --encoding cp1252"
            )
        names = [name or f"column_{place}" for place, name in enumerate(names, 1)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SourceError(f"{self.address}: has several columns called {', '.join(twice)}")
        return names


def _with_remedy(problem: str) -> str:
    if problem.endswith(NOT_UNICODE):
        return f"{problem}; save the table as UTF-8, or name its --encoding, such as cp1252"
    if not problem.startswith(UNCLOSED):
        return problem
    return (
        f"{problem}; close it, write it twice inside a quoted field, or say with --quoting what "
        "quotation marks mean here"
    )
