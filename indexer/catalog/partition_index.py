"""Which rows of the archive belong to which partition of the catalog; a part of the ledger."""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Sequence

from indexer.catalog.parts import PartIndex
from indexer.core.errors import UsageError
from indexer.core.sqlite_files import number_of, select_in

SCHEMA = """
CREATE TABLE IF NOT EXISTS partitions (
    item_id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_by_partition ON partitions (value);
"""


class PartitionIndex:
    """The partitions of rows, in the ledger's file, which the ledger keeps up to date.

    Args:
        connection: of the ledger.
        parts: which rows are of one item.
    """

    def __init__(self, connection: sqlite3.Connection, parts: PartIndex) -> None:
        self._connection = connection
        self._parts = parts

    def require(self, value: str, *, catalog: str, column: str) -> None:
        """Refuse a partition that has no rows.

        Args:
            catalog: its name, for the message.
            column: that the catalog is divided by; empty for none.

        Raises:
            UsageError: the catalog is not divided, or has no such partition.
        """
        if not column:
            raise UsageError(
                f"--partition {value!r}: catalog {catalog!r} is not divided. A catalog is by a "
                "column of its table from the first ingest --partition-key COLUMN on; --filter "
                "asks for values of any column."
            )
        if not self.count(value):
            partitions = list(self.counts())
            near = difflib.get_close_matches(value, partitions, n=3) or partitions[:10]
            raise UsageError(
                f"catalog {catalog!r} has no items of {column} {value!r}. It has "
                f"{len(partitions):,} others, such as: {', '.join(near)}"
            )

    def count(self, value: str) -> int:
        """Rows of one partition."""
        query = "SELECT count(*) FROM partitions WHERE value = ?"
        return number_of(self._connection, query, value)

    def counts(self) -> dict[str, int]:
        """Rows of each partition, the largest first."""
        rows = self._connection.execute(
            "SELECT value, count(*) FROM partitions GROUP BY value ORDER BY count(*) DESC, value"
        )
        return dict(rows.fetchall())

    def items_inside(self, item_ids: Sequence[str], value: str) -> list[str]:
        """Those of the items of which a row belongs to one partition, in order."""
        first_rows = self.first_rows(item_ids, value)
        return [item_id for item_id in item_ids if item_id in first_rows]

    def first_rows(self, item_ids: Sequence[str], value: str) -> dict[str, str]:
        """The id of each item's first row in one partition; items without one are left out."""
        by_item = self._parts.rows_of(item_ids)
        row_ids = [row.row_id for rows in by_item.values() for row in rows]
        ids_inside = self._rows_inside(row_ids, value)
        first_rows: dict[str, str] = {}
        for item_id, rows in by_item.items():
            for row in rows:
                if row.row_id in ids_inside:
                    first_rows.setdefault(item_id, row.row_id)
        return first_rows

    def _rows_inside(self, row_ids: Sequence[str], value: str) -> set[str]:
        query = "SELECT item_id, value FROM partitions"
        rows = select_in(self._connection, query, "item_id", row_ids)
        return {row_id for row_id, partition in rows if partition == value}
