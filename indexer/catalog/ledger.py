"""What the archive holds, by id and by content: SQLite, derived from the shards.

The archive is the record; the ledger is its index, small enough to ask for each
item: is this id here with this content, is this content here under another id,
which rows of a shard still count, which shards has which database. It may be lost or
damaged: opening it reads what is missing from the shards. Several processes may have
it open: a search reads it while an ingestion writes.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from indexer.catalog.archive import Archive
from indexer.core.errors import CatalogError
from indexer.core.partitions import partition_of

if TYPE_CHECKING:
    import pyarrow as pa

_SCHEMA = """
CREATE TABLE IF NOT EXISTS shards (
    number INTEGER PRIMARY KEY, rows INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS stored (
    shard INTEGER NOT NULL, collection TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (shard, collection)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
    collection TEXT PRIMARY KEY, newest INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
    item_id TEXT PRIMARY KEY, content_hash TEXT NOT NULL, row_hash TEXT NOT NULL,
    shard INTEGER NOT NULL, row INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_by_content ON items (content_hash);
CREATE TABLE IF NOT EXISTS superseded (
    shard INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (shard, row)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partitions (
    item_id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_by_partition ON partitions (value);
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
_VALUES_A_QUERY = 500
_COLUMNS = ("item_id", "content_hash", "row_hash", "removed")
_DERIVED = ("shards", "items", "superseded", "stored", "versions", "partitions")
_UNSTORED = "FROM shards WHERE number NOT IN (SELECT shard FROM stored WHERE collection = ?)"
_BUSY_TIMEOUT_S = 60.0
_CHECKED_BYTES = 64 * 2**20
"""Up to it a ledger is looked through when it is opened: some tenths of a second at most."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an item's newest row lies, and what it was made of."""

    content_hash: str
    row_hash: str
    shard: int
    row: int


class Ledger:
    """The index of one catalog's archive.

    Args:
        path: the SQLite file; made, and filled from the archive, when it is not there.
        archive: the shards it is the index of.
        partition_key: column of the metadata that the catalog is divided by; empty for none.
    """

    def __init__(self, path: Path, archive: Archive, *, partition_key: str = "") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._archive = archive
        self._partition_key = partition_key
        self._collection = ""
        try:
            self._connection = _connect(path)
        except sqlite3.OperationalError as error:
            raise CatalogError(
                f"ledger {str(path)!r} can't be opened: {error}. Check the folder's permissions "
                "and free space."
            ) from error
        except sqlite3.DatabaseError as error:
            _log.warning("ledger %r is damaged (%s): reading the archive again.", str(path), error)
            for file in path.parent.glob(path.name + "*"):
                file.unlink()
            self._connection = _connect(path)
        self._catch_up()

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def find(self, item_ids: Sequence[str]) -> dict[str, Place]:
        """The newest rows of ids; those that are not in the catalog are left out."""
        return self._places("item_id", item_ids)

    def find_contents(self, content_hashes: Sequence[str]) -> dict[str, Place]:
        """Some row for each content that is in the catalog, whatever its id."""
        return self._places("content_hash", content_hashes)

    def first_sights(self, item_ids: Sequence[str]) -> set[str]:
        """Those of the ids that this run meets for the first time; remembered on disk."""
        known = {item_id for (item_id,) in self._among("SELECT item_id FROM seen", item_ids)}
        fresh = set(item_ids) - known
        self._connection.executemany("INSERT INTO seen VALUES (?)", ((one,) for one in fresh))
        return fresh

    def count(self) -> int:
        """Items in the catalog."""
        return int(self._one("SELECT value FROM totals WHERE name = 'items'"))

    def follow(self, collection: str) -> None:
        """From here on tell, and remember, what this collection has.

        A catalog may lie in several databases at a time, and each lacks other shards. The
        collection is named by what it carries itself, not by an address: the same server has
        several addresses, and a collection that is made anew has nothing.
        """
        self._collection = collection

    def unstored_shards(self) -> list[int]:
        """Shards that the database may not have, oldest first."""
        rows = self._connection.execute(
            f"SELECT number {_UNSTORED} ORDER BY number",
            (self._collection,),
        )
        return [number for (number,) in rows]

    def unstored_count(self) -> int:
        """Rows in the shards that the database may not have."""
        return int(self._one(f"SELECT coalesce(sum(rows), 0) {_UNSTORED}", self._collection))

    def begin_version(self, found: int) -> int:
        """The version that the collection is about to get: above all that it ever had.

        It is remembered before the collection carries it, so that a collection whose version
        is above ``newest_version`` was written by another ledger.

        Args:
            found: the version that the collection carries now.
        """
        version = max(found, self.newest_version()) + 1
        with self._transaction():
            self._connection.execute(
                "INSERT OR REPLACE INTO versions VALUES (?, ?)", (self._collection, version)
            )
        return version

    def newest_version(self) -> int:
        """The newest version that the collection may carry; 0 where it never got one."""
        return self._one(
            "SELECT coalesce(max(newest), 0) FROM versions WHERE collection = ?", self._collection
        )

    def mark_stored(self, shards: Iterable[int], version: int = 0) -> None:
        """Remember that the database has these shards.

        Args:
            version: of the collection, from which on it has them.
        """
        with self._transaction():
            self._connection.executemany(
                "INSERT OR REPLACE INTO stored VALUES (?, ?, ?)",
                [(number, self._collection, version) for number in shards],
            )

    def lost_count(self, version: int) -> int:
        """Rows in the shards that the collection lacks when it is back at an older version."""
        return self._one(
            "SELECT coalesce(sum(rows), 0) FROM shards JOIN stored ON number = shard "
            "WHERE collection = ? AND version > ?",
            self._collection,
            version,
        )

    def mark_lost(self, version: int) -> None:
        """Let those shards wait to be stored again."""
        with self._transaction():
            self._connection.execute(
                "DELETE FROM stored WHERE collection = ? AND version > ?",
                (self._collection, version),
            )

    def mark_unstored(self, shards: Iterable[int]) -> None:
        """Remember that no database has these shards as they are now."""
        with self._transaction():
            self._connection.executemany(
                "DELETE FROM stored WHERE shard = ?", [(number,) for number in shards]
            )

    def add(self, number: int) -> None:
        """Take a shard's rows in, once; one transaction: a shard is in whole or not at all."""
        columns = [*_COLUMNS, *["metadata_json"] * bool(self._partition_key)]
        table = self._archive.table(number, columns)
        rows = zip(*(table.column(name).to_pylist() for name in _COLUMNS), strict=True)
        partitions = self._partitions_of(table)
        execute = self._connection.execute
        with self._transaction():
            if self._one("SELECT count(*) FROM shards WHERE number = ?", number):
                return  # another process that opened the ledger meanwhile has read the shard
            execute("DELETE FROM incoming")
            self._connection.executemany(
                "INSERT INTO incoming VALUES (?, ?, ?, ?, ?, ?)",
                (
                    (row, *values, partition)
                    for row, (values, partition) in enumerate(zip(rows, partitions, strict=True))
                ),
            )
            execute(
                "INSERT OR IGNORE INTO superseded SELECT shard, row FROM items "
                "WHERE item_id IN (SELECT item_id FROM incoming)"
            )
            execute(
                "INSERT OR IGNORE INTO superseded SELECT ?, row FROM incoming WHERE removed "
                "OR row < (SELECT max(row) FROM incoming AS i WHERE i.item_id = incoming.item_id)",
                (number,),
            )
            gone = execute("DELETE FROM items WHERE item_id IN (SELECT item_id FROM incoming)")
            came = execute(
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
            execute(
                "UPDATE totals SET value = value + ? WHERE name = 'items'",
                (came.rowcount - gone.rowcount,),
            )
            execute("INSERT INTO shards (number, rows) VALUES (?, ?)", (number, table.num_rows))

    def shards(self) -> list[int]:
        """Numbers of the shards that the ledger knows, oldest first.

        A reader goes by these: one that another process has just written is on disk, and its
        rows are not here yet.
        """
        rows = self._connection.execute("SELECT number FROM shards ORDER BY number")
        return [number for (number,) in rows]

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """See one state of the ledger throughout the block, whatever others write meanwhile."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def items_of(self, number: int) -> list[str]:
        """Ids of the items whose newest row is in a shard."""
        rows = self._connection.execute(
            "SELECT item_id FROM items WHERE shard = ? ORDER BY row", (number,)
        )
        return [item_id for (item_id,) in rows]

    def live_rows(self, number: int) -> npt.NDArray[np.int64]:
        """Row numbers of a shard that are the newest of their id and not removals, in order."""
        total = self._one("SELECT rows FROM shards WHERE number = ?", number)
        dead = self._connection.execute("SELECT row FROM superseded WHERE shard = ?", (number,))
        alive = np.ones(int(total), dtype=bool)
        alive[[row for (row,) in dead]] = False
        return np.flatnonzero(alive)

    def choose(self, item_ids: Iterable[str]) -> None:
        """Remember a selection of items, on disk, for ``chosen_rows``."""
        with self._transaction():
            self._connection.execute("DELETE FROM chosen")
            self._connection.executemany(
                "INSERT OR IGNORE INTO chosen SELECT shard, row FROM items WHERE item_id = ?",
                ((item_id,) for item_id in item_ids),
            )

    def choose_partition(self, value: str) -> None:
        """Select the items of one partition, for ``chosen_rows``."""
        with self._transaction():
            self._connection.execute("DELETE FROM chosen")
            self._connection.execute(
                "INSERT INTO chosen SELECT shard, row FROM items WHERE item_id IN "
                "(SELECT item_id FROM partitions WHERE value = ?)",
                (value,),
            )

    def partition_count(self, value: str) -> int:
        """Items of one partition."""
        return self._one("SELECT count(*) FROM partitions WHERE value = ?", value)

    def among_partition(self, item_ids: Sequence[str], value: str) -> set[str]:
        """Those of the ids that belong to one partition."""
        rows = self._among("SELECT item_id, value FROM partitions", item_ids)
        return {item_id for item_id, found in rows if found == value}

    def partitions(self) -> dict[str, int]:
        """How many items each partition has, the largest first."""
        rows = self._connection.execute(
            "SELECT value, count(*) FROM partitions GROUP BY value ORDER BY count(*) DESC, value"
        )
        return dict(rows.fetchall())

    def chosen_rows(self, number: int) -> npt.NDArray[np.int64]:
        """Row numbers of a shard that ``choose`` selected, in order."""
        rows = self._connection.execute(
            "SELECT row FROM chosen WHERE shard = ? ORDER BY row", (number,)
        )
        return np.array([row for (row,) in rows], dtype=np.int64)

    def item_ids(self) -> Iterator[str]:
        """Every id in the catalog, sorted; streams."""
        for (item_id,) in self._connection.execute("SELECT item_id FROM items ORDER BY item_id"):
            yield item_id

    def _partitions_of(self, table: pa.Table) -> list[str]:
        if not self._partition_key:
            return [""] * table.num_rows
        metadata = table.column("metadata_json").to_pylist()
        removed = table.column("removed").to_pylist()
        return [
            "" if gone else partition_of(text, self._partition_key)
            for text, gone in zip(metadata, removed, strict=True)
        ]

    def _catch_up(self) -> None:
        """Take in shards that are on disk and not yet here: a crash came between the two."""
        known = {number for (number,) in self._connection.execute("SELECT number FROM shards")}
        found = self._archive.shards()
        if lost := known.difference(found):
            _log.warning("%d shards are gone from the archive: reading all of it again.", len(lost))
            self._forget_all()
            known = set()
        for number in found:
            if number not in known:
                self.add(number)

    def _forget_all(self) -> None:
        """Rows that lost shards replaced count again, so nothing derived can be kept."""
        with self._transaction():
            for table in _DERIVED:
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
            self._connection.execute("UPDATE totals SET value = 0 WHERE name = 'items'")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """Write all that the block does, or nothing.

        The lock is taken at once: a transaction that begins by reading fails when
        another process writes in between.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _places(self, column: str, values: Sequence[str]) -> dict[str, Place]:
        query = f"SELECT {column}, content_hash, row_hash, shard, row FROM items"  # noqa: S608 - columns are literals of this class
        return {
            value: Place(content_hash=content_hash, row_hash=row_hash, shard=shard, row=row)
            for value, content_hash, row_hash, shard, row in self._among(query, values, column)
        }

    def _among(
        self, query: str, values: Sequence[str], column: str = "item_id"
    ) -> Iterator[tuple[Any, ...]]:
        """Rows of a query whose column is one of the values.

        Many values to a call: SQLite gives up the interpreter at each call, and has to
        wait for it while another thread computes.
        """
        for start in range(0, len(values), _VALUES_A_QUERY):
            some = values[start : start + _VALUES_A_QUERY]
            marks = ",".join("?" * len(some))
            yield from self._connection.execute(f"{query} WHERE {column} IN ({marks})", some)

    def _one(self, query: str, *values: int | str) -> int:
        (found,) = self._connection.execute(query, values).fetchone()
        return int(found)


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file with its tables; transactions are ours to begin."""
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        # The shards hold the truth, so losing the last transactions costs only a second reading.
        connection.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=FILE;" + _SCHEMA
        )
        connection.execute("SELECT count(*) FROM shards").fetchone()
        if path.stat().st_size <= _CHECKED_BYTES:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
        columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(stored)")}
        if "version" not in columns:  # made before collections had versions
            connection.execute("ALTER TABLE stored ADD COLUMN version INTEGER NOT NULL DEFAULT 0")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
