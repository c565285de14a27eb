"""Which source an item came from last, and in which run: what tells that it is there no more.

The file is a catalog's own, whatever its generation. To lose it loses no item: what no run has
seen since is of no known source, and is never counted as absent.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
CREATE TABLE IF NOT EXISTS sources (
    number INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, shown TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS origins (
    item_id TEXT PRIMARY KEY, source INTEGER NOT NULL, first INTEGER NOT NULL,
    run INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY);
"""
_VALUES_A_QUERY = 500
_BUSY_TIMEOUT_S = 60.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A source by its number, and by what it is called in messages."""

    number: int
    shown: str


class Origins:
    """The sources of one catalog's items.

    Args:
        path: the SQLite file; made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = _connect(path)
        except sqlite3.DatabaseError as error:
            _log.warning(
                "%r is damaged (%s) and begun anew: items that no ingest has met since are of no "
                "known source, and --sync leaves them in.",
                str(path),
                error,
            )
            for file in path.parent.glob(path.name + "*"):
                file.unlink()
            self._connection = _connect(path)

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def new_run(self) -> int:
        """The number of a run that begins now, higher than all before."""
        cursor = self._connection.execute("INSERT INTO runs DEFAULT VALUES")
        run = int(cursor.lastrowid or 0)
        self._connection.execute("DELETE FROM runs WHERE number < ?", (run,))
        return run

    def source(self, name: str, *, shown: str) -> KnownSource:
        """The source of a name; it is known from here on.

        Args:
            name: what identifies it; only a hash of it is kept, as addresses may hold secrets.
            shown: what messages call it.
        """
        digest = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
        self._connection.execute(
            "INSERT INTO sources (digest, shown) VALUES (?, ?) "
            "ON CONFLICT (digest) DO UPDATE SET shown = excluded.shown",
            (digest, shown),
        )
        found = self._connection.execute(
            "SELECT number FROM sources WHERE digest = ?", (digest,)
        ).fetchone()
        return KnownSource(int(found[0]), shown)

    def meet(self, item_ids: Sequence[str], source: int, run: int) -> set[int]:
        """Remember that a run has met items in a source.

        Returns:
            Numbers of the sources that they were of before this run.
        """
        before: set[int] = set()
        for some in _parts(item_ids):
            marks = ",".join("?" * len(some))
            rows = self._connection.execute(
                f"SELECT DISTINCT source FROM origins WHERE item_id IN ({marks}) AND run < ?",  # noqa: S608 - marks only
                (*some, run),
            )
            before.update(number for (number,) in rows)
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT INTO origins VALUES (:id, :source, :run, :run) ON CONFLICT (item_id) DO UPDATE "
            "SET source = excluded.source, run = excluded.run WHERE run < excluded.run",
            ({"id": item_id, "source": source, "run": run} for item_id in item_ids),
        )
        self._connection.execute("COMMIT")
        return before

    def shown(self, number: int) -> str:
        """What messages call a source."""
        found = self._connection.execute(
            "SELECT shown FROM sources WHERE number = ?", (number,)
        ).fetchone()
        return str(found[0]) if found else ""

    def unmet(self, source: int, run: int) -> dict[str, int]:
        """A source's items that a run has not met, sorted, with the run that last met each."""
        rows = self._connection.execute(
            "SELECT item_id, run FROM origins WHERE source = ? AND run < ? ORDER BY item_id",
            (source, run),
        )
        return dict(rows.fetchall())

    def known_at(self, sources: Sequence[int], run: int) -> int:
        """How many of the items of some sources a run, or one before it, had met."""
        marks = ",".join("?" * len(sources))
        found = self._connection.execute(
            f"SELECT count(*) FROM origins WHERE source IN ({marks}) AND first <= ?",  # noqa: S608 - marks only
            (*sources, run),
        ).fetchone()
        return int(found[0])

    def forget(self, item_ids: Iterable[str]) -> None:
        """Forget where items came from."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "DELETE FROM origins WHERE item_id = ?", ((item_id,) for item_id in item_ids)
        )
        self._connection.execute("COMMIT")


def _connect(path: Path) -> sqlite3.Connection:
    """Open the file with its tables; transactions are ours to begin."""
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.executescript(_SCHEMA)
        connection.execute("SELECT count(*) FROM sources").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _VALUES_A_QUERY):
        yield values[start : start + _VALUES_A_QUERY]
