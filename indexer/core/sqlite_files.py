"""SQLite files of this package: opened with their tables, written in transactions."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from indexer.core.chunks import in_chunks
from indexer.core.errors import CatalogError

# SQLite before 3.32 takes 999 values in one query.
VALUES_PER_QUERY = 500
# Another process that writes holds the file for its transaction; the default is 5 s.
BUSY_TIMEOUT_S = 60.0
# The files can be derived again, so losing the last transactions in a crash is cheap.
SYNCHRONOUS = "NORMAL"

_log = logging.getLogger(__name__)


def connect(path: Path, schema: str, *, table: str) -> sqlite3.Connection:
    """Open a file, made if missing; the caller begins its transactions.

    Args:
        schema: statements that create the tables.
        table: read once, so that a damaged file fails here.

    Raises:
        sqlite3.Error: the file is damaged, or can't be opened.
    """
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        # First, or making the file would wait for the disk as often as SQLite does by default.
        connection.executescript(
            f"PRAGMA synchronous={SYNCHRONOUS}; PRAGMA journal_mode=WAL; {schema}"
        )
        connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our own names
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def open_or_renew(
    path: Path,
    connect: Callable[[Path], sqlite3.Connection],
    *,
    noun: str,
    loss: str,
    remedy: str = "Check the folder's permissions and free space.",
) -> sqlite3.Connection:
    """Open a file that a catalog can do without: a damaged one is told, and begun again.

    Args:
        connect: opens the file, and raises ``sqlite3.Error`` where it can't.
        noun: what the file is, for messages.
        loss: what a damaged file costs, for the warning.
        remedy: for a file that can't be opened.

    Raises:
        CatalogError: it can't be opened: no permission, no space, or another process writes. The
            file stays as it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return connect(path)
    # A kind of DatabaseError, and not of damage.
    except sqlite3.OperationalError as error:
        raise CatalogError(f"{noun} {str(path)!r} can't be opened: {error}. {remedy}") from error
    except sqlite3.DatabaseError as error:
        _log.warning("%s %r is damaged (%s): %s", noun, str(path), error, loss)
        delete_files(path)
        return connect(path)


def delete_files(path: Path) -> None:
    """Delete a file with its journals."""
    for file in path.parent.glob(path.name + "*"):
        file.unlink()


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write all that the block does, or nothing.

    The lock is taken at once: a transaction that begins by reading fails when another process
    writes in between.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def number_of(connection: sqlite3.Connection, query: str, *values: int | str) -> int:
    """The one whole number that a query gives."""
    (number,) = connection.execute(query, values).fetchone()
    return int(number)


def select_in(
    connection: sqlite3.Connection, query: str, column: str, values: Sequence[str | bytes]
) -> Iterator[tuple[Any, ...]]:
    """Rows of a query whose column is one of the values.

    Many values go into one call: SQLite releases the interpreter at each call, and has to wait
    for it while another thread computes.
    """
    for chunk in in_chunks(values, VALUES_PER_QUERY):
        marks = ",".join("?" * len(chunk))
        yield from connection.execute(f"{query} WHERE {column} IN ({marks})", chunk)
