"""Chooses the reader of a table by its extension."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from indexer.core.errors import SourceError
from indexer.sources import addresses, tables
from indexer.sources.arrow import ArrowTable
from indexer.sources.arrow_types import why_no_id, why_not_metadata
from indexer.sources.columnar import ColumnarTable
from indexer.sources.delimited import DelimitedTable
from indexer.sources.excel import ExcelTable
from indexer.sources.feeds.xml import XmlTable
from indexer.sources.jsonl import JsonlTable
from indexer.sources.options import IMAGE_COLUMN, TableOptions
from indexer.sources.parquet import ParquetTable
from indexer.sources.tables import Table

COUNTED_BYTES = 32 * 2**20
"""Local text files up to this size are counted for progress; that takes under a second."""

_DEFAULTS = TableOptions()


def open_table(address: str, options: TableOptions = _DEFAULTS) -> Table | None:
    """The reader for a file's extension; None for other files."""
    name = addresses.name(address).lower()
    stem = tables.stem(address)
    if stem.endswith(".csv"):
        return _delimited(address, ",", options)
    if stem.endswith((".tsv", ".tab")):
        return _delimited(address, "\t", options)
    if stem.endswith((".jsonl", ".ndjson", ".json")):
        return JsonlTable(address)
    if name.endswith((".parquet", ".pq")):
        return ParquetTable(address)
    if name.endswith(".arrow"):
        return ArrowTable(address)
    if name.endswith((".xlsx", ".xlsm")):
        return ExcelTable(address)
    if stem.endswith((".xml", ".rss", ".atom")):
        return XmlTable(address)
    return None


def is_table(name: str) -> bool:
    """Whether a file's name ends as a table's does."""
    return open_table(name) is not None


def picture_column(table: Table) -> str:
    """The column of a table that holds its pictures, if no column is named.

    That is ``image``, or else the only column of a type that can hold pictures.
    """
    typed = typed_picture_columns(table)
    return typed[0] if len(typed) == 1 and IMAGE_COLUMN not in table.columns() else IMAGE_COLUMN


def typed_picture_columns(table: Table) -> list[str]:
    """Columns of a type that can hold pictures; text formats have none."""
    return table.picture_columns() if isinstance(table, ColumnarTable) else []


def no_metadata(table: Table) -> dict[str, str]:
    """Columns whose types can't be metadata, with the reason."""
    if not isinstance(table, ColumnarTable):
        return {}
    reasons = {field.name: why_not_metadata(field.type) for field in table.schema()}
    return {name: why for name, why in reasons.items() if why}


def no_ids(table: Table) -> dict[str, str]:
    """Columns whose types can't be ids, with the reason."""
    if not isinstance(table, ColumnarTable):
        return {}
    reasons = {field.name: why_no_id(field.type) for field in table.schema()}
    return {name: why for name, why in reasons.items() if why}


def cells(table: Table, column: str, first_row: int) -> Iterator[tuple[int, Any]]:
    """Row numbers and values of one column, from a row (or before it) on.

    Raises:
        SourceError: there is no such column, or the file can't be read on.
    """
    if column not in table.columns():
        raise SourceError(f"{table.address}: has no column {column!r}")
    if isinstance(table, ColumnarTable):
        yield from table.cells(column, first_row)
        return
    rows = table.rows(first_row) if isinstance(table, JsonlTable) else table.rows()
    for row in rows:
        if row.values is not None:
            yield row.number, row.values.get(column)


def count(table: Table, *, at_any_cost: bool = False) -> int | None:
    """Rows in a table; None where only a long read would tell."""
    if isinstance(table, ColumnarTable):
        return table.row_count()
    size = addresses.size(table.address)
    if not at_any_cost and (size is None or size > COUNTED_BYTES):
        return None
    return sum(1 for _ in table.rows())


def _delimited(address: str, expected: str, options: TableOptions) -> DelimitedTable:
    return DelimitedTable(
        address,
        expected=expected,
        delimiter=options.delimiter,
        quoting=options.quoting,
        encoding=options.encoding,
    )
