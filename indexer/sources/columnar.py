"""Functions for both Parquet and Arrow files: typed columns, rows from record batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from indexer.core.column_types import ColumnType
from indexer.sources.arrow_types import column_type, plain
from indexer.sources.class_labels import Feature, class_features, names_of, with_names
from indexer.sources.columns import Convert, Example, Survey, TypeExamples, converter
from indexer.sources.tables import Row

BATCH_ROWS = 256
BATCH_BYTES = 16 * 2**20
"""Rows are read in batches whose cells need about this much memory."""


class ColumnarTable(ABC):
    """The part of a table's reader that depends on its Arrow schema only."""

    address: str

    @abstractmethod
    def schema(self) -> Any:
        """The Arrow schema."""

    @abstractmethod
    def row_count(self) -> int:
        """Rows, without reading them."""

    @abstractmethod
    def cells(self, column: str, first_row: int) -> Iterator[tuple[int, Any]]:
        """Row numbers and values of one column, from a row or an earlier one on."""

    def columns(self) -> list[str]:
        """Names of the top-level columns."""
        return list(self.schema().names)

    def class_names(self) -> dict[str, list[str]]:
        """The columns whose numbers stand for classes, with the names that rows have instead."""
        features = class_features(self.schema())
        return {column: names for column in features if (names := names_of(features[column]))}

    def picture_columns(self) -> list[str]:
        """Columns whose type can hold pictures: bytes, alone or with a path."""
        return [field.name for field in self.schema() if _holds_bytes(field.type)]

    def survey(self, skipped: frozenset[str]) -> Survey:
        """Types of the columns, by the schema."""
        columns: dict[str, TypeExamples] = {}
        classes = self.class_names()
        for field in self.schema():
            kind = None if field.name in skipped else column_type(field.type)
            if kind is not None and field.name in classes:
                example = Example(table=self.address, row=0, value="ClassLabel")
                columns[field.name] = {ColumnType.TEXT: example}
            elif kind is not None:
                columns[field.name] = {kind: Example(table=self.address, row=0, value=field.type)}
        return Survey(rows=self.row_count(), columns=columns)

    def converter(self, column: str, kind: ColumnType | None) -> Convert | None:
        """Values unchanged, or as text in a text column."""
        return converter(kind, column)


def rows_a_batch(size: int, rows: int) -> int:
    """Rows to read at a time of a table of so many bytes: fewer where they hold pictures."""
    bytes_a_row = max(1, size // max(1, rows))
    return max(1, min(BATCH_ROWS, BATCH_BYTES // bytes_a_row))


def row_values(
    batch: Any, rows_before: int, classes: Mapping[str, Feature] = MappingProxyType({})
) -> list[Row]:
    """Rows of one record batch; a value without a Python type fails only its own row.

    Args:
        rows_before: rows before the batch.
        classes: columns whose numbers stand for names, as ``class_features`` gives them.
    """
    batch = plain(batch)
    try:
        rows = list(enumerate(batch.to_pylist(), rows_before + 1))
    except (ValueError, OverflowError):
        return [
            _row(batch.slice(place, 1), rows_before + place + 1, classes)
            for place in range(batch.num_rows)
        ]
    return [_named(number, values, classes) for number, values in rows]


def _named(number: int, values: dict[str, Any], classes: Mapping[str, Feature]) -> Row:
    """A row with the names of its classes."""
    for column, feature in classes.items():
        try:
            values[column] = with_names(values.get(column), feature)
        except ValueError as error:
            problem = f"the column {column!r} has {error}, and no name for it; correct it"
            return Row(number=number, values=None, problem=problem)
    return Row(number=number, values=values)


def _row(batch: Any, number: int, classes: Mapping[str, Feature]) -> Row:
    """The one row of a batch."""
    try:
        return _named(number, batch.to_pylist()[0], classes)
    except UnicodeDecodeError:
        return Row(number=number, values=None, problem="a text is not UTF-8")
    except (ValueError, OverflowError) as error:
        problem = f"a value is beyond what can be read ({error}); correct it"
        return Row(number=number, values=None, problem=problem)


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return _holds_bytes(kind.storage_type)
    if pa.types.is_struct(kind):
        names = [kind.field(place).name for place in range(kind.num_fields)]
        return "bytes" in names and _holds_bytes(kind.field("bytes").type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _holds_bytes(kind.value_type)
    binary = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return any(is_of(kind) for is_of in binary)
