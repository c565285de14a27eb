"""The index of the archive by id and by content: SQLite, derived from the shards.

It answers for each item: is this id in the catalog with this content, is this content there
under another id, which rows of a shard are current, which database has which shards. It may be
lost or damaged: opening it reads the missing rows from the shards. Several processes may have it
open: a search reads it while an ingestion writes.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from indexer.catalog import partition_index, parts, stored_shards
from indexer.catalog.archive import Archive
from indexer.catalog.item_rows import CatalogItems
from indexer.catalog.partition_index import PartitionIndex
from indexer.catalog.parts import PartIndex
from indexer.catalog.stored_shards import StoredShards
from indexer.core.partitions import partition_of
from indexer.core.sqlite_files import (
    connect,
    number_of,
    open_or_renew,
    select_in,
    transaction,
)

if TYPE_CHECKING:
    import pyarrow as pa

_SCHEMA = (
    parts.SCHEMA
    + stored_shards.SCHEMA
    + partition_index.SCHEMA
    + """
CREATE TABLE IF NOT EXISTS shards (
    number INTEGER PRIMARY KEY, rows INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS items (
    item_id TEXT PRIMARY KEY, content_hash TEXT NOT NULL, row_hash TEXT NOT NULL,
    shard INTEGER NOT NULL, row INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_by_content ON items (content_hash);
CREATE TABLE IF NOT EXISTS superseded (
    shard INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (shard, row)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT OR IGNORE INTO totals VALUES ('items', 0);
CREATE TEMP TABLE IF NOT EXISTS seen (item_id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS incoming (
    row INTEGER PRIMARY KEY, item_id TEXT NOT NULL, content_hash TEXT NOT NULL,
    row_hash TEXT NOT NULL, removed INTEGER NOT NULL, partition TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS temp.incoming_by_id ON incoming (item_id);
CREATE TEMP TABLE IF NOT EXISTS chosen (
    shard INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (shard, row)) WITHOUT ROWID;
"""
)
_COLUMNS = ("item_id", "content_hash", "row_hash", "removed")
_PART_COLUMNS = ("parent_id", "part_json")
_DERIVED = ("shards", "items", "superseded", "stored", "versions", "partitions", "parts")
_CHECKED_BYTES = 64 * 2**20
"""Ledgers up to this size are checked when opened, in some tenths of a second at most."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an item's newest row is in the archive, and the hashes of what it was made of."""

    content_hash: str
    row_hash: str
    shard: int
    row: int


@dataclass(frozen=True, slots=True)
class Size:
    """Items, and their rows: an item of three pictures has three."""

    items: int
    rows: int

    @property
    def words(self) -> str:
        """Both, where they differ: ``3 items in 9 rows``."""
        items = f"{self.items:,} item{'' if self.items == 1 else 's'}"
        return items if self.items == self.rows else f"{items} in {self.rows:,} rows"


class Ledger:
    """The index of one catalog's archive.

    Args:
        path: the SQLite file; made, and filled from the archive, when it is not there.
        archive: the shards it is the index of.
        partition_key: column of the metadata that the catalog is divided by; empty for none.
        on_missing: called with a shard's number before the shard is indexed that was found on
            disk only, while the ledger still has its items' previous rows.
    """

    def __init__(
        self,
        path: Path,
        archive: Archive,
        *,
        partition_key: str = "",
        on_missing: Callable[[Ledger, int], None] = lambda _ledger, _shard: None,
    ) -> None:
        self._archive = archive
        self._partition_key = partition_key
        self._connection = open_or_renew(
            path, _connect, noun="ledger", loss="reading the archive again."
        )
        self.parts = PartIndex(self._connection)
        self.partitions = PartitionIndex(self._connection, self.parts)
        self.stored = StoredShards(self._connection)
        self._add_missing_shards(on_missing)

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def find(self, item_ids: Sequence[str]) -> dict[str, Place]:
        """The newest rows of ids; ids that are not in the catalog are left out."""
        return self._places("item_id", item_ids)

    def find_contents(self, content_hashes: Sequence[str]) -> dict[str, Place]:
        """A row for each content that is in the catalog, whatever its id."""
        return self._places("content_hash", content_hashes)

    def mark_seen(self, item_ids: Sequence[str]) -> set[str]:
        """Mark ids as seen in this run, on disk; returns those that were not seen before."""
        fresh = set(item_ids) - self.seen(item_ids)
        # The table is a temporary one: an opened ledger begins with no id seen.
        values = ((item_id,) for item_id in fresh)
        self._connection.executemany("INSERT INTO seen VALUES (?)", values)
        return fresh

    def seen(self, item_ids: Sequence[str]) -> set[str]:
        """The ids among some that were marked as seen in this run."""
        rows = select_in(self._connection, "SELECT item_id FROM seen", "item_id", item_ids)
        return {item_id for (item_id,) in rows}

    def count(self) -> int:
        """Rows of the catalog: its items, and their parts."""
        return number_of(self._connection, "SELECT value FROM totals WHERE name = 'items'")

    def item_count(self) -> int:
        """Items of the catalog, however many parts each has."""
        return self.parts.item_count(self.count())

    def size(self) -> Size:
        """Items and rows of the catalog."""
        return Size(self.item_count(), self.count())

    def selected_size(self) -> Size:
        """Items and rows that are selected; one row of an item is enough to count it."""
        row = self._connection.execute(
            "SELECT count(DISTINCT coalesce(parent_id, items.item_id)), count(*) FROM items "
            "LEFT JOIN parts USING (item_id) WHERE (items.shard, items.row) IN "
            "(SELECT shard, row FROM chosen)"
        ).fetchone()
        return Size(*row)

    def add(self, number: int) -> None:
        """Index a shard's rows, once, in one transaction."""
        columns = [*_COLUMNS, *_PART_COLUMNS, *["metadata_json"] * bool(self._partition_key)]
        table = self._archive.table(number, columns)
        rows = zip(*(table.column(name).to_pylist() for name in _COLUMNS), strict=True)
        partitions = self._partitions_of(table)
        execute = self._connection.execute
        with transaction(self._connection):
            if number_of(self._connection, "SELECT count(*) FROM shards WHERE number = ?", number):
                return  # another process has indexed the shard meanwhile
            execute("DELETE FROM incoming")
            self._connection.executemany(
                "INSERT INTO incoming VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (row, *values, partition)
                    for row, (values, partition) in enumerate(zip(rows, partitions, strict=True))
                ),
            )
            # Before the items are deleted: only they know where the replaced rows are.
            execute(
                "INSERT OR IGNORE INTO superseded SELECT shard, row FROM items "
                "WHERE item_id IN (SELECT item_id FROM incoming)"
            )
            # Of an id that a shard has twice, the last row counts.
            execute(
                "INSERT OR IGNORE INTO superseded SELECT ?, row FROM incoming WHERE removed "
                "OR row < (SELECT max(row) FROM incoming AS i WHERE i.item_id = incoming.item_id)",
                (number,),
            )
            deleted = execute("DELETE FROM items WHERE item_id IN (SELECT item_id FROM incoming)")
            inserted = execute(
                "INSERT INTO items SELECT item_id, content_hash, row_hash, :shard, row "
                "FROM incoming WHERE (:shard, row) NOT IN (SELECT shard, row FROM superseded)",
                {"shard": number},
            )
            execute("DELETE FROM partitions WHERE item_id IN (SELECT item_id FROM incoming)")
            execute(
                "INSERT INTO partitions SELECT item_id, partition FROM incoming WHERE "
                "partition <> '' AND (?, row) NOT IN (SELECT shard, row FROM superseded)",
                (number,),
            )
            self._index_parts(number, table)
            execute(
                "UPDATE totals SET value = value + ? WHERE name = 'items'",
                (inserted.rowcount - deleted.rowcount,),
            )
            execute("INSERT INTO shards (number, rows) VALUES (?, ?)", (number, table.num_rows))

    def _index_parts(self, number: int, table: pa.Table) -> None:
        """Index the parts of items among a shard's rows; of an id its last row counts."""
        names = ("item_id", "removed", *_PART_COLUMNS)
        columns = [table.column(name).to_pylist() for name in names]
        last_rows = {item_id: row for row, item_id in enumerate(columns[0])}
        self.parts.replace(
            last_rows,
            (
                (item_id, parent_id, part, number, row)
                for row, (item_id, removed, parent_id, part) in enumerate(
                    zip(*columns, strict=True)
                )
                if parent_id and not removed and last_rows[item_id] == row
            ),
        )

    def shards(self) -> list[int]:
        """Numbers of the indexed shards, oldest first.

        Readers use these: the rows of a shard that another process has just written to disk are
        not indexed yet.
        """
        rows = self._connection.execute("SELECT number FROM shards ORDER BY number")
        return [number for (number,) in rows]

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read one state of the ledger throughout the block, whatever others write meanwhile."""
        # SQLite takes the snapshot at the first read, and holds no lock that keeps writers out.
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def items(self, *, selected: bool = False) -> CatalogItems:
        """The items, by the shards of the rows that stand for them.

        Args:
            selected: only those that ``parts.complete_selection`` has.
        """
        return CatalogItems(
            self._archive,
            self.parts,
            shards=self.shards(),
            rows_of=self.selected_rows if selected else self.live_rows,
            followers=partial(self.parts.followers, selected=selected),
        )

    def items_of(self, number: int) -> list[str]:
        """Ids of the rows of a shard that are the newest of their id."""
        rows = self._connection.execute(
            "SELECT item_id FROM items WHERE shard = ? ORDER BY row", (number,)
        )
        return [item_id for (item_id,) in rows]

    def live_rows(self, number: int) -> npt.NDArray[np.int64]:
        """Row numbers of a shard that are the newest of their id and not removals, in order."""
        total = number_of(self._connection, "SELECT rows FROM shards WHERE number = ?", number)
        dead = self._connection.execute("SELECT row FROM superseded WHERE shard = ?", (number,))
        alive = np.ones(int(total), dtype=bool)
        alive[[row for (row,) in dead]] = False
        return np.flatnonzero(alive)

    def select(self, item_ids: Iterable[str]) -> None:
        """Select items, on disk, for ``selected_rows``."""
        with transaction(self._connection):
            self._connection.execute("DELETE FROM chosen")
            self._connection.executemany(
                "INSERT OR IGNORE INTO chosen SELECT shard, row FROM items WHERE item_id = ?",
                ((item_id,) for item_id in item_ids),
            )

    def select_partition(self, value: str) -> None:
        """Select the items of one partition, for ``selected_rows``."""
        with transaction(self._connection):
            self._connection.execute("DELETE FROM chosen")
            self._connection.execute(
                "INSERT INTO chosen SELECT shard, row FROM items WHERE item_id IN "
                "(SELECT item_id FROM partitions WHERE value = ?)",
                (value,),
            )

    def selected_rows(self, number: int) -> npt.NDArray[np.int64]:
        """Row numbers of a shard that ``select`` selected, in order."""
        rows = self._connection.execute(
            "SELECT row FROM chosen WHERE shard = ? ORDER BY row", (number,)
        )
        return np.array([row for (row,) in rows], dtype=np.int64)

    def item_ids(self) -> Iterator[str]:
        """Every id in the catalog, sorted; streams."""
        for (item_id,) in self._connection.execute("SELECT item_id FROM items ORDER BY item_id"):
            yield item_id

    def neighbours(self, item_id: str, count: int) -> list[str]:
        """The ids of rows before and after an id in their order, so many of each."""
        preceding = self._connection.execute(
            "SELECT item_id FROM items WHERE item_id < ? ORDER BY item_id DESC LIMIT ?",
            (item_id, count),
        ).fetchall()
        following = self._connection.execute(
            "SELECT item_id FROM items WHERE item_id > ? ORDER BY item_id LIMIT ?", (item_id, count)
        ).fetchall()
        return [row_id for (row_id,) in [*preceding, *following]]

    def _partitions_of(self, table: pa.Table) -> list[str]:
        if not self._partition_key:
            return [""] * table.num_rows
        metadata = table.column("metadata_json").to_pylist()
        removed = table.column("removed").to_pylist()
        return [
            "" if is_removed else partition_of(text, self._partition_key)
            for text, is_removed in zip(metadata, removed, strict=True)
        ]

    def _add_missing_shards(self, on_missing: Callable[[Ledger, int], None]) -> None:
        """Index shards that are on disk only, as after a crash between the two steps."""
        indexed = {number for (number,) in self._connection.execute("SELECT number FROM shards")}
        on_disk = self._archive.shards()
        if lost := indexed.difference(on_disk):
            _log.warning(
                "%d shards are missing from the archive: reading all of it again.", len(lost)
            )
            self._clear()
            indexed = set()
        for number in on_disk:
            if number not in indexed:
                on_missing(self, number)
                self.add(number)

    def _clear(self) -> None:
        """Delete all that is derived: rows that a lost shard replaced are current again."""
        with transaction(self._connection):
            for table in _DERIVED:
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
            self._connection.execute("UPDATE totals SET value = 0 WHERE name = 'items'")

    def _places(self, column: str, values: Sequence[str]) -> dict[str, Place]:
        query = f"SELECT {column}, content_hash, row_hash, shard, row FROM items"  # noqa: S608 - columns are literals of this class
        rows = select_in(self._connection, query, column, values)
        return {
            value: Place(content_hash=content_hash, row_hash=row_hash, shard=shard, row=row)
            for value, content_hash, row_hash, shard, row in rows
        }


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file, checked and with the columns of this version."""
    connection = connect(path, _SCHEMA, table="shards")
    try:
        if path.stat().st_size <= _CHECKED_BYTES:
            (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if result != "ok":
                raise sqlite3.DatabaseError(result)
        columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(stored)")}
        if "version" not in columns:  # a file from before collections had versions
            connection.execute("ALTER TABLE stored ADD COLUMN version INTEGER NOT NULL DEFAULT 0")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
