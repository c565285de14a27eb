"""Feeds the database from the archive's shards, in a thread of its own.

The archive is the record, so the database may be away for a while, or for good: a shard stays
on disk until the database has acknowledged it, and upserting it twice does no harm.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from indexer.catalog.archive import Archive, Removal
from indexer.catalog.ledger import Ledger
from indexer.core.chunks import in_chunks
from indexer.core.errors import StoreError, ZeroshelfError
from indexer.core.protocols import Decision, ItemStore
from indexer.core.records import EmbeddedItem
from indexer.core.retries import deadline, patiently
from indexer.core.watch import Watch

FLUSH_ROWS = 20_000
"""Rows between flushes: each one seals a segment, and unflushed rows search slowly."""

ROWS_A_CALL = 2_048
"""Rows that the store gets at a time: its checks copy them to float64, which for a whole shard
would take more memory than the rest of the job."""

Decisions = Callable[[int], Sequence[Decision | None] | None]
"""Labels of a shard's rows, in row order; None where it was never categorized."""


class StoreWriter:
    """Writes finished shards to the ``items`` collection, in a thread of its own.

    Args:
        decisions: decisions on a shard's rows, where it was categorized.
        on_rows: called in the thread with the number of rows written.
    """

    def __init__(
        self,
        archive: Archive,
        store: ItemStore,
        *,
        decisions: Decisions = lambda _: None,
        on_rows: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._archive = archive
        self._store = store
        self._decisions = decisions
        self._on_rows = on_rows
        # Unbounded, since it holds numbers only: many shards wait while the database is away.
        self._shards: queue.Queue[int | None] = queue.Queue()
        self._unflushed: list[int] = []
        self._unflushed_rows = 0
        # The ledger's SQLite connection belongs to the job's thread, which marks what it takes.
        self._stored: queue.Queue[int] = queue.Queue()
        self._gives_up: Callable[[], bool] | None = None
        self._error: ZeroshelfError | None = None
        # A daemon: a job that is interrupted while it waits for this thread ends all the same.
        self._thread = threading.Thread(target=self._run, name="storing", daemon=True)
        self._thread.start()

    def put(self, shard: int) -> None:
        """Queue a finished shard."""
        self._shards.put(shard)

    def take_stored(self) -> list[int]:
        """Shards that became durable in the database since the last call."""
        stored = []
        while not self._stored.empty():
            stored.append(self._stored.get())
        return stored

    def finish(self) -> None:
        """Store the queued shards, then stop; ``take_stored`` gives those that succeeded.

        Raises:
            StoreError: the database refused or stayed away; the shards are in the archive.
        """
        # Before the end is queued: the thread may wait for the database, and asks for this there.
        self._gives_up = deadline()
        self._shards.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while (shard := self._shards.get()) is not None:
                self._patiently(partial(self._store_shard, shard))
                if self._unflushed_rows >= FLUSH_ROWS:
                    self._patiently(self._flush)
            self._patiently(self._flush)
        # What is put after an error stays in the queue: the archive has it, and ``finish`` raises.
        except ZeroshelfError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001 - a thread's error must reach the job that waits
            self._error = StoreError(f"storing failed: {type(error).__name__}: {error}")
            self._error.__cause__ = error

    def _store_shard(self, shard: int) -> None:
        rows = list(self._archive.rows(shard))
        _upsert(self._store, rows, self._decisions(shard))
        if removed := [row.item_id for row in rows if isinstance(row, Removal)]:
            self._store.delete(removed)
        self._unflushed.append(shard)
        self._unflushed_rows += len(rows)
        self._on_rows(len(rows))

    def _flush(self) -> None:
        """Flush, which makes Milvus Lite's rows durable; only then a shard counts as stored."""
        if self._unflushed:
            self._store.flush()
        for shard in self._unflushed:
            self._stored.put(shard)
        self._unflushed, self._unflushed_rows = [], 0

    def _patiently(self, action: Callable[[], None]) -> None:
        """Retry until the database is back, or until patience has ended after the job's end."""
        patiently(action, gives_up=lambda: self._gives_up is not None and self._gives_up())


def mark_stored(ledger: Ledger, store: ItemStore, shards: Sequence[int]) -> None:
    """Record in collection and ledger that these shards are durable, under a new version.

    The version reveals a collection that was restored to an earlier state, and which shards it
    lacks. After a kill between the two writes, the shards are stored once more.
    """
    if shards:
        version = ledger.stored.begin_version(store.stored_version())
        store.set_stored_version(version)
        ledger.stored.mark(shards, version)


def store_unstored(
    archive: Archive,
    ledger: Ledger,
    store: ItemStore,
    *,
    decisions: Decisions,
    watch: Watch = Watch(),
    rows_at_once: int = 1,
    changed: Mapping[int, Collection[int]] | None = None,
) -> int:
    """Store the shards that the database lacks; of each item its newest row.

    If this is interrupted, the next call stores the shards that are not durable yet.

    Args:
        watch: follows the rows written.
        rows_at_once: shards are written together until they have so many rows.
        changed: the rows to store of these shards; of others all are stored.

    Returns:
        Rows written.

    Raises:
        StoreError: the database refused or stayed away.
    """
    unflushed: list[int] = []
    rows_since = written = 0
    batch = _ShardBatch()

    def flush() -> None:
        store.flush()
        mark_stored(ledger, store, unflushed)

    shards = ledger.stored.missing()
    for shard in shards:
        rows = None if changed is None else changed.get(shard)
        batch.add(shard, archive, ledger, decisions, rows)
        if len(batch.rows) < rows_at_once and shard != shards[-1]:
            continue
        patiently(partial(batch.write_to, store), gives_up=deadline())
        watch.advance(len(batch.rows))
        unflushed += batch.shards
        rows_since += len(batch.rows)
        written += len(batch.rows)
        batch = _ShardBatch()
        if rows_since >= FLUSH_ROWS:
            patiently(flush, gives_up=deadline())
            unflushed, rows_since = [], 0
    patiently(flush, gives_up=deadline())
    return written


@dataclass(slots=True)
class _ShardBatch:
    """The current rows of some shards, and the ids that these remove from the catalog."""

    shards: list[int] = field(default_factory=list)
    rows: list[EmbeddedItem] = field(default_factory=list)
    decisions: list[Decision | None] = field(default_factory=list)
    removed_ids: list[str] = field(default_factory=list)

    def add(
        self,
        shard: int,
        archive: Archive,
        ledger: Ledger,
        decisions: Decisions,
        only_rows: Collection[int] | None,
    ) -> None:
        """Add a shard, or some of its rows."""
        live = set(ledger.live_rows(shard).tolist())
        if only_rows is not None:
            live.intersection_update(only_rows)
        rows = list(archive.rows(shard))
        of_rows = decisions(shard) or [None] * len(rows)
        for place, (row, decision) in enumerate(zip(rows, of_rows, strict=True)):
            if place in live and isinstance(row, EmbeddedItem):
                self.rows.append(row)
                self.decisions.append(decision)
        # An item that came back after its removal has a row, and must not be deleted.
        removed = [row.item_id for row in rows if isinstance(row, Removal)]
        self.removed_ids += sorted(set(removed) - ledger.find(removed).keys())
        self.shards.append(shard)

    def write_to(self, store: ItemStore) -> None:
        """Write the rows, one an id, and delete the removed ids."""
        if self.rows:
            store.upsert(self.rows, self.decisions)
        if self.removed_ids:
            store.delete(self.removed_ids)


def store_again(
    archive: Archive,
    ledger: Ledger,
    store: ItemStore,
    *,
    decisions: Decisions,
    watch: Watch = Watch(),
    changed: Mapping[int, Collection[int]] | None = None,
    publish: Callable[[], None] = lambda: None,
) -> None:
    """Store every item of the archive again, with its decision.

    If this is interrupted, the next job stores the shards that are not marked as stored.

    Args:
        changed: only these rows, by shard; a shard that was unstored before is stored whole.
        publish: makes new decisions current. It is called when all rows that they change are
            marked as unstored, so that a kill can't leave rows with older decisions.

    Raises:
        StoreError: the database refused or is away.
    """
    if changed is not None:
        unstored = set(ledger.stored.missing())
        changed = {shard: rows for shard, rows in changed.items() if shard not in unstored}
    ledger.stored.unmark(archive.shards() if changed is None else changed)
    publish()
    store_unstored(archive, ledger, store, decisions=decisions, watch=watch, changed=changed)


def _upsert(
    store: ItemStore,
    rows: Sequence[EmbeddedItem | Removal],
    decisions: Sequence[Decision | None] | None,
) -> None:
    """Write the items among a shard's rows, with the decisions at their places."""
    pairs = [
        (row, decision)
        for row, decision in zip(rows, decisions or [None] * len(rows), strict=True)
        if isinstance(row, EmbeddedItem)
    ]
    for chunk in in_chunks(pairs, ROWS_A_CALL):
        store.upsert([row for row, _ in chunk], [decision for _, decision in chunk])
