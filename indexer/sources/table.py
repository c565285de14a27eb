"""Items out of the rows of a table, with precomputed vectors where there are some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from indexer.errors import ItemError, SourceError
from indexer.reasons import Reason
from indexer.records import Failure, FloatArray, Item, Kind
from indexer.sources import addresses, formats, tables
from indexer.sources.npy import VectorFile
from indexer.sources.options import NO_COLUMN, TableOptions
from indexer.sources.rows import bad_row, checked_id, checked_metadata, checked_title, failure


@dataclass(frozen=True)
class TableSource:
    """One table; each row is an item, its other columns are metadata.

    Attributes:
        table: the reader of the file.
        options: which column is what.
        vectors: vectors of the rows, in order; None where pictures or texts are embedded.
    """

    table: tables.Table
    options: TableOptions
    vectors: VectorFile | None = None

    @property
    def address(self) -> str:
        """Where the table lies."""
        return self.table.address

    def check(self) -> None:
        """Find what would spoil every row, before the first is read.

        Raises:
            SourceError: a column is missing, or table and vectors have other counts.
        """
        columns = self.table.columns()
        needed = {"id_column": self.options.id_column}
        if self.options.texts:
            needed["text_column"] = self.options.text_column
        elif self.vectors is None or self.options.image_column != _default("image_column"):
            needed["image_column"] = self.options.image_column
        if self.options.text_column != _default("text_column"):
            needed["text_column"] = self.options.text_column
        for option, column in needed.items():
            if column not in columns and column != NO_COLUMN:
                raise SourceError(
                    f"{self.table.address}: no column {column!r}; its columns are "
                    f"{', '.join(map(repr, columns))}; choose one with "
                    f"--{option.replace('_', '-')}"
                )
        if self.vectors is not None:
            rows = formats.count(self.table, at_any_cost=True)
            if rows != self.vectors.rows:
                raise SourceError(
                    f"{self.vectors.address} has {self.vectors.rows:,} rows, "
                    f"{self.table.address} has {rows:,}; they must be in step, row by row"
                )

    def __iter__(self) -> Iterator[Item | Failure]:
        """Items in the table's order."""
        if self.vectors is None:
            for row in self.table.rows():
                yield self._item(row, None)
            return
        # check() has compared the counts.
        numbered = enumerate(self.vectors.iterate())
        for row, (position, vector) in zip(self.table.rows(), numbered, strict=True):
            yield self._with_vector(row, position, vector, self.vectors)

    def count(self) -> int | None:
        """Rows; None for large text files."""
        return self.vectors.rows if self.vectors is not None else formats.count(self.table)

    @property
    def _kind(self) -> Kind:
        if self.vectors is not None:
            return Kind.VECTOR
        return Kind.TEXT if self.options.texts else Kind.PICTURE

    def _with_vector(
        self, row: tables.Row, position: int, vector: FloatArray, file: VectorFile
    ) -> Item | Failure:
        found = self._item(row, vector)
        place = f"{file.address}#{position}"
        item = found.item if isinstance(found, Failure) else found
        # A dead letter points at the vector: that is what trying it again must read.
        again = Item(
            item_id=item.item_id,
            kind=item.kind,
            source=place,
            title=item.title,
            metadata=item.metadata,
        )
        if isinstance(found, Failure):
            return failure(again, found.reason, found.message)
        problem = file.problem(vector)
        if problem:
            return failure(again, Reason.BAD_VECTOR, f"{place}: {problem}; embed the item again")
        return found

    def _item(self, row: tables.Row, vector: FloatArray | None) -> Item | Failure:
        address = self.table.address
        place = f"{address}#{row.number}"
        if row.values is None:
            return bad_row(self._kind, place, row.problem)
        # Built up step by step, so that a dead letter has what was good until then.
        partial: dict[str, Any] = {"item_id": place, "source": place}
        try:
            partial["item_id"] = self._identifier(row)
            partial["title"] = checked_title(
                row.values.get(self.options.text_column), self.options.text_column
            )
            partial["metadata"] = checked_metadata(self._rest(row.values))
            partial["source"] = self._content(row.values, place)
            if self._kind == Kind.TEXT and not partial["title"].strip():
                column = self.options.text_column
                raise ItemError(Reason.EMPTY_TEXT, f"the column {column!r} is empty; fill it")
        except ItemError as error:
            item = Item(kind=self._kind, **partial)
            return failure(item, error.reason, f"{place}: {error}")
        return Item(kind=self._kind, vector=vector, **partial)

    def _identifier(self, row: tables.Row) -> str:
        column = self.options.id_column
        if column == NO_COLUMN:
            return f"{addresses.name(self.table.address)}#{row.number}"
        return checked_id((row.values or {}).get(column), column)

    def _rest(self, values: Mapping[str, Any]) -> dict[str, Any]:
        options = self.options
        taken = {options.id_column, options.image_column, options.text_column}
        convert = self.table.metadata_value
        return {key: convert(value) for key, value in values.items() if key not in taken}

    def _content(self, values: Mapping[str, Any], place: str) -> str:
        """Where the row's picture lies; the row itself for texts and bare vectors."""
        if self.options.texts:
            return place
        column = self.options.image_column
        value = values.get(column)
        if value is None or value == "":
            if self._kind == Kind.VECTOR:
                return place
            raise ItemError(
                Reason.MISSING, f"the column {column!r} is empty; give a path or an address"
            )
        if not isinstance(value, str) or "\0" in value:
            raise ItemError(
                Reason.MISSING,
                f"the column {column!r} holds {type(value).__name__}, not a path or an address",
            )
        return addresses.resolve(addresses.parent(self.table.address), checked_title(value, column))


def _default(option: str) -> Any:
    """The value of an option that the user did not set."""
    return next(field.default for field in fields(TableOptions) if field.name == option)
