"""Ingestion: items stream from a source through decoding and the model into the archive.

    source -> fetch and hash -> decode and resize -> embed -> archive -> database
              |------------- ``indexer.ingestion.stages`` ------------|   (here)     (thread)

All queues are bounded, so memory does not depend on the catalog's size. Each item ends as
exactly one of stored, unchanged, or dead letter. The stages run in threads here, or on many
machines (``indexer.ingestion.ray``); this module decides the outcome of each item and writes it.
Another thread stores the finished shards in the database (``indexer.ingestion.storing``), so a
database that is away does not stop the embedding.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from indexer.catalog.archive import Archive
from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.ledger import Ledger, Place
from indexer.core.chunks import in_chunks
from indexer.core.hashing import canonical_json, described_hash
from indexer.core.parts import is_cut, is_further
from indexer.core.protocols import Source, left_out, merged
from indexer.core.records import EmbeddedItem, Failure, FloatArray, Item
from indexer.ingestion.duplicate_ids import DuplicateIds
from indexer.ingestion.embedding import Outcome
from indexer.ingestion.known_downloads import KnownDownloads
from indexer.ingestion.parts import ItemParts
from indexer.ingestion.reports import IngestReport, PipelineSizes, Stopwatch, Utilisation, timed
from indexer.ingestion.segments import Segmenter
from indexer.ingestion.stage_values import Loaded, Ready
from indexer.ingestion.stages import Stages, load, no_fetch
from indexer.ingestion.titles import TextEncoder, Titles

OnReplaced = Callable[[int, Sequence[EmbeddedItem], Mapping[str, Place]], None]


class Ingestion:
    """One job that embeds a source into the archive.

    Args:
        stages: read, decode and embed.
        title_encoder: embeds titles of pictures too; None embeds none.
        downloads: earlier downloads of the items' URLs; None downloads all of them.
        max_views: pictures of an item that are embedded; None is all.
        check: makes failures of what the catalog can't hold; ``iter`` takes all.
        segment: cuts files into parts; ``iter`` leaves each whole.
        on_shard: called with the number of each finished shard.
        on_replaced: called before ``on_shard`` with the number and rows of the shard, and, by
            item id, the places of the rows that it replaces.
        on_progress: called after each row of the source with the report so far.
        stop: set it to end the job in order.
    """

    def __init__(
        self,
        *,
        stages: Stages,
        archive: Archive,
        ledger: Ledger,
        dead_letters: DeadLetters,
        sizes: PipelineSizes,
        title_encoder: TextEncoder | None = None,
        downloads: KnownDownloads | None = None,
        max_views: int | None = None,
        check: Segmenter = iter,
        segment: Segmenter = iter,
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
        self._check = check
        self._segment = segment
        self._sizes = sizes
        self._on_shard = on_shard
        self._on_replaced = on_replaced
        self._on_progress = on_progress
        self._stop = stop or threading.Event()
        self.report = IngestReport()
        self._parts = ItemParts(ledger, dead_letters, self.report, max_views=max_views)
        self._duplicates = DuplicateIds(ledger)
        self._dead_items: set[str] = set()
        self._to_embed: list[Ready] = []
        self._copies: list[Ready] = []
        self._deferred: list[Ready] = []
        self._titles = Titles(title_encoder, archive, batch_size=sizes.batch_size)
        self._previous: dict[str, Place] = {}
        # By content hash; an empty list stands for a content that waits to be embedded.
        self._rows: dict[str, list[EmbeddedItem]] = {}
        self._failed: dict[str, Failure] = {}
        self._shards_finished = 0
        self._row_count = 0
        self._shard_started = time.monotonic()
        self._waiting_watch, self._title_watch = Stopwatch(), Stopwatch()

    def run(self, source: Source) -> IngestReport:
        """Embed every item of the source; unchanged items are skipped.

        Raises:
            SourceError: the source can't be read on.
            ModelError: the model fails on one item after another.
        """
        started = time.perf_counter()
        # Closed here: an error holds on to them, and they would end after the catalog is closed.
        with closing(self._until_stopped(source)) as rows:
            items = self._without_duplicates(self._segment(self._parts.limit(rows)))
            ready = self._stages.ready(items, self._skip_unchanged)
            with closing(ready):
                self._embed_all(ready, source, started)
        return self.report

    def _embed_all(self, ready: Iterable[Ready | Failure], source: Source, started: float) -> None:
        """Embed what comes, and write and count it also where an error or Ctrl-C ends it."""
        try:
            for outcome in timed(ready, self._waiting_watch):
                self._route(outcome)
                self._report_progress(outcome.item)
            self._embed_batch()
            self._add_embedded(self._stages.remaining())
            self._route_deferred()
        finally:
            # An error or Ctrl-C loses nothing that is embedded: it is written all the same.
            self.report.left_out = left_out(source)
            self.report.merged = merged(source)
            self._finish_shard()
            self._remove_gone()
            self._count_items()
            self._dead_letters.tidy()
            self.report.utilisation = Utilisation(
                elapsed_s=time.perf_counter() - started,
                embedding_s=self._stages.embedding_s + self._title_watch.seconds,
                waiting_s=self._waiting_watch.seconds,
                decoding_s=self._stages.decoding_s,
                decoders=self._stages.decoders,
            )

    def _until_stopped(self, source: Source) -> Generator[Item | Failure]:
        for item in self._check(source):
            if self._stop.is_set():
                self.report.interrupted = True
                return
            yield item

    def _without_duplicates(self, items: Iterable[Item | Failure]) -> Iterator[Item | Failure]:
        """The rows that go through the stages, with their earlier downloads."""
        chunks = self._parts.flatten(items, self._stages.chunk, within_s=self._sizes.checkpoint_s)
        for chunk in chunks:
            entries = chunk if self._downloads is None else self._downloads.attach(chunk)
            accepted = self._parts.note(self._duplicates.refuse(entries))
            self.report.read += len(accepted)
            self._route_embedded_cuts(accepted)
            yield from (entry for entry in accepted if not _is_embedded_cut(entry))

    def _route_embedded_cuts(self, entries: Sequence[Item | Failure]) -> None:
        """Add the shots and boxes that come with their vectors.

        They were slow to come, and in the stages they would wait for others: a kill would cost
        much work.
        """
        cuts = (load(entry, no_fetch) for entry in entries if _is_embedded_cut(entry))
        for outcome in self._skip_unchanged(cuts):
            ready = (
                outcome.ready(vector=outcome.item.vector)
                if isinstance(outcome, Loaded)
                else outcome
            )
            self._route(ready)
            self._report_progress(ready.item)

    def _skip_unchanged(
        self, loaded: Iterable[Loaded | Failure]
    ) -> Iterator[Loaded | Ready | Failure]:
        """Leave out unchanged items; items that need no embedding become ``Ready``."""
        for chunk in in_chunks(loaded, self._stages.chunk, within_s=self._sizes.checkpoint_s):
            read_items = [entry for entry in chunk if isinstance(entry, Loaded)]
            by_id = self._ledger.find([entry.item.item_id for entry in read_items])
            # A picture that moved, or that several items have, is neither decoded nor embedded
            # again.
            by_content = self._ledger.find_contents([entry.content_hash for entry in read_items])
            if self._downloads is not None:
                self._downloads.record(read_items)
            collisions = self._parts.collisions([entry.item for entry in read_items], by_id)
            for entry in chunk:
                if isinstance(entry, Failure):
                    yield entry
                elif entry.item.item_id in collisions:
                    yield collisions[entry.item.item_id]
                else:
                    previous = by_id.get(entry.item.item_id)
                    yield from self._compare(entry, previous, by_content.get(entry.content_hash))

    def _compare(
        self, entry: Loaded, previous: Place | None, copy: Place | None
    ) -> Iterator[Loaded | Ready]:
        """The item unless it is unchanged; with the place of its vector where it has one."""
        same_content = previous is not None and previous.content_hash == entry.content_hash
        if (
            previous is not None
            and same_content
            and self._titles.is_current(entry.item, previous.row_hash)
        ):
            self.report.unchanged += 1
            if self._downloads is not None:
                self._downloads.release([entry.item.source])
            self._dead_letters.resolve(entry.item)
            self._report_progress(entry.item)
            return
        # Where only title or metadata changed, the vector is the item's own; else a copy's.
        place = previous if same_content else copy
        if place is None:
            yield replace(entry, previous=previous, shards_at_lookup=self._shards_finished)
        else:
            yield Ready(
                item=entry.item,
                content_hash=entry.content_hash,
                place=place,
                previous=previous,
                is_shared=not same_content,
            )

    def _route(self, entry: Ready | Failure) -> None:
        """Add an item as a row, or put it into the list where its vector will come from."""
        if isinstance(entry, Failure):
            self._add_dead_letter(entry)
            return
        place = entry.place
        is_outdated = entry.shards_at_lookup < self._shards_finished or entry.lacks_content
        if place is None and is_outdated and entry.content_hash not in self._rows:
            # A shard with the same content may have been finished since the ledger was read.
            place = self._ledger.find_contents([entry.content_hash]).get(entry.content_hash)
            entry = replace(entry, is_shared=place is not None)
        if place is not None:
            self._add_row(entry, self._archive.vector(place.shard, place.row))
        elif copies := self._rows.get(entry.content_hash):
            self._add_row(replace(entry, is_shared=True), copies[0].vector)
        elif copies is not None:
            # Drop what was decoded: many copies of a picture must not fill the memory.
            self._copies.append(replace(entry, decoded=None, is_shared=True))
        elif entry.vector is not None:
            self._add_row(entry, entry.vector)
        elif entry.lacks_content:
            self._defer(entry)
        else:
            self._rows[entry.content_hash] = []
            self._to_embed.append(entry)
        if len(self._to_embed) >= self._sizes.batch_size:
            self._embed_batch()
        is_full = self._row_count + len(self._copies) >= self._sizes.shard_rows
        if is_full or time.monotonic() - self._shard_started >= self._sizes.checkpoint_s:
            self._finish_shard()

    def _defer(self, entry: Ready) -> None:
        """Wait for the item whose download has this content, unless that one has failed already."""
        earlier_failure = (
            None if self._downloads is None else self._downloads.failure_of(entry.item)
        )
        if earlier_failure is None:
            self._deferred.append(entry)
        else:
            self._add_dead_letter(earlier_failure)

    def _route_deferred(self) -> None:
        """Route items again that came before the item whose download has their content."""
        deferred, self._deferred = self._deferred, []
        for entry in deferred:
            self._route(entry)
        for entry in self._deferred:
            assert self._downloads is not None
            self._add_dead_letter(self._downloads.lost_failure(entry.item))
        self._deferred = []

    def _embed_batch(self) -> None:
        batch, self._to_embed = self._to_embed, []
        if batch:
            self._add_embedded(self._stages.embed(batch))

    def _add_embedded(self, outcomes: Iterable[tuple[Ready, Outcome]]) -> None:
        """Add embedded items as rows, and failed ones as dead letters."""
        for entry, outcome in outcomes:
            if isinstance(outcome, Failure):
                self._add_dead_letter(outcome)
                self._rows.pop(entry.content_hash, None)
                self._failed[entry.content_hash] = outcome
            else:
                self.report.embedded += 1
                self._add_row(entry, outcome)

    def _add_row(self, entry: Ready, vector: FloatArray) -> None:
        item = entry.item
        row = EmbeddedItem(
            item_id=item.item_id,
            kind=item.kind,
            source=item.source,
            title=item.title,
            metadata_json=canonical_json(item.metadata),
            content_hash=entry.content_hash,
            row_hash=described_hash(item),
            vector=vector,
            parent_id=item.parent_id,
            part_json=canonical_json(item.part) if item.part else "",
        )
        self._rows.setdefault(entry.content_hash, []).append(row)
        self._row_count += 1
        if entry.previous is not None:
            self.report.replaced += 1
            self._previous[item.item_id] = entry.previous
        self.report.shared += entry.is_shared
        self._dead_letters.resolve(item)

    def _finish_shard(self) -> None:
        """Write the embedded rows as a shard; items that are not embedded yet stay for the next."""
        copies, self._copies = self._copies, []
        for entry in copies:
            originals = self._rows.get(entry.content_hash)
            if originals:
                self._add_row(entry, originals[0].vector)
            elif originals is None:
                self._add_dead_letter(replace(self._failed[entry.content_hash], item=entry.item))
            else:
                self._copies.append(entry)
        rows = [row for group in self._rows.values() for row in group]
        self._rows = {content_hash: [] for content_hash, group in self._rows.items() if not group}
        self._failed.clear()
        self._row_count = 0
        if self._parts.gone_count >= self._sizes.shard_rows:
            self._remove_gone()
        if rows:
            with self._title_watch:
                rows = self._titles.with_vectors(rows, self._previous)
            # In this order: a kill after any step leaves what the next start completes, and the
            # ledger has the replaced rows for as long as their decisions are carried over.
            number = self._archive.write(rows)
            self.report.embedded_titles = self._titles.embedded
            self.report.titles_not_embedded = self._titles.not_embedded
            self._on_replaced(number, rows, self._previous)
            self._previous.clear()
            self._ledger.add(number)
            if self._downloads is not None:
                self._downloads.release(row.source for row in rows)
            self._shards_finished += 1
            self.report.stored += len(rows)
            self._on_shard(number)
        self._shard_started = time.monotonic()

    def _remove_gone(self) -> None:
        """Write the removals of pictures that their item's row no longer has, as a shard."""
        if gone := self._parts.take_gone():
            number = self._archive.write(gone)
            self._ledger.add(number)
            self._on_shard(number)

    def _count_items(self) -> None:
        """Count items rather than rows, and those of several parts of which none is stored."""
        dead = list(self._dead_items)
        self.report.without_part = len(dead) - len(self._ledger.parts.rows_of(dead))
        self.report.items -= self._ledger.parts.repeated_rows()
        self.report.joined_items = tuple(self._parts.joined_items())

    def _report_progress(self, item: Item) -> None:
        self.report.settled += 1
        if not is_further(item.part):  # progress is one of the source's rows
            self._on_progress(self.report)

    def _add_dead_letter(self, dead_letter: Failure) -> None:
        self._dead_letters.add(dead_letter)
        if self._downloads is not None:
            self._downloads.record_failure(dead_letter)
        item = dead_letter.item
        self.report.dead += 1
        self.report.dead_by_reason[dead_letter.reason] += 1
        if item.parent_id:
            self._dead_items.add(item.parent_id)
        if not is_further(item.part):  # a row of the source, not a further part of one
            self.report.dead_by_origin[item.origin] += 1


def _is_embedded_cut(entry: Item | Failure) -> bool:
    return isinstance(entry, Item) and entry.vector is not None and is_cut(entry.part)
