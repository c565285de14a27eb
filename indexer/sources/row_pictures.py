"""The pictures that the rows of a table name, or hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from indexer.core.errors import ItemError
from indexer.core.reasons import Reason
from indexer.sources import addresses, formats, tables
from indexer.sources.embedded import RowPicture, holds_bytes, pictures_in
from indexer.sources.image_patterns import filled
from indexer.sources.options import TableOptions
from indexer.sources.partitioned import TableLocation
from indexer.sources.rows import checked_title


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """A picture that a row names.

    Attributes:
        view: its place among the row's pictures, from 1.
        address: where it lies, maybe with credentials.
        content: its bytes where it lies in the row itself.
    """

    view: int
    address: str
    content: bytes | None


@dataclass(frozen=True)
class RowPictures:
    """Finds the pictures of a table's rows.

    Attributes:
        table: the reader of the file.
        options: which columns hold pictures.
        location: the place of one of several tables; None for a single table.
        are_required: a row without a picture is an error.
        repeated: counts the addresses that a row has twice.
    """

    table: tables.Table
    options: TableOptions
    location: TableLocation | None
    are_required: bool
    repeated: Counter[str]

    def of_row(self, row: tables.Row) -> tuple[list[NamedPicture], list[tuple[int, ItemError]]]:
        """The row's distinct pictures, in order, and what is wrong with others.

        Raises:
            ItemError: there is no good one, and the item needs one.
        """
        if self.options.texts:
            return [], []
        problems: list[tuple[int, ItemError]] = []
        by_address: dict[str, NamedPicture] = {}
        for view, (column, place, content) in enumerate(self._cells(row), 1):
            if isinstance(content, ItemError):
                problems.append((view, content))
                continue
            try:
                picture = self._picture(row, view, column, place, content)
            except ItemError as error:
                problems.append((view, error))
            else:
                twice = picture.address in by_address
                self.repeated["pictures that a product names twice"] += twice
                by_address.setdefault(picture.address, picture)
        if not by_address and self.are_required:
            columns = ", ".join(map(repr, self._columns))
            empty = ItemError(
                Reason.MISSING, f"the column {columns} is empty; give a path or an address"
            )
            raise problems[0][1] if problems else empty
        return list(by_address.values()), problems

    def lie_in(self, row: tables.Row) -> bool:
        """Whether a row holds the bytes of a picture."""
        values = row.values or {}
        return any(holds_bytes(values.get(column)) for column in self._columns)

    def _cells(self, row: tables.Row) -> list[tuple[str, int, str | bytes | ItemError]]:
        """Column, place in it, and content of each picture that a row names, or what is wrong."""
        values = row.values or {}
        if self.options.image_pattern:
            names = filled(self.options.image_pattern, values)
            return [(self.options.image_column, 1, name) for name in names]
        cells: list[tuple[str, int, str | bytes | ItemError]] = []
        for column in self._columns:
            try:
                pictures = pictures_in(values.get(column), column)
            except ItemError as error:
                cells.append((column, 1, error))
            else:
                cells += [(column, place, picture) for place, picture in enumerate(pictures, 1)]
        return cells

    def _picture(
        self, row: tables.Row, view: int, column: str, place: int, content: str | bytes
    ) -> NamedPicture:
        if isinstance(content, bytes):
            return NamedPicture(view, self._address_in_row(row, column, place), content)
        if "\0" in content:
            raise ItemError(
                Reason.MISSING, f"the column {column!r} holds a zero byte, not a path or an address"
            )
        address = addresses.resolve(self._folder, checked_title(content, column))
        return NamedPicture(view, address, None)

    @cached_property
    def _columns(self) -> tuple[str, ...]:
        return self.options.image_columns

    def _address_in_row(self, row: tables.Row, column: str, place: int) -> str:
        named = "" if column == self._default_column else column
        return str(RowPicture(table=self.table.address, row=row.number, column=named, place=place))

    @cached_property
    def _folder(self) -> str:
        """Where relative paths of pictures start from."""
        if self.location is not None:
            return self.location.root
        return addresses.parent(self.table.address)

    @cached_property
    def _default_column(self) -> str:
        return formats.picture_column(self.table)
