"""The source and the run that each item came from last; a sync finds deleted items with it.

All generations of a catalog share the file. Losing it loses no item: an item that no run has met
since has no known source, and never counts as deleted.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from indexer.core.chunks import in_chunks
from indexer.core.sqlite_files import (
    VALUES_PER_QUERY,
    connect,
    number_of,
    open_or_renew,
    transaction,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sources (
    number INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, shown TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS origins (
    item_id TEXT PRIMARY KEY, source INTEGER NOT NULL, first INTEGER NOT NULL,
    run INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY);
"""


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A source's number, and its name in messages."""

    number: int
    shown: str


class Origins:
    """The sources of one catalog's items.

    Args:
        path: the SQLite file; made when it is not there.

    Raises:
        CatalogError: the file can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self._connection = open_or_renew(
            path,
            partial(connect, schema=_SCHEMA, table="sources"),
            noun="the record of sources",
            loss="it is begun again. Items that no ingest has met since are of no known source, "
            "and --sync leaves them in.",
        )

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def new_run(self) -> int:
        """The number of a run that begins now, higher than all before."""
        cursor = self._connection.execute("INSERT INTO runs DEFAULT VALUES")
        run = int(cursor.lastrowid or 0)
        # One row is enough for the next number to be higher.
        self._connection.execute("DELETE FROM runs WHERE number < ?", (run,))
        return run

    def source(self, name: str, *, shown: str) -> KnownSource:
        """The source of a name; recorded if it is new.

        Args:
            name: identifies it; only its hash is stored, since addresses may hold secrets.
            shown: its name in messages.
        """
        digest = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
        self._connection.execute(
            "INSERT INTO sources (digest, shown) VALUES (?, ?) "
            "ON CONFLICT (digest) DO UPDATE SET shown = excluded.shown",
            (digest, shown),
        )
        query = "SELECT number FROM sources WHERE digest = ?"
        return KnownSource(number_of(self._connection, query, digest), shown)

    def record(self, item_ids: Sequence[str], source: int, run: int) -> Counter[int]:
        """Record that a run has met items in a source.

        Returns:
            How many came from which source before this run, by its number.
        """
        previous_sources = Counter(self.before(item_ids, run).values())
        with transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO origins VALUES (:id, :source, :run, :run) "
                "ON CONFLICT (item_id) DO UPDATE "
                "SET source = excluded.source, run = excluded.run WHERE run < excluded.run",
                ({"id": item_id, "source": source, "run": run} for item_id in item_ids),
            )
        return previous_sources

    def before(self, item_ids: Sequence[str], run: int) -> dict[str, int]:
        """The numbers of the sources that items came from before a run; of those that are known."""
        previous_sources: dict[str, int] = {}
        for chunk in in_chunks(item_ids, VALUES_PER_QUERY):
            marks = ",".join("?" * len(chunk))
            rows = self._connection.execute(
                f"SELECT item_id, source FROM origins WHERE item_id IN ({marks}) AND run < ?",  # noqa: S608 - marks only
                (*chunk, run),
            )
            previous_sources.update(rows.fetchall())
        return previous_sources

    def shown(self, number: int) -> str:
        """A source's name in messages; empty for an unknown one."""
        row = self._connection.execute(
            "SELECT shown FROM sources WHERE number = ?", (number,)
        ).fetchone()
        return str(row[0]) if row else ""

    def missing_items(self, source: int, run: int) -> dict[str, int]:
        """A source's items that a run has not met, sorted, with the run that last met each."""
        rows = self._connection.execute(
            "SELECT item_id, run FROM origins WHERE source = ? AND run < ? ORDER BY item_id",
            (source, run),
        )
        return dict(rows.fetchall())

    def count_at(self, sources: Sequence[int], run: int) -> int:
        """Number of items of some sources that a run, or an earlier one, had met."""
        marks = ",".join("?" * len(sources))
        query = f"SELECT count(*) FROM origins WHERE source IN ({marks}) AND first <= ?"  # noqa: S608 - marks only
        return number_of(self._connection, query, *sources, run)

    def forget(self, item_ids: Iterable[str]) -> None:
        """Forget where items came from."""
        with transaction(self._connection):
            self._connection.executemany(
                "DELETE FROM origins WHERE item_id = ?", ((item_id,) for item_id in item_ids)
            )
