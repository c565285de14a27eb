"""Feeds the database from the archive's shards, in a thread of its own.

The archive is the record, so the database may be away for a while, or for good: a
shard waits on disk until it is acknowledged, and upserting one again does no harm.
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

FLUSH_ROWS = 20_000
"""Rows between flushes: each one seals a segment, and unflushed rows search slowly."""

ROWS_A_CALL = 2_048
"""Rows that the store gets at a time: what it makes of them to check them, in float64, would
take more memory for a whole shard than the rest of the job."""

Decisions = Callable[[int], Sequence[Decision | None] | None]
"""Labels of a shard's rows, in row order; None where it was never categorized."""


class Storing:
    """Brings shards into the ``items`` collection, as they are finished.

    Args:
        decisions: labels of a shard's rows, by row, where a categorization made some.
        on_rows: called, in the thread, with the number of rows that came in.
        patience_s: how long to wait for a database that is away, after all is embedded;
            ``patience.PATIENCE_S`` if None.
    """

    def __init__(
        self,
        archive: Archive,
        store: ItemStore,
        *,
        decisions: Decisions = lambda _: None,
        on_rows: Callable[[int], None] = lambda _: None,
        patience_s: float | None = None,
    ) -> None:
        self._archive = archive
        self._store = store
        self._decisions = decisions
        self._on_rows = on_rows
        self._patience_s = patience_s
        self._shards: queue.Queue[int | None] = queue.Queue()
        self._unflushed: list[int] = []
        self._unflushed_rows = 0
        self._stored: queue.Queue[int] = queue.Queue()
        self._gives_up: Callable[[], bool] | None = None
        self._error: ZeroshelfError | None = None
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
        """Store what is queued, then stop. ``take_stored`` tells what succeeded.

        Raises:
            StoreError: the database refused or stayed away; what it lacks is in the archive.
        """
        self._gives_up = deadline(self._patience_s)
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
        """Only a flush makes Milvus Lite's rows durable, so only then a shard is stored."""
        if self._unflushed:
            self._store.flush()
        for shard in self._unflushed:
            self._stored.put(shard)
        self._unflushed, self._unflushed_rows = [], 0

    def _patiently(self, work: Callable[[], None]) -> None:
        """Try until the database is back, or the job has ended and patience with it."""
        patiently(work, gives_up=lambda: self._gives_up is not None and self._gives_up())


def mark_stored(ledger: Ledger, store: ItemStore, shards: Sequence[int]) -> None:
    """Tell collection and ledger that these shards are durable in it, under a new version.

    By the version a collection that was put back to an earlier state is known, and what it
    lacks then. A kill between the two leaves shards that wait, and are stored once more.
    """
    if shards:
        version = ledger.begin_version(store.stored_version())
        store.set_stored_version(version)
        ledger.mark_stored(shards, version)


def store_unstored(
    archive: Archive,
    ledger: Ledger,
    store: ItemStore,
    *,
    decisions: Decisions,
    on_rows: Callable[[int], None] = lambda _: None,
    patience_s: float | None = None,
    rows_at_once: int = 1,
    changed: Mapping[int, Collection[int]] | None = None,
) -> int:
    """Bring the shards that the database lacks into it, each item as it is now.

    When this is interrupted the shards that are not durable yet are left to the next call.

    Args:
        on_rows: called with the number of rows that came in.
        patience_s: how long to wait for a database that is away; ``patience.PATIENCE_S`` if
            None.
        rows_at_once: shards are put together until they have so many rows.
        changed: rows that the database lacks of these shards; of others it lacks all.

    Returns:
        Rows written.

    Raises:
        StoreError: the database refused or stayed away.
    """
    unflushed: list[int] = []
    rows_since = written = 0
    waiting = _Waiting()

    def flush() -> None:
        store.flush()
        mark_stored(ledger, store, unflushed)

    shards = ledger.unstored_shards()
    for shard in shards:
        rows = None if changed is None else changed.get(shard)
        waiting.take(shard, archive, ledger, decisions, rows)
        if len(waiting.rows) < rows_at_once and shard != shards[-1]:
            continue
        patiently(partial(waiting.store_in, store), gives_up=deadline(patience_s))
        on_rows(len(waiting.rows))
        unflushed += waiting.shards
        rows_since += len(waiting.rows)
        written += len(waiting.rows)
        waiting = _Waiting()
        if rows_since >= FLUSH_ROWS:
            patiently(flush, gives_up=deadline(patience_s))
            unflushed, rows_since = [], 0
    patiently(flush, gives_up=deadline(patience_s))
    return written


@dataclass(slots=True)
class _Waiting:
    """What some shards come to now: rows, and ids that are in the catalog no more."""

    shards: list[int] = field(default_factory=list)
    rows: list[EmbeddedItem] = field(default_factory=list)
    decided: list[Decision | None] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def take(
        self,
        shard: int,
        archive: Archive,
        ledger: Ledger,
        decisions: Decisions,
        wanted: Collection[int] | None,
    ) -> None:
        """Add a shard, or some of its rows."""
        live = set(ledger.live_rows(shard).tolist())
        if wanted is not None:
            live.intersection_update(wanted)
        rows = list(archive.rows(shard))
        decided = decisions(shard) or [None] * len(rows)
        for place, (row, decision) in enumerate(zip(rows, decided, strict=True)):
            if place in live and isinstance(row, EmbeddedItem):
                self.rows.append(row)
                self.decided.append(decision)
        removed = [row.item_id for row in rows if isinstance(row, Removal)]
        self.gone += sorted(set(removed) - ledger.find(removed).keys())
        self.shards.append(shard)

    def store_in(self, store: ItemStore) -> None:
        """Write the rows, each id is one; take out the others."""
        if self.rows:
            store.upsert(self.rows, self.decided)
        if self.gone:
            store.delete(self.gone)


def store_again(
    archive: Archive,
    ledger: Ledger,
    store: ItemStore,
    *,
    decisions: Decisions,
    on_rows: Callable[[int], None] = lambda _: None,
    patience_s: float | None = None,
    changed: Mapping[int, Collection[int]] | None = None,
    publish: Callable[[], None] = lambda: None,
) -> None:
    """Write every item of the archive, each as it is now, with its decision.

    A shard that is not marked as stored when this is interrupted is stored by the next job.

    Args:
        changed: only these rows, by shard; a shard that waited before is stored whole.
        publish: makes new decisions count; called when all that they change waits to be stored,
            so that a kill leaves nothing that is decided otherwise than it is stored.

    Raises:
        StoreError: the database refused or is away.
    """
    if changed is not None:
        waited = set(ledger.unstored_shards())
        changed = {shard: rows for shard, rows in changed.items() if shard not in waited}
    ledger.mark_unstored(archive.shards() if changed is None else changed)
    publish()
    store_unstored(
        archive,
        ledger,
        store,
        decisions=decisions,
        on_rows=on_rows,
        patience_s=patience_s,
        changed=changed,
    )


def _upsert(
    store: ItemStore,
    rows: Sequence[EmbeddedItem | Removal],
    decided: Sequence[Decision | None] | None,
) -> None:
    """Write the items among a shard's rows, with the decisions at their places."""
    pairs = [
        (row, decision)
        for row, decision in zip(rows, decided or [None] * len(rows), strict=True)
        if isinstance(row, EmbeddedItem)
    ]
    for some in in_chunks(pairs, ROWS_A_CALL):
        store.upsert([row for row, _ in some], [decision for _, decision in some])
