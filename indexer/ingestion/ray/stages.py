"""The stages of an ingestion on the workers of a cluster."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeGuard

import numpy as np

from indexer.catalog.options import CatalogOptions
from indexer.core.chunks import in_chunks
from indexer.core.failures import failure
from indexer.core.hashing import sha256
from indexer.core.reasons import Reason, Stage
from indexer.core.records import MAX_SOURCE_BYTES, Failure, Fingerprint, FloatArray, Item, Kind
from indexer.ingestion.embedding import Outcome
from indexer.ingestion.ray.cluster import Cluster
from indexer.ingestion.ray.pool import Pool
from indexer.ingestion.reports import Flow
from indexer.ingestion.stage_values import Elsewhere, Loaded, Ready
from indexer.ingestion.stages import Changed, LocalStages, load
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder, Tally

TEXTS_A_CALL = 512
"""Titles that a worker embeds in one go: it puts those of one length into one batch."""


@contextlib.contextmanager
def ray_stages(
    cluster: Cluster, model: CatalogOptions, *, fetcher: Fetcher, decoder: Decoder, flow: Flow
) -> Iterator[RayStages]:
    """Workers that read, decode and embed, each with the model.

    Args:
        model: names it; nothing else of these options is used.

    Raises:
        ModelError: a worker does not find the model.
        ClusterError: the cluster has no room, or workers died again and again.
    """
    make = _Making(
        model=replace(model, token="", db=None),
        fetcher=fetcher,
        decoder=decoder,
        flow=replace(flow, workers=cluster.cores),
    )
    with Pool(cluster, make) as pool:
        yield RayStages(pool, flow=make.flow)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Making:
    """What a worker makes its stages of."""

    model: CatalogOptions
    fetcher: Fetcher
    decoder: Decoder
    flow: Flow

    def __call__(self) -> _Stages:
        assert self.model.model is not None
        encoder = self.model.load_encoder(self.model.model)
        decoder = replace(self.decoder, least_side=encoder.least_side)
        stages = LocalStages(
            fetch=self.fetcher.read, decode=decoder.decode, encoder=encoder, flow=self.flow
        )
        return _Stages(stages, encoder, self.flow, decoder.ignored_profiles)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ToEmbed:
    """One item of a batch, as far as a worker needs it.

    Attributes:
        content: of a picture that came with its bytes; None where a fetch has them.
        fetch: which of the fetches that go with the call has the content.
        place: in it.
    """

    item: Item
    content_hash: str
    content: bytes | None = None
    fetch: int | None = None
    place: int = 0


@dataclass(frozen=True, slots=True)
class _Embedded:
    """What became of a batch, and the seconds that it took."""

    outcomes: list[Outcome]
    decoding_s: float
    embedding_s: float
    ignored_profiles: int


class _Stages:
    """What a worker does; its calls come from several threads."""

    def __init__(
        self, stages: LocalStages, encoder: Any, flow: Flow, ignored_profiles: Tally
    ) -> None:
        self._stages = stages
        self._ignored_profiles = ignored_profiles
        self._encoder = encoder
        self._downloads = ThreadPoolExecutor(flow.downloads)
        self._decoders = ThreadPoolExecutor(flow.workers)
        self._model = threading.Lock()

    def fingerprint(self) -> Fingerprint:
        """The model's."""
        with self._model:
            found: Fingerprint = self._encoder.fingerprint
            return found

    def fetch(self, items: Sequence[Item]) -> tuple[list[Loaded | Failure], list[bytes]]:
        """Hashes or failures, and the contents: the first goes to the driver, the second stays."""
        found = list(self._downloads.map(self._stages.load, items))
        contents = [
            one.content if isinstance(one, Loaded) and isinstance(one.content, bytes) else b""
            for one in found
        ]
        told = [replace(one, content=None) if isinstance(one, Loaded) else one for one in found]
        return told, contents

    def embed(self, batch: Sequence[_ToEmbed], *fetched: Sequence[bytes]) -> _Embedded:
        """A vector or a failure for each, in order."""
        before_s = self._stages.decoding_s
        ready = list(self._decoders.map(partial(self._decoded, fetched=fetched), batch))
        decoding_s = self._stages.decoding_s - before_s
        good = [one for one in ready if isinstance(one, Ready)]
        with self._model:
            before_s = self._stages.embedding_s
            found = iter(self._stages.embed(good) if good else [])
            embedding_s = self._stages.embedding_s - before_s
        outcomes = [next(found)[1] if isinstance(one, Ready) else one for one in ready]
        return _Embedded(outcomes, decoding_s, embedding_s, self._ignored_profiles.take())

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, d), in order."""
        with self._model:
            vectors: FloatArray = self._encoder.embed_texts(texts)
        return vectors

    def _decoded(self, one: _ToEmbed, *, fetched: Sequence[Sequence[bytes]]) -> Ready | Failure:
        content = one.content if one.fetch is None else fetched[one.fetch][one.place]
        # A content that was lost with its machine was fetched again, and may be another.
        if content is not None and sha256(content) != one.content_hash:
            message = f"{one.item.source} changed while it was read; zeroshelf retry takes it"
            return failure(one.item, Stage.READ, Reason.CHANGED, message)
        loaded = Loaded(item=one.item, content_hash=one.content_hash, content=content)
        return self._stages.decoded(loaded)


@dataclass(frozen=True, slots=True, eq=False)
class _Fetch:
    """Contents that a worker's machine holds."""

    worker: int
    contents: Any


class RayStages:
    """The stages on workers, as the driver sees them."""

    def __init__(self, pool: Pool, *, flow: Flow) -> None:
        self._pool = pool
        self.chunk = flow.batch_size
        self.decoders = flow.workers * len(pool)
        self.decoding_s = 0.0
        self.ignored_profiles = Tally()
        self._embedding_s = 0.0
        self._embedding: deque[tuple[Sequence[Ready], Any]] = deque()
        # All at once, so that each worker has the model before there is work.
        starting = [pool.call(worker, "fingerprint") for worker in range(len(pool))]
        self.fingerprints: list[Fingerprint] = [pool.result(one) for one in starting]
        """The model's, on each worker."""

    @property
    def embedding_s(self) -> float:
        """Seconds in which a model was at work, the mean of the workers."""
        return self._embedding_s / len(self._pool)

    def ready(
        self, items: Iterable[Item | Failure], changed: Changed
    ) -> Generator[Ready | Failure]:
        """Fetch on the workers, let ``changed`` leave out what is stored; nothing is decoded."""
        for one in changed(self._loaded(items)):
            if not isinstance(one, Loaded):
                yield one
                continue
            assert not isinstance(one.content, np.ndarray)
            yield Ready(
                item=one.item,
                content_hash=one.content_hash,
                pixels=one.content,
                before=one.before,
                shards_before=one.shards_before,
            )

    def embed(self, batch: Sequence[Ready]) -> Iterator[tuple[Ready, Outcome]]:
        """Begin this batch; the outcomes of earlier ones, in order, once there are enough.

        Raises:
            ModelError: the model fails on one item after another.
        """
        fetches = dict.fromkeys(
            one.pixels.held for one in batch if isinstance(one.pixels, Elsewhere)
        )
        numbers = {held: number for number, held in enumerate(fetches)}
        held = [one for one in fetches if isinstance(one, _Fetch)]
        worker = held[0].worker if held else self._pool.least_busy()
        described = [_to_embed(one, numbers) for one in batch]
        call = self._pool.call(worker, "embed", described, *(one.contents for one in held))
        self._embedding.append((batch, call))
        while len(self._embedding) > self._pool.window:
            yield from self._oldest()

    def rest(self) -> Iterator[tuple[Ready, Outcome]]:
        """The outcomes that lack."""
        while self._embedding:
            yield from self._oldest()

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, d), in order; neighbours in length go to one worker."""
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        calls = [
            self._pool.call(
                self._pool.least_busy(), "embed_texts", [texts[place] for place in some]
            )
            for some in in_chunks(order, TEXTS_A_CALL)
        ]
        vectors = np.concatenate([self._pool.result(call) for call in calls])
        found = np.empty_like(vectors)
        found[order] = vectors
        return found

    def _oldest(self) -> Iterator[tuple[Ready, Outcome]]:
        batch, call = self._embedding.popleft()
        found: _Embedded = self._pool.result(call)
        self.decoding_s += found.decoding_s
        self._embedding_s += found.embedding_s
        self.ignored_profiles.count += found.ignored_profiles
        for one, outcome in zip(batch, found.outcomes, strict=True):
            if isinstance(outcome, Failure):
                outcome = replace(outcome, item=one.item)
            yield replace(one, pixels=None), outcome

    def _loaded(self, items: Iterable[Item | Failure]) -> Iterator[Loaded | Failure]:
        under_way: deque[tuple[list[Item | Failure], _Fetch | None, Any]] = deque()
        for some in in_chunks(items, self.chunk):
            under_way.append((some, *self._fetch(some)))
            if len(under_way) > self._pool.window:
                yield from self._fetched(*under_way.popleft())
        while under_way:
            yield from self._fetched(*under_way.popleft())

    def _fetch(self, some: Sequence[Item | Failure]) -> tuple[_Fetch | None, Any]:
        wanted = [_described(one) for one in some if _is_fetched(one)]
        if not wanted:
            return None, None
        worker = self._pool.least_busy()
        told, contents = self._pool.call(worker, "fetch", wanted, returns=2)
        return _Fetch(worker, contents), told

    def _fetched(
        self, some: Sequence[Item | Failure], held: _Fetch | None, told: Any
    ) -> Iterator[Loaded | Failure]:
        found = enumerate(self._pool.result(told) if held is not None else [])
        for item in some:
            if not _is_fetched(item):
                yield load(item, _no_fetch)
                continue
            place, one = next(found)
            if isinstance(one, Loaded):
                yield replace(one, item=item, content=Elsewhere(held, place))
            else:
                yield replace(one, item=item)


def _is_fetched(item: Item | Failure) -> TypeGuard[Item]:
    """Whether a worker reads the item: its content is neither here nor its title."""
    return (
        isinstance(item, Item)
        and item.kind is Kind.PICTURE
        and item.content is None
        and len(item.source.encode()) <= MAX_SOURCE_BYTES
    )


def _no_fetch(source: str) -> bytes:
    raise AssertionError(f"{source} is read on a worker")


def _described(item: Item) -> Item:
    """What a worker needs of an item."""
    title = item.title if item.kind is Kind.TEXT else ""
    return replace(item, title=title, metadata={}, content=None)


def _to_embed(one: Ready, numbers: dict[object, int]) -> _ToEmbed:
    described = _ToEmbed(item=_described(one.item), content_hash=one.content_hash)
    if isinstance(one.pixels, Elsewhere):
        place = one.pixels
        return replace(described, fetch=numbers[place.held], place=place.place)
    assert not isinstance(one.pixels, np.ndarray)
    return replace(described, content=one.pixels)
