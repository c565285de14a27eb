"""Reads pictures inside tables by their addresses."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from indexer.core.errors import ItemError, SourceError
from indexer.core.reasons import Reason
from indexer.sources import formats
from indexer.sources.embedded import RowPicture, pictures_in, row_picture
from indexer.sources.tables import Table

OPEN_TABLES = 4
"""Tables that a reader keeps open, since rows are mostly read in order."""

CACHED_BYTES = 64 * 2**20
"""Bytes of cached cells of a table: many threads read slightly out of order."""


class TablePictures:
    """Pictures of rows; thread-safe.

    Rows are read forward from the last one, so a whole table in order costs one pass; an earlier
    row starts a new pass, in Parquet at its row group.
    """

    def __init__(self) -> None:
        self._opened = lru_cache(maxsize=OPEN_TABLES)(_Cells)
        self._lock = threading.Lock()

    def read(self, place: RowPicture) -> bytes:
        """The picture's bytes.

        Raises:
            ItemError: MISSING: no such table, row or picture. UNREADABLE: a damaged row.
        """
        with self._lock:  # else each thread would read a table that is not open yet
            cells = self._opened(place.table, place.column)
        pictures = pictures_in(cells.cell(place), cells.column)
        contents = [picture for picture in pictures[place.place - 1 : place.place] if picture]
        if not contents or not isinstance(contents[0], bytes):
            raise ItemError(
                Reason.MISSING,
                f"{place}: the row holds no such picture; correct {place.table} and ingest it "
                "again",
            )
        return contents[0]

    def close(self) -> None:
        """Close the open tables."""
        self._opened.cache_clear()


def table_of(source: str) -> RowPicture | None:
    """The row that a source names; None for other sources."""
    place = row_picture(source)
    return place if place is not None and formats.open_table(place.table) is not None else None


class _Cells:
    """The cells of one column, read forward."""

    def __init__(self, address: str, column: str) -> None:
        table = formats.open_table(address)
        assert table is not None
        self._table: Table = table
        self._address = address
        self.column = column
        self._lock = threading.Lock()
        self._next = 1
        self._values: Iterator[tuple[int, Any]] | None = None
        self._cached: OrderedDict[int, Any] = OrderedDict()
        self._cached_bytes = 0

    def cell(self, place: RowPicture) -> Any:
        """The value of a row."""
        with self._lock:
            try:
                return self._find(place)
            except SourceError as error:
                missing = isinstance(error.__cause__, FileNotFoundError)
                reason = Reason.MISSING if missing else Reason.UNREADABLE
                message = f"{place}: {error}; correct {self._address} and ingest it again"
                raise ItemError(reason, message) from error

    def _find(self, place: RowPicture) -> Any:
        if place.row in self._cached:
            return self._cached[place.row]
        if self._values is None or place.row < self._next:
            self.column = self.column or formats.picture_column(self._table)
            self._values = formats.cells(self._table, self.column, place.row)
        for number, value in self._values:
            self._next = number + 1
            self._cache(number, value)
            if number == place.row:
                return value
            if number > place.row:
                break
        else:
            self._values = None
        raise ItemError(
            Reason.MISSING, f"{place}: {self._address} has no such row; ingest it again"
        )

    def _cache(self, number: int, value: Any) -> None:
        if number in self._cached:
            return
        self._cached[number] = value
        self._cached_bytes += _size(value)
        while self._cached_bytes > CACHED_BYTES and len(self._cached) > 1:
            self._cached_bytes -= _size(self._cached.popitem(last=False)[1])


def _size(value: Any) -> int:
    """Approximate bytes of a cell."""
    if isinstance(value, bytes | str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    return sum(map(_size, value)) if isinstance(value, list) else 64
