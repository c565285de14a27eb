"""CSV and TSV."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import IO, Any

from indexer.core.column_types import ColumnType
from indexer.core.delimited import (
    NOT_UNICODE,
    SAMPLED_LINES,
    UNCLOSED,
    DelimitedText,
    Dialect,
    HeaderError,
    Quoting,
    Record,
    find_dialect,
    is_unicode,
    text_of,
    with_tabs,
)
from indexer.core.errors import SourceError
from indexer.core.packed import DAMAGE
from indexer.sources.columns import Convert, Survey
from indexer.sources.tables import Row, bytes_of, cut_short, other_kind
from indexer.sources.text_columns import TextColumn, text_converter

_FIELDS = re.compile(r"has (\d+) fields, the header names (\d+)")

_DAMAGE = (*DAMAGE, UnicodeError)


@dataclass(frozen=True)
class DelimitedTable:
    """CSV or TSV with a header; quoted fields may hold newlines.

    Its dialect is detected: the separator, UTF-8 or UTF-16, the meaning of quotation marks. In
    tab-separated tables they have none, unless all of them enclose fields.

    A column is numeric or boolean if all of its texts are: ``7``, ``-1.50``, ``true``. ``007``,
    ``1e5``, ``+1`` and numbers with too many digits are texts, and make their column text.

    Attributes:
        expected: the separator to use where the lines do not decide.
        delimiter: the separator, if given.
        quoting: the meaning of quotation marks, if given.
        encoding: its name, if given.
        last_takes_rest: whether separators in the last column are part of it.
    """

    address: str
    expected: str = ","
    delimiter: str = ""
    quoting: Quoting = Quoting.AUTO
    encoding: str = ""
    last_takes_rest: bool = False

    def columns(self) -> list[str]:
        """Names in the header; an unnamed one is called after its place."""
        with self._text() as text:
            return self._names(text)

    def rows(self) -> Iterator[Row]:
        """Rows with text values; a ragged or wrongly encoded one has a problem instead."""
        with self._text() as text:
            names = self._names(text)
            several = {name for name in names if names.count(name) > 1}
            number = 0
            try:
                for number, fields, problem in text.records():
                    if _is_empty(fields):
                        continue
                    if fields is None:
                        yield Row(number=number, values=None, problem=_with_remedy(problem))
                        continue
                    values: dict[str, Any] = dict(zip(names, fields, strict=True))
                    for column in several:  # which no feed but Google's has, and no metadata
                        pairs = zip(names, fields, strict=True)
                        values[column] = [field for name, field in pairs if name == column]
                    yield Row(number=number, values=values)
            except _DAMAGE as error:
                yield cut_short(number + 1, error)

    def survey(self, skipped: frozenset[str]) -> Survey:
        """The types of the columns by their texts: numbers, truth values, or texts."""
        count = 0
        with self._text() as text:
            columns = {
                place: TextColumn(self.address, commas=text.dialect.delimiter != ",")
                for place, name in enumerate(self._names(text))
                if name not in skipped
            }
            try:
                for chunk in text.chunks():
                    count += sum(not _is_empty(fields) for _, fields, _ in chunk)
                    _add_chunk(chunk, columns)
            except _DAMAGE:
                count += 1  # the rest is one dead letter
            names = self._names(text)
        by_name = {names[place]: column for place, column in columns.items()}
        self._commas.update(name for name, column in by_name.items() if column.has_commas)
        return Survey(
            rows=count, columns={name: column.types() for name, column in by_name.items()}
        )

    def converter(self, column: str, kind: ColumnType | None) -> Convert | None:
        """Converts texts to numbers and truth values; the empty text is no value."""
        return text_converter(kind, column, commas=column in self._commas)

    @cached_property
    def _commas(self) -> set[str]:
        """Columns with decimal commas, from the survey."""
        return set()

    @cached_property
    def dialect(self) -> Dialect:
        """The table's dialect.

        Raises:
            SourceError: it can't be read, or there is no such encoding.
        """
        sample: list[str] = []
        with self._lines() as lines:
            try:
                sample.extend(islice(lines, SAMPLED_LINES))
            except _DAMAGE as error:
                if not sample:  # else the part before the damage is read
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
                yield DelimitedText(lines, dialect, last_takes_rest=self.last_takes_rest)
            except HeaderError as error:
                self._refuse_other_kind()
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
        is_text = all(map(is_unicode, names)) and not any("\0" in name for name in names)
        if not is_text or len(names) == 1 or names[0].startswith("{"):
            self._refuse_other_kind()
        if not is_text:
            raise SourceError(
                f"{self.address}: the header is not UTF-8; save the table as UTF-8, or name its "
                "encoding, such as --encoding cp1252"
            )
        # Of two byte order marks one is left.
        names = [names[0].lstrip("\ufeff"), *names[1:]]
        return [name or f"column_{place}" for place, name in enumerate(names, 1)]

    def _refuse_other_kind(self) -> None:
        if kind := other_kind(self.address):
            remedy = "fetch it again" if "HTML" in kind else "give it its right ending"
            raise SourceError(f"{self.address}: is {kind}, whatever its name says; {remedy}")


def _is_empty(fields: list[str] | None) -> bool:
    """Whether a record has separators only: spreadsheets write them for rows without cells."""
    return fields is not None and not any(fields)


def _add_chunk(chunk: list[Record], columns: dict[int, TextColumn]) -> None:
    rows = [record for record in chunk if record[1] is not None]
    numbers = [number for number, _, _ in rows]
    cells = zip(*(fields for _, fields, _ in rows if fields is not None), strict=True)
    for place, values in enumerate(cells):
        if place in columns:
            columns[place].add(numbers, values)


def _with_remedy(problem: str) -> str:
    if problem.endswith(NOT_UNICODE):
        return f"{problem}; save the table as UTF-8, or name its --encoding, such as cp1252"
    if counts := _FIELDS.fullmatch(problem):
        if int(counts[1]) < int(counts[2]):
            return f"{problem}; write a separator for each field, also for empty ones"
        return f"{problem}; put a field that has the separator in it in quotation marks"
    if not problem.startswith(UNCLOSED):
        return problem
    return (
        f"{problem}; close it, write it twice inside a quoted field, or say with --quoting what "
        "quotation marks mean here"
    )
