"""Ingestion: items stream from a source through decoding and the model into the archive.

    source -> fetch and hash -> decode and resize -> embed -> archive -> database
              |------------- ``indexer.ingestion.stages`` ------------|   (here)     (thread)

All queues are bounded, so memory does not depend on the catalog's size. Each item
ends as exactly one of stored, unchanged, or a dead letter. The stages run in threads
here, or on many machines (``indexer.ingestion.ray``); what became of each item is decided
and written here. The database is fed from the finished shards by a thread of its own
(``indexer.ingestion.storing``), so one that is away does not stop the embedding.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from indexer.catalog.archive import Archive
from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.ledger import Ledger, Place
from indexer.core.chunks import in_chunks
from indexer.core.failures import failure
from indexer.core.hashing import canonical_json, described_hash
from indexer.core.protocols import Source, left_out, merged
from indexer.core.reasons import Reason, Stage
from indexer.core.records import FURTHER_PICTURES, EmbeddedItem, Failure, FloatArray, Item
from indexer.ingestion.embedding import Outcome
from indexer.ingestion.known_downloads import KnownDownloads
from indexer.ingestion.reports import Flow, IngestReport, Stopwatch, Utilisation, timed
from indexer.ingestion.stage_values import Loaded, Ready
from indexer.ingestion.stages import Stages
from indexer.ingestion.titles import TextEncoder, Titles

OnReplaced = Callable[[int, Sequence[EmbeddedItem], Mapping[str, Place]], None]


class Ingestion:
    """One job that brings a source into the archive.

    Args:
        stages: read, decode and embed.
        title_encoder: embeds titles of pictures too; None leaves them.
        downloads: what is known of the items' URLs; None downloads all of them.
        on_shard: called with the number of each finished shard.
        on_replaced: called before with the number and rows of the shard, and, by item id,
            where the rows lie that it replaces.
        on_progress: called after each item with the report so far.
        stop: set from outside to end the job in order.
    """

    def __init__(
        self,
        *,
        stages: Stages,
        archive: Archive,
        ledger: Ledger,
        dead_letters: DeadLetters,
        flow: Flow,
        title_encoder: TextEncoder | None = None,
        downloads: KnownDownloads | None = None,
        on_shard: Callable[[int], None] = lambda _: None,
        on_replaced: OnReplaced = lambda _number, _rows, _before: None,
        on_progress: Callable[[IngestReport], None] = lambda _: None,
        stop: threading.Event | None = None,
    ) -> None:
        self._stages = stages
        self._archive = archive
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._downloads = downloads
        self._flow = flow
        self._on_shard = on_shard
        self._on_replaced = on_replaced
        self._on_progress = on_progress
        self._stop = stop or threading.Event()
        self.report = IngestReport()
        self._waiting: list[Ready] = []
        self._copies: list[Ready] = []
        self._early: list[Ready] = []
        self._titles = Titles(title_encoder, archive, batch_size=flow.batch_size)
        self._before: dict[str, Place] = {}
        self._rows: dict[str, list[EmbeddedItem]] = {}
        self._failed: dict[str, Failure] = {}
        self._shards_finished = 0
        self._row_count = 0
        self._shard_started = time.monotonic()
        self._awaiting, self._titling = Stopwatch(), Stopwatch()

    def run(self, source: Source) -> IngestReport:
        """Bring in every item of the source; what is stored already is skipped.

        Raises:
            SourceError: the source can't be read on.
            ModelError: the model fails on one item after another.
        """
        started = time.perf_counter()
        items = self._first_sights(self._until_stopped(source))
        with closing(self._stages.ready(items, self._changed)) as ready:
            try:
                for outcome in timed(ready, self._awaiting):
                    self._settle(outcome)
                    self._tell()
                self._embed_waiting()
                self._take_in(self._stages.rest())
                self._settle_early()
            finally:
                self.report.left_out = left_out(source)
                self.report.merged = merged(source)
                self._finish_shard()
                self._dead_letters.tidy()
                self.report.utilisation = Utilisation(
                    elapsed_s=time.perf_counter() - started,
                    embedding_s=self._stages.embedding_s + self._titling.seconds,
                    waiting_s=self._awaiting.seconds,
                    decoding_s=self._stages.decoding_s,
                    decoders=self._stages.decoders,
                )
        return self.report

    def _until_stopped(self, source: Source) -> Iterator[Item | Failure]:
        for item in source:
            if self._stop.is_set():
                self.report.interrupted = True
                return
            self.report.read += 1
            if isinstance(item, Item):
                self.report.further_pictures += len(item.metadata.get(FURTHER_PICTURES, ()))
            yield item

    def _first_sights(self, items: Iterable[Item | Failure]) -> Iterator[Item | Failure]:
        for chunk in in_chunks(items, self._stages.chunk):
            some = chunk if self._downloads is None else self._downloads.attached(chunk)
            ids = [item.item_id for item in some if isinstance(item, Item)]
            fresh = self._ledger.mark_seen(ids)
            for item in some:
                if isinstance(item, Failure) or item.item_id in fresh:
                    if isinstance(item, Item):
                        fresh.discard(item.item_id)
                    yield item
                else:
                    yield failure(
                        item,
                        Stage.READ,
                        Reason.DUPLICATE_ID,
                        f"id {item.item_id!r} occurred before in the same job; the first one was "
                        "kept. Make ids unique, or ingest the second source under another "
                        "--catalog.",
                    )

    def _changed(self, loaded: Iterable[Loaded | Failure]) -> Iterator[Loaded | Ready | Failure]:
        """Leave out what is stored as it is; mark what needs no embedding."""
        for some in in_chunks(loaded, self._stages.chunk):
            good = [one for one in some if isinstance(one, Loaded)]
            own = self._ledger.find([one.item.item_id for one in good])
            same = self._ledger.find_contents([one.content_hash for one in good])
            if self._downloads is not None:
                self._downloads.remember(good)
            for one in some:
                if isinstance(one, Failure):
                    yield one
                else:
                    before = own.get(one.item.item_id)
                    yield from self._compared(one, before, same.get(one.content_hash))

    def _compared(
        self, one: Loaded, before: Place | None, same: Place | None
    ) -> Iterator[Loaded | Ready]:
        """The item, if it is not stored as it is; with a place where its vector is known."""
        same_content = before is not None and before.content_hash == one.content_hash
        if (
            before is not None
            and same_content
            and self._titles.are_as_wanted(one.item, before.row_hash)
        ):
            self.report.unchanged += 1
            if self._downloads is not None:
                self._downloads.stored([one.item.source])
            self._dead_letters.resolve(one.item)
            self._tell()
            return
        place = before if same_content else same
        if place is None:
            yield replace(one, before=before, shards_before=self._shards_finished)
        else:
            yield Ready(
                item=one.item,
                content_hash=one.content_hash,
                place=place,
                before=before,
                shares=not same_content,
            )

    def _settle(self, one: Ready | Failure) -> None:
        """Put one item where its vector will come from."""
        if isinstance(one, Failure):
            self._bury(one)
            return
        place = one.place
        asked_before = one.shards_before < self._shards_finished
        not_downloaded = one.lacks_content
        if (
            place is None
            and (asked_before or not_downloaded)
            and (one.content_hash not in self._rows)
        ):
            # A shard that holds the content may have been finished since the ledger was asked.
            place = self._ledger.find_contents([one.content_hash]).get(one.content_hash)
            one = replace(one, shares=place is not None)
        if place is not None:
            self._add_row(one, self._archive.vector(place.shard, place.row))
        elif same := self._rows.get(one.content_hash):
            self._add_row(replace(one, shares=True), same[0].vector)
        elif same is not None:
            # Its pixels are not needed: a catalog of copies must not fill the memory.
            self._copies.append(replace(one, pixels=None, shares=True))
        elif one.vector is not None:
            self._add_row(one, one.vector)
        elif not_downloaded:
            self._wait_or_bury(one)
        else:
            self._rows[one.content_hash] = []
            self._waiting.append(one)
        if len(self._waiting) >= self._flow.batch_size:
            self._embed_waiting()
        full = self._row_count + len(self._copies) >= self._flow.shard_rows
        if full or time.monotonic() - self._shard_started >= self._flow.checkpoint_s:
            self._finish_shard()

    def _wait_or_bury(self, one: Ready) -> None:
        """Bury an item whose URL gave nothing of use to another, or wait for that one."""
        dead = None if self._downloads is None else self._downloads.failure_of(one.item)
        if dead is None:
            self._early.append(one)
        else:
            self._bury(dead)

    def _settle_early(self) -> None:
        """Items that came before the one for which their URL was downloaded: threads overtake."""
        early, self._early = self._early, []
        for one in early:
            self._settle(one)
        for one in self._early:
            assert self._downloads is not None
            self._bury(self._downloads.lost(one.item))
        self._early = []

    def _embed_waiting(self) -> None:
        batch, self._waiting = self._waiting, []
        if batch:
            self._take_in(self._stages.embed(batch))

    def _take_in(self, outcomes: Iterable[tuple[Ready, Outcome]]) -> None:
        """Make rows of what is embedded, and dead letters of what could not be."""
        for one, outcome in outcomes:
            if isinstance(outcome, Failure):
                self._bury(outcome)
                self._rows.pop(one.content_hash, None)
                self._failed[one.content_hash] = outcome
            else:
                self.report.embedded += 1
                self._add_row(one, outcome)

    def _add_row(self, one: Ready, vector: FloatArray) -> None:
        item = one.item
        row = EmbeddedItem(
            item_id=item.item_id,
            kind=item.kind,
            source=item.source,
            title=item.title,
            metadata_json=canonical_json(item.metadata),
            content_hash=one.content_hash,
            row_hash=described_hash(item),
            vector=vector,
        )
        self._rows.setdefault(one.content_hash, []).append(row)
        self._row_count += 1
        if one.before is not None:
            self.report.replaced += 1
            self._before[item.item_id] = one.before
        self.report.shared += one.shares
        self._dead_letters.resolve(item)

    def _finish_shard(self) -> None:
        """Make a shard of the rows there are; what is not embedded yet waits for the next."""
        copies, self._copies = self._copies, []
        for one in copies:
            same = self._rows.get(one.content_hash)
            if same:
                self._add_row(one, same[0].vector)
            elif same is None:
                self._bury(replace(self._failed[one.content_hash], item=one.item))
            else:
                self._copies.append(one)
        rows = [row for same in self._rows.values() for row in same]
        self._rows = {content_hash: [] for content_hash, same in self._rows.items() if not same}
        self._failed.clear()
        self._row_count = 0
        if rows:
            with self._titling:
                rows = self._titles.added(rows, self._before)
            number = self._archive.write(rows)
            self.report.embedded_titles = self._titles.embedded
            self._on_replaced(number, rows, self._before)
            self._before.clear()
            self._ledger.add(number)
            if self._downloads is not None:
                self._downloads.stored(row.source for row in rows)
            self._shards_finished += 1
            self.report.stored += len(rows)
            self._on_shard(number)
        self._shard_started = time.monotonic()

    def _tell(self) -> None:
        self.report.settled += 1
        self._on_progress(self.report)

    def _bury(self, dead: Failure) -> None:
        self._dead_letters.add(dead)
        if self._downloads is not None:
            self._downloads.failed(dead)
        self.report.dead += 1
        self.report.dead_by_reason[dead.reason] += 1
        self.report.dead_by_origin[dead.item.origin] += 1
