"""Which reader a table's extension calls for."""

from __future__ import annotations

from indexer.sources import addresses
from indexer.sources.delimited import DelimitedTable
from indexer.sources.jsonl import JsonlTable
from indexer.sources.parquet import ParquetTable
from indexer.sources.tables import Table

COUNTED_BYTES = 32 * 2**20
"""Local text files up to this size are counted for progress; that takes under a second."""


def open_table(address: str) -> Table | None:
    """The reader for a file's extension; None where it is not a table's."""
    name = addresses.name(address).lower()
    stem = name.removesuffix(".gz")
    if stem.endswith(".csv"):
        return DelimitedTable(address, ",")
    if stem.endswith((".tsv", ".tab")):
        return DelimitedTable(address, "\t")
    if stem.endswith((".jsonl", ".ndjson")):
        return JsonlTable(address)
    if name.endswith((".parquet", ".pq")):
        return ParquetTable(address)
    return None


def count(table: Table, *, at_any_cost: bool = False) -> int | None:
    """Rows in a table; None where only a long read would tell."""
    if isinstance(table, ParquetTable):
        return table.row_count()
    size = addresses.size(table.address)
    if not at_any_cost and (size is None or size > COUNTED_BYTES):
        return None
    return sum(1 for _ in table.rows())
