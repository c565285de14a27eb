"""Ingestion: items stream from a source through decoding and the model into the archive.

    source -> fetch and hash -> decode and resize -> embed -> archive -> database
              (threads)         (threads)           (here)    (here)     (thread)

All queues are bounded, so memory does not depend on the catalog's size. Each item
ends as exactly one of stored, unchanged, or a dead letter. The database is fed from
the finished shards by a thread of its own (``indexer.storing``), so one that is away
does not stop the embedding.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

import numpy as np

from indexer.archive import Archive
from indexer.dead_letters import DeadLetters
from indexer.errors import ItemError, ModelError
from indexer.ledger import Ledger, Place
from indexer.protocols import Encoder, Pixels, Source
from indexer.reasons import Reason, Stage
from indexer.records import MAX_SOURCE_BYTES, EmbeddedItem, Failure, FloatArray, Item, Kind
from indexer.vectors import normalise

HOPELESS_ITEMS = 32
"""Items in a row that the model could not embed, after which the model is to blame."""

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """How much is under way at once.

    Attributes:
        workers: threads that decode; the cores there are.
        downloads: threads that read files and fetch URLs.
        batch_size: items embedded in one go.
        shard_rows: rows at which a shard is finished.
        checkpoint_s: seconds of work after which a shard is finished anyway: what a
            kill can cost.
    """

    workers: int = os.cpu_count() or 1
    downloads: int = 16
    batch_size: int = 64
    shard_rows: int = 8192
    checkpoint_s: float = 5.0


@dataclass(slots=True)
class IngestReport:
    """What became of the items: ``read == stored + unchanged + dead``.

    Attributes:
        shared: of the stored, those whose vector was taken from an item of the same content.
        replaced: of the stored, those whose id was in the catalog before.
        embedded: forward passes through the model, in items.
        settled: items whose fate is known or that wait in memory for their shard.
        interrupted: the job was asked to stop before the source ended.
    """

    read: int = 0
    stored: int = 0
    unchanged: int = 0
    dead: int = 0
    shared: int = 0
    replaced: int = 0
    embedded: int = 0
    settled: int = 0
    interrupted: bool = False
    dead_by_reason: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """An item with its content in memory: bytes, or a vector; a text is its title."""

    item: Item
    content_hash: str
    content: bytes | FloatArray | None
    replaces: bool = False
    shards_before: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """An item that can become a row: pixels or text to embed, or a vector that is known.

    Attributes:
        place: where in the archive its vector lies.
        replaces: its id is in the catalog with other content or metadata.
        shares: its vector is that of another item of the same content.
        shards_before: how many shards this job had finished when the ledger was asked.
    """

    item: Item
    content_hash: str
    pixels: Pixels | None = None
    vector: FloatArray | None = None
    place: Place | None = None
    replaces: bool = False
    shares: bool = False
    shards_before: int = 0


class Ingestion:
    """One job that brings a source into the archive.

    Args:
        fetch: bytes of a picture from its ``source``; raises ``ItemError``.
        decode: RGB pixels from bytes and a name for messages; raises ``ItemError``.
        encoder: None where the source is of precomputed vectors only.
        on_shard: called with the number of each finished shard.
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
        on_shard: Callable[[int], None] = lambda _: None,
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
        self._on_progress = on_progress
        self._stop = stop or threading.Event()
        self.report = IngestReport()
        self._waiting: list[_Ready] = []
        self._copies: list[_Ready] = []
        self._rows: dict[str, list[EmbeddedItem]] = {}
        self._shards_finished = 0
        self._row_count = 0
        self._failed_in_a_row = 0
        self._shard_started = time.monotonic()

    def run(self, source: Source) -> IngestReport:
        """Bring in every item of the source; what is stored already is skipped.

        Raises:
            SourceError: the source can't be read on.
        ModelError: the model fails on one item after another.
        """
        with ExitStack() as stack:
            downloads = stack.enter_context(ThreadPoolExecutor(self._flow.downloads))
            workers = stack.enter_context(ThreadPoolExecutor(self._flow.workers))
            ready: Iterator[_Ready | Failure]
            window = 2 * self._flow.batch_size
            items = self._first_sights(self._until_stopped(source))
            if self._encoder is None:  # vectors are at hand: nothing to wait for in threads
                ready = map(self._make_ready, self._changed(map(self._load, items)))
            else:
                loaded = map_in_order(downloads, self._load, items, window=window)
                changed = self._changed(loaded)
                ready = map_in_order(workers, self._make_ready, changed, window=window)
            try:
                for outcome in ready:
                    self._settle(outcome)
                    self._tell()
                self._embed_waiting()
            finally:
                self._finish_shard()
                self._dead_letters.tidy()
        return self.report

    def _until_stopped(self, source: Source) -> Iterator[Item | Failure]:
        for item in source:
            if self._stop.is_set():
                self.report.interrupted = True
                return
            self.report.read += 1
            yield item

    def _first_sights(self, items: Iterable[Item | Failure]) -> Iterator[Item | Failure]:
        for some in in_chunks(items, self._flow.batch_size):
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

    def _load(self, item: Item | Failure) -> _Loaded | Failure:
        if isinstance(item, Failure):
            return item
        if len(item.source.encode()) > MAX_SOURCE_BYTES:
            message = (
                f"the address of {item.item_id!r} has more than {MAX_SOURCE_BYTES:,} bytes, which "
                "the database can't keep: store the picture in a file"
            )
            return failure(item, Stage.READ, Reason.BAD_METADATA, message)
        if item.kind is Kind.TEXT:
            return _Loaded(item=item, content_hash=_sha256(item.title.encode()), content=None)
        if item.kind is Kind.VECTOR:
            assert item.vector is not None
            vector = np.ascontiguousarray(item.vector)
            return _Loaded(item=item, content_hash=_sha256(vector.tobytes()), content=vector)
        try:
            content = item.content if item.content is not None else self._fetch(item.source)
        except ItemError as error:
            return failure(item, Stage.READ, error.reason, str(error))
        return _Loaded(item=item, content_hash=_sha256(content), content=content)

    def _changed(self, loaded: Iterable[_Loaded | Failure]) -> Iterator[_Loaded | _Ready | Failure]:
        """Leave out what is stored as it is; mark what needs no embedding."""
        for some in in_chunks(loaded, self._flow.batch_size):
            good = [one for one in some if isinstance(one, _Loaded)]
            own = self._ledger.find([one.item.item_id for one in good])
            same = self._ledger.find_contents([one.content_hash for one in good])
            for one in some:
                if isinstance(one, Failure):
                    yield one
                else:
                    before = own.get(one.item.item_id)
                    yield from self._compared(one, before, same.get(one.content_hash))

    def _compared(
        self, one: _Loaded, before: Place | None, same: Place | None
    ) -> Iterator[_Loaded | _Ready]:
        """The item, if it is not stored as it is; with a place where its vector is known."""
        same_content = before is not None and before.content_hash == one.content_hash
        if before is not None and same_content and before.row_hash == row_hash(one.item):
            self.report.unchanged += 1
            self._dead_letters.resolve(one.item)
            self._tell()
            return
        place = before if same_content else same
        replaces = before is not None
        if place is None:
            yield replace(one, replaces=replaces, shards_before=self._shards_finished)
        else:
            yield _Ready(
                item=one.item,
                content_hash=one.content_hash,
                place=place,
                replaces=replaces,
                shares=not same_content,
            )

    def _make_ready(self, one: _Loaded | _Ready | Failure) -> _Ready | Failure:
        if not isinstance(one, _Loaded):
            return one
        item, content = one.item, one.content
        ready = _Ready(
            item=item,
            content_hash=one.content_hash,
            replaces=one.replaces,
            shards_before=one.shards_before,
        )
        if isinstance(content, np.ndarray):
            return replace(ready, vector=normalise(content))
        if content is None:
            return ready
        assert self._encoder is not None
        try:
            pixels = self._encoder.prepare(self._decode(content, item.source))
        except ItemError as error:
            return failure(item, Stage.DECODE, error.reason, str(error))
        return replace(ready, pixels=pixels)

    def _settle(self, one: _Ready | Failure) -> None:
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
        try:
            vectors = self._embed(batch)
        except ModelError:
            vectors = self._embed_one_by_one(batch)
        else:
            self._failed_in_a_row = 0
        for one, vector in zip(batch, vectors, strict=True):
            if vector is not None:
                self.report.embedded += 1
                self._add_row(one, vector)

    def _embed(self, batch: list[_Ready]) -> list[FloatArray | None]:
        assert self._encoder is not None
        vectors: list[FloatArray | None] = [None] * len(batch)
        pictures = [place for place, one in enumerate(batch) if one.pixels is not None]
        texts = [place for place, one in enumerate(batch) if one.pixels is None]
        seen = self._encoder.embed_pictures(
            [pixels for one in batch if (pixels := one.pixels) is not None]
        )
        read = self._encoder.embed_texts([batch[place].item.title for place in texts])
        for place, vector in zip([*pictures, *texts], [*seen, *read], strict=True):
            vectors[place] = vector
        return vectors

    def _embed_one_by_one(self, batch: list[_Ready]) -> list[FloatArray | None]:
        """After a batch failed: find the items that the model can't embed, keep the others."""
        vectors: list[FloatArray | None] = []
        for one in batch:
            try:
                vectors += self._embed([one])
            except ModelError as error:
                vectors.append(None)
                self._bury(failure(one.item, Stage.EMBED, Reason.NOT_EMBEDDED, str(error)))
                self._rows.pop(one.content_hash, None)
                self._failed_in_a_row += 1
                if self._failed_in_a_row >= HOPELESS_ITEMS:
                    raise
            else:
                self._failed_in_a_row = 0
        return vectors

    def _add_row(self, one: _Ready, vector: FloatArray) -> None:
        item = one.item
        row = EmbeddedItem(
            item_id=item.item_id,
            kind=item.kind,
            source=item.source,
            title=item.title,
            metadata_json=canonical_json(item.metadata),
            content_hash=one.content_hash,
            row_hash=row_hash(item),
            vector=vector,
        )
        self._rows.setdefault(one.content_hash, []).append(row)
        self._row_count += 1
        self.report.replaced += one.replaces
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
            number = self._archive.write(rows)
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


def map_in_order(
    pool: Executor, function: Callable[[In], Out], inputs: Iterable[In], *, window: int
) -> Iterator[Out]:
    """Like ``map`` over a pool, lazily: at most ``window`` inputs are under way."""
    inputs = iter(inputs)
    under_way = deque(pool.submit(function, one) for one in islice(inputs, window))
    while under_way:
        done = under_way.popleft()
        under_way.extend(pool.submit(function, one) for one in islice(inputs, 1))
        yield done.result()


def in_chunks(values: Iterable[In], size: int) -> Iterator[list[In]]:
    """Lists of at most ``size`` values, in order."""
    values = iter(values)
    while chunk := list(islice(values, size)):
        yield chunk


def failure(item: Item, stage: Stage, reason: Reason, message: str) -> Failure:
    """A dead letter of now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Failure(item=item, stage=stage, reason=reason, message=message, time=now)


def canonical_json(metadata: object) -> str:
    """Metadata as JSON with sorted keys, so that equal metadata is equal text."""
    return json.dumps(metadata, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def row_hash(item: Item) -> str:
    """Hash of what is stored beside the content: a changed price is a changed row."""
    described = [item.kind, item.source, item.title, canonical_json(item.metadata)]
    text = json.dumps(described, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
