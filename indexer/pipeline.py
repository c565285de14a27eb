"""Ingestion: items stream from a source through decoding and the model into the archive.

    source -> fetch and hash -> decode and resize -> embed -> archive -> database
              (threads)         (threads)           (here)    (here)     (thread)

All queues are bounded, so memory does not depend on the catalog's size. Each item
ends as exactly one of stored, unchanged, or a dead letter. The database is fed from
the finished shards by a thread of its own (``indexer.storing``), so one that is away
does not stop the embedding.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from indexer.archive import Archive
from indexer.dead_letters import DeadLetters
from indexer.embedding import Embedding
from indexer.errors import ItemError, ModelError
from indexer.flow import (
    Flow,
    IngestReport,
    Stopwatch,
    Utilisation,
    in_chunks,
    map_in_order,
    timed,
)
from indexer.ledger import Ledger, Place
from indexer.protocols import Encoder, Pixels, Source
from indexer.reasons import Reason, Stage
from indexer.records import MAX_SOURCE_BYTES, EmbeddedItem, Failure, FloatArray, Item, Kind
from indexer.titles import Titles
from indexer.vectors import normalise
from indexer.work import Loaded, Ready, canonical_json, described_hash, failure, sha256

OnReplaced = Callable[[int, Sequence[EmbeddedItem], Mapping[str, Place]], None]

VECTORS_A_CHUNK = 1024
"""Given vectors are looked up so many at a time: there is no batch of the model to keep to."""


class Ingestion:
    """One job that brings a source into the archive.

    Args:
        fetch: bytes of a picture from its ``source``; raises ``ItemError``.
        decode: RGB pixels from bytes and a name for messages; raises ``ItemError``.
        encoder: None where the source is of precomputed vectors only.
        embed_titles: embed titles of pictures too, where there is an encoder.
        on_shard: called with the number of each finished shard.
        on_replaced: called before with the number and rows of the shard, and, by item id,
            where the rows lie that it replaces.
        on_progress: called after each item with the report so far.
        stop: set from outside to end the job in order.
    """

    def __init__(
        self,
        *,
        fetch: Callable[[str], bytes],
        decode: Callable[[bytes, str], Pixels],
        encoder: Encoder | None,
        archive: Archive,
        ledger: Ledger,
        dead_letters: DeadLetters,
        flow: Flow,
        embed_titles: bool = False,
        on_shard: Callable[[int], None] = lambda _: None,
        on_replaced: OnReplaced = lambda _number, _rows, _before: None,
        on_progress: Callable[[IngestReport], None] = lambda _: None,
        stop: threading.Event | None = None,
    ) -> None:
        self._fetch = fetch
        self._decode = decode
        self._encoder = encoder
        self._archive = archive
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._flow = flow
        self._on_shard = on_shard
        self._on_replaced = on_replaced
        self._on_progress = on_progress
        self._stop = stop or threading.Event()
        self.report = IngestReport()
        self._waiting: list[Ready] = []
        self._copies: list[Ready] = []
        self._titles = Titles(
            encoder if embed_titles else None, archive, batch_size=flow.batch_size
        )
        self._before: dict[str, Place] = {}
        self._rows: dict[str, list[EmbeddedItem]] = {}
        self._shards_finished = 0
        self._row_count = 0
        self._shard_started = time.monotonic()
        self._chunk = flow.batch_size if encoder is not None else VECTORS_A_CHUNK
        self._embedding = Embedding(encoder, self._bury_unembedded)
        self._awaiting, self._decoding = Stopwatch(), Stopwatch()

    def run(self, source: Source) -> IngestReport:
        """Bring in every item of the source; what is stored already is skipped.

        Raises:
            SourceError: the source can't be read on.
            ModelError: the model fails on one item after another.
        """
        started = time.perf_counter()
        with ExitStack() as stack:
            downloads = stack.enter_context(ThreadPoolExecutor(self._flow.downloads))
            workers = stack.enter_context(ThreadPoolExecutor(self._flow.workers))
            ready: Iterator[Ready | Failure]
            window = 2 * self._flow.batch_size
            items = self._first_sights(self._until_stopped(source))
            if self._encoder is None:  # vectors are at hand: nothing to wait for in threads
                ready = map(self._make_ready, self._changed(map(self._load, items)))
            else:
                loaded = map_in_order(downloads, self._load, items, window=window)
                changed = self._changed(loaded)
                ready = map_in_order(workers, self._make_ready, changed, window=window)
            try:
                for outcome in timed(ready, self._awaiting):
                    self._settle(outcome)
                    self._tell()
                self._embed_waiting()
            finally:
                self._finish_shard()
                self._dead_letters.tidy()
                self.report.utilisation = Utilisation(
                    elapsed_s=time.perf_counter() - started,
                    embedding_s=self._embedding.stopwatch.seconds,
                    waiting_s=self._awaiting.seconds,
                    decoding_s=self._decoding.seconds,
                    decoders=self._flow.workers,
                )
        return self.report

    def _until_stopped(self, source: Source) -> Iterator[Item | Failure]:
        for item in source:
            if self._stop.is_set():
                self.report.interrupted = True
                return
            self.report.read += 1
            yield item

    def _first_sights(self, items: Iterable[Item | Failure]) -> Iterator[Item | Failure]:
        for some in in_chunks(items, self._chunk):
            ids = [item.item_id for item in some if isinstance(item, Item)]
            fresh = self._ledger.first_sights(ids)
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

    def _load(self, item: Item | Failure) -> Loaded | Failure:
        if isinstance(item, Failure):
            return item
        if len(item.source.encode()) > MAX_SOURCE_BYTES:
            message = (
                f"the address of {item.item_id!r} has more than {MAX_SOURCE_BYTES:,} bytes, which "
                "the database can't keep: store the picture in a file"
            )
            return failure(item, Stage.READ, Reason.BAD_METADATA, message)
        if item.kind is Kind.TEXT:
            return Loaded(item=item, content_hash=sha256(item.title.encode()), content=None)
        if item.kind is Kind.VECTOR:
            assert item.vector is not None
            vector = np.ascontiguousarray(item.vector)
            return Loaded(item=item, content_hash=sha256(vector.tobytes()), content=vector)
        try:
            content = item.content if item.content is not None else self._fetch(item.source)
        except ItemError as error:
            return failure(item, Stage.READ, error.reason, str(error))
        loaded = Loaded(item=item, content_hash=sha256(content), content=content)
        if item.content_hash not in {"", loaded.content_hash}:
            message = f"{item.source} is not what it was; zeroshelf retry takes it as it is now"
            return failure(item, Stage.READ, Reason.CHANGED, message)
        return loaded

    def _changed(self, loaded: Iterable[Loaded | Failure]) -> Iterator[Loaded | Ready | Failure]:
        """Leave out what is stored as it is; mark what needs no embedding."""
        for some in in_chunks(loaded, self._chunk):
            good = [one for one in some if isinstance(one, Loaded)]
            own = self._ledger.find([one.item.item_id for one in good])
            same = self._ledger.find_contents([one.content_hash for one in good])
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

    def _make_ready(self, one: Loaded | Ready | Failure) -> Ready | Failure:
        if not isinstance(one, Loaded):
            return one
        pixels, vector = None, None
        if isinstance(one.content, np.ndarray):
            vector = normalise(one.content)
        elif one.content is not None:
            assert self._encoder is not None
            try:
                with self._decoding:
                    decoded = self._decode(one.content, one.item.source)
                    pixels = self._encoder.prepare(decoded)
            except ItemError as error:
                return failure(one.item, Stage.DECODE, error.reason, str(error))
        return Ready(
            item=one.item,
            content_hash=one.content_hash,
            pixels=pixels,
            vector=vector,
            before=one.before,
            shards_before=one.shards_before,
        )

    def _settle(self, one: Ready | Failure) -> None:
        """Put one item where its vector will come from."""
        if isinstance(one, Failure):
            self._bury(one)
            return
        place = one.place
        asked_before = one.shards_before < self._shards_finished
        if place is None and asked_before and one.content_hash not in self._rows:
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
        else:
            self._rows[one.content_hash] = []
            self._waiting.append(one)
        if len(self._waiting) >= self._flow.batch_size:
            self._embed_waiting()
        full = self._row_count + len(self._copies) >= self._flow.shard_rows
        if full or time.monotonic() - self._shard_started >= self._flow.checkpoint_s:
            self._finish_shard()

    def _embed_waiting(self) -> None:
        batch, self._waiting = self._waiting, []
        if not batch:
            return
        for one, vector in zip(batch, self._embedding.vectors(batch), strict=True):
            if vector is not None:
                self.report.embedded += 1
                self._add_row(one, vector)

    def _bury_unembedded(self, one: Ready, error: ModelError) -> None:
        self._bury(failure(one.item, Stage.EMBED, Reason.NOT_EMBEDDED, str(error)))
        self._rows.pop(one.content_hash, None)

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
                cause = "the model could not embed an item of the same content"
                self._bury(failure(one.item, Stage.EMBED, Reason.NOT_EMBEDDED, cause))
            else:
                self._copies.append(one)
        rows = [row for same in self._rows.values() for row in same]
        self._rows = {content_hash: [] for content_hash, same in self._rows.items() if not same}
        self._row_count = 0
        if rows:
            with self._embedding.stopwatch:
                rows = self._titles.added(rows, self._before)
            number = self._archive.write(rows)
            self.report.embedded_titles = self._titles.embedded
            self._on_replaced(number, rows, self._before)
            self._before.clear()
            self._ledger.add(number)
            self._shards_finished += 1
            self.report.stored += len(rows)
            self._on_shard(number)
        self._shard_started = time.monotonic()

    def _tell(self) -> None:
        self.report.settled += 1
        self._on_progress(self.report)

    def _bury(self, dead: Failure) -> None:
        self._dead_letters.add(dead)
        self.report.dead += 1
        self.report.dead_by_reason[dead.reason] += 1
