"""Tables: files of rows, parsed without regard to their meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any, Protocol, cast

from indexer.core.column_types import ColumnType
from indexer.core.packed import DAMAGE, PACKED
from indexer.sources import addresses
from indexer.sources.columns import Convert, Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a table.

    Attributes:
        number: line where it starts (text files) or row (Parquet), from 1.
        values: column to value; None where the row can't be parsed.
        problem: why it can't be parsed.
    """

    number: int
    values: Mapping[str, Any] | None
    problem: str = ""


class Table(Protocol):
    """A file of rows."""

    @property
    def address(self) -> str:
        """Path or fsspec address of the file."""
        ...

    def columns(self) -> list[str]:
        """Names of the columns, in order; raises SourceError where there is no header."""
        ...

    def rows(self) -> Iterator[Row]:
        """Every row in order, unparsable ones included; memory does not grow."""
        ...

    def survey(self, skipped: frozenset[str]) -> Survey:
        """The types of the columns, without skipped ones; reads text files."""
        ...

    def converter(self, column: str, kind: ColumnType | None) -> Convert | None:
        """The conversion of cells to their column's type; None where none is needed."""
        ...


def cut_short(number: int, error: Exception) -> Row:
    """The last row of a file that ends in damage, or whose connection broke."""
    if isinstance(error, ConnectionError):
        problem = f"the connection broke off from here on ({error}); ingest the table again"
        return Row(number=number, values=None, problem=problem)
    problem = f"the file is cut short or damaged from here on ({error}); fetch it again"
    return Row(number=number, values=None, problem=problem)


@contextmanager
def bytes_of(address: str) -> Iterator[IO[bytes]]:
    """The file's bytes, unpacked if its name ends in one of ``PACKED``.

    Reading raises one of ``DAMAGE`` where a packed file is damaged or cut short.
    """
    unpack = PACKED.get(PurePosixPath(addresses.name(address).lower()).suffix)
    with addresses.open_binary(address) as raw:
        if unpack is None:
            yield raw
            return
        with unpack(raw) as unpacked:
            yield cast("IO[bytes]", unpacked)


def other_kind(address: str) -> str:
    """The kind of a file named as a text, by its first bytes; empty for an unknown one.

    Of a packed file the first bytes of what is in it count.
    """
    with bytes_of(address) as content:
        try:
            start = content.read(16).lstrip().lower()
        except DAMAGE:
            return ""
    return next((kind for begin, kind in _STARTS.items() if start.startswith(begin.lower())), "")


def stem(address: str) -> str:
    """A file's name in lower case, without the ending of a packed file."""
    name = addresses.name(address).lower()
    return name.removesuffix(next(filter(name.endswith, PACKED), ""))


_STARTS = {
    b"\x1f\x8b": "packed (.gz)",
    b"BZh": "packed (.bz2)",
    b"\x28\xb5\x2f\xfd": "packed (.zst)",
    b"\xfd7zXZ": "packed (.xz)",
    b"PK\x03\x04": "a .zip or .xlsx file",
    b"PAR1": "Parquet (.parquet)",
    b"\xd0\xcf\x11\xe0": "an old Excel file (.xls)",
    b"<!doctype": "a page in HTML, maybe an error's",
    b"<html": "a page in HTML, maybe an error's",
    b"<?xml": "XML (.xml)",
    b"{": "JSON (.jsonl)",
}
"""Files that are often named .csv, by their first bytes."""
