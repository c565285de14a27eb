"""CSV and TSV."""

from __future__ import annotations

import csv
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from indexer.errors import SourceError
from indexer.sources.rows import is_unicode
from indexer.sources.tables import Row, bytes_of, cut_short

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True)
class DelimitedTable:
    """CSV or TSV in UTF-8, with a header; quoted fields may hold newlines.

    Numbers are recognised value by value, as the types of whole columns would cost a
    full read: ``7``, ``-1.50``, ``true`` become JSON values; ``007``, ``1e5``, ``+1``
    and what has more than 15 digits after or around a point stay text.
    """

    address: str
    delimiter: str

    def columns(self) -> list[str]:
        """Names in the header; an unnamed one is called after its place."""
        with self._lines() as lines:
            return self._header(csv.reader(lines, delimiter=self.delimiter, strict=True))

    def rows(self) -> Iterator[Row]:
        """Rows with text values; a ragged or wrongly encoded one has a problem instead."""
        with self._lines() as lines:
            reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
            names = self._header(reader)
            while True:
                number = reader.line_num + 1
                try:
                    fields = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield Row(number=number, values=None, problem=f"not valid CSV ({error})")
                    continue
                except (EOFError, OSError, zlib.error) as error:
                    yield cut_short(number, error)
                    return
                if fields:
                    yield _delimited_row(number, names, fields)

    def metadata_value(self, value: Any) -> Any:
        """Numbers and truth values out of text; the empty text is no value."""
        if value == "" or not isinstance(value, str):
            return None
        if _INTEGER.fullmatch(value):
            return int(value)
        if len(value) <= 17 and _DECIMAL.fullmatch(value):
            return float(value)
        return _WORDS.get(value, value)

    @contextmanager
    def _lines(self) -> Iterator[IO[str]]:
        # surrogateescape keeps bytes that are not UTF-8 to the row that they are in.
        with (
            bytes_of(self.address) as content,
            io.TextIOWrapper(content, "utf-8-sig", errors="surrogateescape", newline="") as text,
        ):
            yield text

    def _header(self, reader: Iterator[list[str]]) -> list[str]:
        try:
            names = next(reader, [])
        except (csv.Error, EOFError, OSError, zlib.error) as error:
            raise SourceError(f"{self.address}: the header can't be read ({error})") from error
        if not names:
            raise SourceError(f"{self.address}: is empty; the first line must name the columns")
        if not all(map(is_unicode, names)) or any("\0" in name for name in names):
            raise SourceError(f"{self.address}: the header is not UTF-8; save the table as UTF-8")
        names = [name or f"column_{place}" for place, name in enumerate(names, 1)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SourceError(f"{self.address}: has several columns called {', '.join(twice)}")
        return names


def _delimited_row(number: int, names: list[str], fields: list[str]) -> Row:
    if len(fields) != len(names):
        problem = f"has {len(fields)} fields, the header names {len(names)}"
        return Row(number=number, values=None, problem=problem)
    values = dict(zip(names, fields, strict=True))
    if not is_unicode("".join(fields)):
        wrong = next(name for name, value in values.items() if not is_unicode(value))
        problem = f"the column {wrong!r} is not UTF-8; save the table as UTF-8"
        return Row(number=number, values=None, problem=problem)
    return Row(number=number, values=values)
