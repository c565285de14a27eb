"""Large loads into a server: Parquet files that it imports, instead of rows on the wire.

Milvus, "Import data" (https://milvus.io/docs/import-data.md). The server reads the files
itself, so they lie where it can: in its own bucket, or in a folder that it shares with us.

An import is an insert: a key that exists already would exist twice. So the rows' keys are
deleted before the import, after waiting for imports that an interrupted call left running, and
the count is compared afterwards (``count(*)``; ``row_count`` is wrong until compaction).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from indexer.core.errors import ConfigError, StoreError, StoreUnavailableError
from indexer.core.object_stores import in_words
from indexer.store.checks import Row
from indexer.store.connection import LONG_TIMEOUT_S

if TYPE_CHECKING:
    import pyarrow as pa

    from indexer.store.collection import Collection

BULK_ROWS = 50_000
"""Loads below it are upserted: an import has a start-up of seconds."""

ROWS_A_FILE = 65_536
"""134 MB of vectors of width 512; after an interruption, so much is written again."""

FAILED = (1, 7)
"""States of an import: failed, and failed and cleaned up."""

ENDED = (*FAILED, 5, 6)
"""5 is persisted, 6 completed; in between the server builds the index."""

# Imports take seconds to minutes.
POLL_S = 0.5
VISIBLE_S = 600.0

_log = logging.getLogger(__name__)


class Staging:
    """Where files lie for a server to import.

    Args:
        address: a folder that both sides see under the same path, or an fsspec address in
            the server's own bucket, such as ``s3://a-bucket/staging``.

    Raises:
        ConfigError: the address can't be opened.
    """

    def __init__(self, address: str) -> None:
        import fsspec

        try:
            with in_words(address):
                self._system, self._root = fsspec.url_to_fs(address)
                self._system.makedirs(self._root, exist_ok=True)
        except (ImportError, ValueError, OSError) as error:
            raise ConfigError(
                f"staging {address!r} can't be opened: {error}; give a folder that the server "
                "sees too, or an address in its bucket such as s3://BUCKET/staging"
            ) from error
        self._is_local = "file" in np.atleast_1d(self._system.protocol)

    @contextmanager
    def file(self, table: pa.Table) -> Iterator[str]:
        """A Parquet file while the block runs; yields its path as the server names it."""
        import pyarrow.parquet as pq

        path = f"{self._root.rstrip('/')}/zeroshelf-{uuid4().hex}.parquet"
        try:
            with self._system.open(path, "wb") as stream:
                pq.write_table(table, stream, compression="zstd", use_dictionary=False)
            yield self.server_path(path)
        finally:
            if self._system.exists(path):
                self._system.rm(path)

    def server_path(self, path: str) -> str:
        """The server's name of a file: the whole path, or the path within the bucket."""
        return path if self._is_local else path.lstrip("/").partition("/")[2]


def import_rows(collection: Collection, rows: Sequence[Row], staging: Staging) -> None:
    """Let the server import checked rows, replacing those of the same key.

    Rows that it can't import are upserted, with a warning.

    Args:
        rows: of different keys.

    Raises:
        StoreUnavailableError: the server is away.
        StoreError: the rows did not become visible, or the server failed.
    """
    # Rows of a fresh import may not be counted yet, so a count of 0 alone proves nothing.
    if wait_for_imports(collection) or collection.count_now():
        collection.delete_keys([row["key"] for row in rows])
    previous_rows = collection.count_now()
    try:
        _import(collection, as_table(rows), staging)
    except StoreUnavailableError:
        raise
    except StoreError as error:
        _log.warning("%s: upserting %d rows instead", error, len(rows))
        collection.upsert(rows)
        return
    _await_count(collection, previous_rows + len(rows))


def wait_for_imports(collection: Collection) -> bool:
    """Wait for imports that are still running, of a call that was interrupted.

    Returns:
        Whether the server remembers imports to this collection, which it does for a day.

    Raises:
        StoreUnavailableError: an import runs for an hour, or the server is away.
    """
    connection = collection.connection
    # MilvusClient has no call for imports, its handler has.
    handler = connection.client._get_connection()
    until = time.monotonic() + LONG_TIMEOUT_S
    while time.monotonic() < until:
        with connection.translate_errors(f"looking for imports to {collection.name}"):
            jobs = handler.list_bulk_insert_tasks(0, collection.name, timeout=connection.timeout_s)
        if all(job.state in ENDED for job in jobs):
            return bool(jobs)
        time.sleep(POLL_S)
    raise StoreUnavailableError(f"an import to {collection.name} is still running; try again later")


def _import(collection: Collection, table: pa.Table, staging: Staging) -> None:
    """Import a table, and wait until it is persisted; all of its rows are there then, or none."""
    connection, name = collection.connection, collection.name
    handler = connection.client._get_connection()
    with staging.file(table) as path, connection.translate_errors(f"importing to {name}"):
        job = handler.do_bulk_insert(name, "", [path], timeout=connection.timeout_s)
        state = handler.get_bulk_insert_state(job, timeout=connection.timeout_s)
        while state.state not in ENDED:
            time.sleep(POLL_S)
            state = handler.get_bulk_insert_state(job, timeout=connection.timeout_s)
        if state.state in FAILED:
            raise StoreError(
                f"importing {path} to {name} failed: {state.failed_reason}; the server must be "
                "able to read it there"
            )


def _await_count(collection: Collection, expected: int) -> None:
    """Wait until imported rows can be searched; the server loads them after the import."""
    until = time.monotonic() + VISIBLE_S
    while (visible_rows := collection.count_now()) != expected:
        if time.monotonic() > until:
            raise StoreError(
                f"{collection.name} shows {visible_rows:,} rows and should have {expected:,} after "
                "an import; run the same command again: it replaces what was imported"
            )
        time.sleep(POLL_S)


def as_table(rows: Sequence[Row]) -> pa.Table:
    """Rows as Milvus' import wants them: a column a field, JSON as text, vectors as lists.

    Vectors of float16 are lists of their bytes ("Prepare Source Data", Milvus' documentation).
    """
    import pyarrow as pa

    return pa.table({name: _column([row[name] for row in rows]) for name in rows[0]})


def _column(values: Sequence[Any]) -> Any:
    import pyarrow as pa

    sample = values[0]
    if isinstance(sample, np.ndarray):
        block = np.stack(values)
        if block.dtype == np.float16:
            block = block.view(np.uint8)
        ends = np.arange(0, block.size + 1, block.shape[1], dtype=np.int32)
        return pa.ListArray.from_arrays(pa.array(ends), pa.array(block.ravel()))
    if isinstance(sample, dict):
        return pa.array([json.dumps(value, ensure_ascii=False) for value in values], pa.string())
    if isinstance(sample, float):
        return pa.array(values, pa.float32())
    return pa.array(values)
