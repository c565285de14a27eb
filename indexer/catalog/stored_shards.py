"""Which shards of the archive a collection of the database has; a part of the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from indexer.core.sqlite_files import number_of, transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS stored (
    shard INTEGER NOT NULL, collection TEXT NOT NULL, version INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (shard, collection)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
    collection TEXT PRIMARY KEY, newest INTEGER NOT NULL) WITHOUT ROWID;
"""
_UNSTORED = "FROM shards WHERE number NOT IN (SELECT shard FROM stored WHERE collection = ?)"


class StoredShards:
    """The shards that collections have, in the ledger's file.

    Args:
        connection: of the ledger.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._collection = ""

    def track(self, collection: str) -> None:
        """From here on, read and record which shards this collection has.

        A catalog may be in several databases, and each may lack other shards. The collection is
        identified by the id that it carries, not by an address: a server can have several
        addresses, and a collection that was made again is empty.
        """
        self._collection = collection

    def missing(self) -> list[int]:
        """Shards that the database may not have, oldest first."""
        rows = self._connection.execute(
            f"SELECT number {_UNSTORED} ORDER BY number",
            (self._collection,),
        )
        return [number for (number,) in rows]

    def missing_rows(self) -> int:
        """Rows in the shards that the database may not have."""
        return number_of(
            self._connection, f"SELECT coalesce(sum(rows), 0) {_UNSTORED}", self._collection
        )

    def begin_version(self, stored_version: int) -> int:
        """The next version of the collection, above all that it ever had.

        It is recorded before the collection carries it, so a collection with a version above
        ``newest_version`` was written by another ledger.

        Args:
            stored_version: the version that the collection carries now.
        """
        # The collection's own may be higher: a ledger that was lost has forgotten its versions.
        version = max(stored_version, self.newest_version()) + 1
        with transaction(self._connection):
            self._connection.execute(
                "INSERT OR REPLACE INTO versions VALUES (?, ?)", (self._collection, version)
            )
        return version

    def newest_version(self) -> int:
        """The newest version that the collection may carry; 0 where it never got one."""
        return number_of(
            self._connection,
            "SELECT coalesce(max(newest), 0) FROM versions WHERE collection = ?",
            self._collection,
        )

    def mark(self, shards: Iterable[int], version: int = 0) -> None:
        """Record that the database has these shards.

        Args:
            version: of the collection, from which on it has them.
        """
        with transaction(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO stored VALUES (?, ?, ?)",
                [(number, self._collection, version) for number in shards],
            )

    def lost_rows(self, version: int) -> int:
        """Rows of shards that the collection got after this version of it."""
        return number_of(
            self._connection,
            "SELECT coalesce(sum(rows), 0) FROM shards JOIN stored ON number = shard "
            "WHERE collection = ? AND version > ?",
            self._collection,
            version,
        )

    def mark_lost(self, version: int) -> None:
        """Record that the collection lacks the shards that it got after this version."""
        with transaction(self._connection):
            self._connection.execute(
                "DELETE FROM stored WHERE collection = ? AND version > ?",
                (self._collection, version),
            )

    def unmark(self, shards: Iterable[int]) -> None:
        """Record that no database has the current state of these shards."""
        with transaction(self._connection):
            self._connection.executemany(
                "DELETE FROM stored WHERE shard = ?", [(number,) for number in shards]
            )
