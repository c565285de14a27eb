"""Makes items of the rows of a table, with precomputed vectors if there are some."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from indexer.core.column_types import ColumnType
from indexer.core.credentials import hidden_address, without_credentials
from indexer.core.errors import ItemError, SourceError
from indexer.core.parts import ROW, part_id, view_of
from indexer.core.reasons import Reason
from indexer.core.records import FURTHER_PICTURES, Failure, FloatArray, Item, Kind, key_of
from indexer.sources import addresses, formats, media, tables
from indexer.sources.columns import Convert, Survey, converter
from indexer.sources.embedded import RowPicture
from indexer.sources.feeds import FeedTable
from indexer.sources.jsonl import JsonlTable
from indexer.sources.npy import VectorFile
from indexer.sources.options import NO_COLUMN, TableOptions
from indexer.sources.partitioned import TableLocation
from indexer.sources.row_pictures import NamedPicture, RowPictures
from indexer.sources.row_vectors import numbers_in, vector_of
from indexer.sources.rows import (
    bad_row,
    checked_id,
    checked_metadata,
    checked_title,
    failure,
    is_blank,
)
from indexer.sources.table_checks import check_columns, check_metadata

_DIGITS = 12
"""Of a picture's address in an id: two of a million pictures of one item are alike by 2e-3."""


@dataclass(frozen=True)
class TableSource:
    """One table; each row is an item, its other columns are metadata.

    Attributes:
        table: the reader of the file.
        options: the roles of its columns.
        vectors: vectors of the rows, in order; None where pictures or texts are embedded.
        location: the place of one of several tables; None for a single table.
        types: types of metadata columns, set when all tables are known.
        repeated: addresses that a product has twice, counted when the table was last read.
    """

    table: tables.Table
    options: TableOptions
    vectors: VectorFile | None = None
    location: TableLocation | None = None
    types: dict[str, ColumnType] = field(default_factory=dict, compare=False)
    repeated: Counter[str] = field(default_factory=Counter, compare=False)

    @property
    def address(self) -> str:
        """Where the table lies."""
        return self.table.address

    def check(self) -> None:
        """Check what would fail every row, before the first is read.

        Raises:
            SourceError: a column is missing, twice there, or none that can be stored; table and
                vectors have other counts.
        """
        columns = self.table.columns()
        columns += [
            name for name in (self.location.columns if self.location else ()) if name not in columns
        ]
        has_vectors = self.vectors is not None
        try:
            check_columns(self.address, columns, self.options, given_vectors=has_vectors)
        except SourceError as error:
            inside = self.table.list_inside() if isinstance(self.table, JsonlTable) else ""
            if not inside:
                raise
            raise SourceError(
                f"{self.address}: is one JSON object, with its rows in the list {inside!r}; write "
                f"one object a line, as jq -c '.{inside}[]' does"
            ) from error
        check_metadata(self.table, self.options)
        if self.options.vector_column and self.options.width not in (None, self.width):
            raise SourceError(
                f"{self.address}: the vectors in {self.options.vector_column!r} have width "
                f"{self.width}, the catalog has {self.options.width}; use the model that made the "
                "catalog, or another --catalog"
            )
        if self.vectors is not None:
            rows = self.survey.rows
            if rows is None:
                rows = formats.count(self.table, at_any_cost=True)
            if rows != self.vectors.rows:
                raise SourceError(
                    f"{self.vectors.address} has {self.vectors.rows:,} rows, "
                    f"{self.table.address} has {rows:,}; they must be in step, row by row"
                )

    def __iter__(self) -> Iterator[Item | Failure]:
        """Items in the table's order."""
        self.repeated.clear()
        if self.vectors is None:
            for row in self.table.rows():
                outcome = self._item(row, self._place(row))
                if self.options.vector_column and isinstance(outcome, Item):
                    cell = (row.values or {}).get(self.options.vector_column)
                    outcome = _with(outcome, self._place(row), *vector_of(cell, self.width))
                yield outcome
            return
        # check() has compared the counts.
        numbered = enumerate(self.vectors.iterate())
        for row, (position, (vector, problem)) in zip(self.table.rows(), numbered, strict=True):
            place = f"{self.vectors.address}#{position}"
            outcome = self._item(row, place)
            yield (
                outcome if isinstance(outcome, Failure) else _with(outcome, place, vector, problem)
            )

    @property
    def merged(self) -> Counter[str]:
        """What became part of other rows, or of other pictures, when it was last read."""
        of_feed = self.table.merged if isinstance(self.table, FeedTable) else Counter[str]()
        return of_feed + self.repeated

    def count(self) -> int | None:
        """Rows; None where they were not counted."""
        if self.vectors is not None:
            return self.vectors.rows
        if "survey" in self.__dict__:
            return self.survey.rows
        return formats.count(self.table)

    @cached_property
    def survey(self) -> Survey:
        """The types of the columns that become metadata; reads text files, once."""
        other_columns = (
            name for name in self.table.columns() if not self.options.is_metadata(name)
        )
        return self.table.survey(
            self.options.roles.union(other_columns, self.options.exclude_columns)
        )

    @cached_property
    def width(self) -> int:
        """Width of the vectors; in a table, that of the first row with one."""
        if self.vectors is not None:
            return self.vectors.width
        column = self.options.vector_column
        for row in self.table.rows():
            if numbers := numbers_in((row.values or {}).get(column)):
                return len(numbers)
        raise SourceError(
            f"{self.address}: no row has a list in the column {column!r}; choose another with "
            "--vector-column"
        )

    def _place(self, row: tables.Row) -> str:
        """The address of a row without a picture."""
        column = self.options.vector_column
        if not column:
            return f"{self.address}#{row.number}"
        return str(RowPicture(table=self.address, row=row.number, column=column))

    @property
    def _kind(self) -> Kind:
        if self.vectors is not None or self.options.vector_column:
            return Kind.VECTOR
        return Kind.TEXT if self.options.texts else Kind.PICTURE

    def _item(self, row: tables.Row, content: str) -> Item | Failure:
        """One row; ``content`` is its source where it has no picture."""
        if self.location is not None and row.values is not None:
            row = replace(row, values=self.location.filled(row.values))
        place = f"{self.address}#{row.number}"
        if row.values is None:
            return bad_row(self._kind, place, row.problem)
        identifier = place
        try:
            identifier = self._identifier(row)
            pictures, problems = self._pictures.of_row(row)
            first = pictures[0] if pictures else None
            item = self._own_item(row, identifier, first, content)
            more = {FURTHER_PICTURES: [picture.address for picture in pictures[1:]]}
            metadata = self._metadata(row.values) | (more if pictures[1:] else {})
            item = replace(item, metadata=checked_metadata(metadata))
            if self._kind is Kind.PICTURE and (pictures[1:] or problems):
                item = replace(item, parts=self._parts(item, pictures[1:], problems))
        except ItemError as error:
            # Without content: only a corrected table helps, so trying again must not
            # store half of the row.
            item = Item(item_id=identifier, kind=self._kind, source=place)
            return failure(item, self._reason(row, error), f"{place}: {error}")
        return item

    def _own_item(
        self, row: tables.Row, identifier: str, first: NamedPicture | None, content: str
    ) -> Item:
        """The row's item with its first picture, without metadata."""
        values, title_column = row.values or {}, self.options.text_column
        address = content if first is None else first.address
        parent_id = self._group(values)
        if parent_id and self.options.group_column == self.options.id_column:
            # Rows that are all called by their item: the picture's address tells them apart.
            digits = key_of(without_credentials(address))[:_DIGITS]
            identifier = part_id(parent_id, {"picture": digits})
        item = Item(
            item_id=without_credentials(identifier),
            kind=self._kind if first is None else self._kind_of(first),
            source=without_credentials(address),
            address=hidden_address(address),
            title=checked_title(values.get(title_column), title_column),
            content=None if first is None else first.content,
            parts=() if self._kind is Kind.PICTURE or self.options.group_column else None,
        )
        if item.kind == Kind.TEXT and not item.title.strip():
            raise ItemError(Reason.EMPTY_TEXT, f"the column {title_column!r} is empty; fill it")
        if not parent_id:
            return item
        own = parent_id == item.item_id
        return replace(item, parent_id="" if own else parent_id, part={ROW: row.number})

    def _kind_of(self, picture: NamedPicture) -> Kind:
        """The kind of a row's content; some columns of pictures hold sounds."""
        if self._kind is not Kind.PICTURE:
            return self._kind
        return media.kind_of(picture.address, picture.content)

    def _group(self, values: Mapping[str, Any]) -> str:
        """The id of the item that a row is a part of; empty for a row that is an item itself."""
        column = self.options.group_column
        if not column:
            return ""
        value = values.get(column)
        if is_blank(value):
            self.repeated["rows without a group, each an item of its own"] += 1
            return ""
        return without_credentials(checked_id(value, column))

    def _parts(
        self, item: Item, further: Sequence[NamedPicture], problems: Sequence[tuple[int, ItemError]]
    ) -> tuple[Item | Failure, ...]:
        """An item's pictures after the first, and those that its row does not tell rightly."""
        parts: list[Item | Failure] = []
        for picture in further:
            part = view_of(item, picture.view)
            checked_id(part.item_id, self.options.id_column)
            parts.append(
                replace(
                    part,
                    kind=self._kind_of(picture),
                    source=without_credentials(picture.address),
                    address=hidden_address(picture.address),
                    content=picture.content,
                )
            )
        for view, error in problems:
            bad = replace(view_of(item, view), address="", title="", metadata={}, content=None)
            message = f"{item.item_id}, picture {view}: {error}"
            parts.append(failure(bad, Reason.BAD_METADATA, message))
        return tuple(parts)

    def _reason(self, row: tables.Row, error: ItemError) -> Reason:
        """The reason of a failed row; a row with its picture inside must not be retried alone."""
        if self.options.texts or not self._pictures.lie_in(row):
            return error.reason
        needs_table = error.reason in {Reason.BAD_ID, Reason.EMPTY_TEXT}
        return error.reason if needs_table else Reason.BAD_METADATA

    def _identifier(self, row: tables.Row) -> str:
        column = self.options.id_column
        if column == NO_COLUMN:
            path = self.location.path if self.location else addresses.name(self.table.address)
            return f"{path}#{row.number}"
        return checked_id((row.values or {}).get(column), column)

    def _metadata(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values that become metadata, converted to their columns' types."""
        path_columns = self.location.columns if self.location else {}
        metadata = {}
        for column, value in values.items():
            try:
                convert = self._converters[column]
            except KeyError:
                convert = self._converters[column] = self._converter(column)
            if convert is None:
                continue
            if column in path_columns and value is path_columns[column]:
                # A value of the path is not written in the file's format.
                of_path = converter(self.types.get(column), column)
                metadata[column] = value if of_path is None else of_path(value)
            else:
                metadata[column] = convert(value)
        return metadata

    @cached_property
    def _converters(self) -> dict[str, Convert | None]:
        return {}

    def _converter(self, column: str) -> Convert | None:
        """The conversion of a column's cells to metadata; None for other columns."""
        if not self.options.is_metadata(column):
            return None
        return self.table.converter(column, self.types.get(column)) or _unchanged

    @cached_property
    def _pictures(self) -> RowPictures:
        return RowPictures(
            table=self.table,
            options=self.options,
            location=self.location,
            are_required=self._kind is not Kind.VECTOR,
            repeated=self.repeated,
        )


def _unchanged(value: Any) -> Any:
    return value


def _with(item: Item, place: str, vector: FloatArray, problem: str) -> Item | Failure:
    """The item with its vector, or a failure if that can't be stored."""
    if not problem:
        return replace(item, vector=vector)
    # The dead letter's source is the vector, so that a retry reads it.
    message = f"{place}: {problem}; embed the item again"
    return failure(replace(item, source=place), Reason.BAD_VECTOR, message)
