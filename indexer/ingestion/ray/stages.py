"""The stages of an ingestion on the workers of a cluster."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeGuard

import numpy as np

from indexer.catalog.fingerprints import same_model
from indexer.catalog.options import CatalogOptions
from indexer.core.chunks import in_chunks
from indexer.core.errors import ModelMismatchError
from indexer.core.protocols import Encoder
from indexer.core.reasons import Reason, Stage
from indexer.core.records import (
    MAX_SOURCE_BYTES,
    Failure,
    Fingerprint,
    FloatArray,
    Item,
    Kind,
    failure,
)
from indexer.ingestion.embedding import Outcome
from indexer.ingestion.ray.cluster import Cluster
from indexer.ingestion.ray.pool import Call, Output, Pool
from indexer.ingestion.reports import PipelineSizes
from indexer.ingestion.stage_values import Loaded, Ready, RemoteContent
from indexer.ingestion.stages import LocalStages, SkipUnchanged, content_hash, load, no_fetch
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder, Tally

TEXTS_A_CALL = 512
"""Titles that a worker embeds in one call; its encoder sorts them by length into batches."""


@contextlib.contextmanager
def ray_stages(
    cluster: Cluster,
    model: CatalogOptions,
    *,
    fetcher: Fetcher,
    decoder: Decoder,
    sizes: PipelineSizes,
) -> Iterator[RayStages]:
    """Workers that read, decode and embed, each with the model.

    Args:
        model: options that name the model; the others are not used.

    Raises:
        ModelError: a worker does not find the model.
        ClusterError: no worker fits on the cluster, or workers died repeatedly.
    """
    worker_sizes = replace(sizes, workers=cluster.cores)
    # Without what a worker does not need: a password is not to travel.
    worker_model = replace(model, token="", db=None)
    make = partial(_worker_stages, worker_model, fetcher, decoder, worker_sizes)
    with Pool(cluster, make) as pool:
        yield RayStages(pool, sizes=worker_sizes)


def _worker_stages(
    model: CatalogOptions, fetcher: Fetcher, decoder: Decoder, sizes: PipelineSizes
) -> _WorkerStages:
    """Make the stages of a worker, on it."""
    assert model.model is not None
    encoder = model.load_encoder(model.model)
    decoder = replace(decoder, least_side=encoder.least_side)
    stages = LocalStages(fetch=fetcher.read, decode=decoder.decode, encoder=encoder, sizes=sizes)
    return _WorkerStages(stages, encoder, sizes, decoder.ignored_profiles)


@dataclass(frozen=True, slots=True, kw_only=True)
class _EmbedRequest:
    """What a worker needs of one item of a batch.

    Attributes:
        content: of a picture that came with its bytes; None where it was fetched.
        fetch: number of the fetch, among the arguments of the call, that has the content.
        place: of the content in that fetch.
    """

    item: Item
    content_hash: str
    content: bytes | None = None
    fetch: int | None = None
    place: int = 0


@dataclass(frozen=True, slots=True)
class _EmbedResult:
    """Outcomes of a batch, the model, and the seconds that it took."""

    fingerprint: Fingerprint
    outcomes: list[Outcome]
    decoding_s: float
    embedding_s: float
    ignored_profiles: int


class _WorkerStages:
    """The methods of a worker; several threads call them."""

    def __init__(
        self, stages: LocalStages, encoder: Encoder, sizes: PipelineSizes, ignored_profiles: Tally
    ) -> None:
        self._stages = stages
        self._ignored_profiles = ignored_profiles
        self._encoder = encoder
        self._downloads = ThreadPoolExecutor(sizes.downloads)
        self._decoders = ThreadPoolExecutor(sizes.workers)
        self._model = threading.Lock()

    def fingerprint(self) -> Fingerprint:
        """The model's fingerprint."""
        with self._model:
            return self._encoder.fingerprint

    def longest_sound_s(self) -> float | None:
        """Seconds of the longest sound that the model takes whole."""
        return self._encoder.longest_sound_s

    def fetch(self, items: Sequence[Item]) -> tuple[list[Loaded | Failure], list[bytes]]:
        """Hashes or failures for the driver, and the contents, which stay on the worker."""
        fetched = list(self._downloads.map(self._stages.load, items))
        contents = [
            outcome.content
            if isinstance(outcome, Loaded) and isinstance(outcome.content, bytes)
            else b""
            for outcome in fetched
        ]
        outcomes = [
            replace(outcome, content=None) if isinstance(outcome, Loaded) else outcome
            for outcome in fetched
        ]
        return outcomes, contents

    def embed(self, batch: Sequence[_EmbedRequest], *fetched: Sequence[bytes]) -> _EmbedResult:
        """A vector or a failure for each request, in order."""
        before_s = self._stages.decoding_s
        ready = list(self._decoders.map(partial(self._decode, fetched=fetched), batch))
        decoding_s = self._stages.decoding_s - before_s
        decoded = [entry for entry in ready if isinstance(entry, Ready)]
        with self._model:
            before_s = self._stages.embedding_s
            embedded = iter(self._stages.embed(decoded) if decoded else [])
            embedding_s = self._stages.embedding_s - before_s
        outcomes = [next(embedded)[1] if isinstance(entry, Ready) else entry for entry in ready]
        return _EmbedResult(
            self._encoder.fingerprint,
            outcomes,
            decoding_s,
            embedding_s,
            self._ignored_profiles.take(),
        )

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, d), in order."""
        with self._model:
            return self._encoder.embed_texts(texts)

    def _decode(
        self, request: _EmbedRequest, *, fetched: Sequence[Sequence[bytes]]
    ) -> Ready | Failure:
        content = (
            request.content if request.fetch is None else fetched[request.fetch][request.place]
        )
        # A content that was lost with its machine is fetched again, and may have changed.
        if content is not None and content_hash(request.item, content) != request.content_hash:
            message = f"{request.item.source} changed while it was read; zeroshelf retry takes it"
            return failure(request.item, Stage.READ, Reason.CHANGED, message)
        loaded = Loaded(item=request.item, content_hash=request.content_hash, content=content)
        return self._stages.decode(loaded)


class RayStages:
    """The driver's side of the stages on workers."""

    def __init__(self, pool: Pool, *, sizes: PipelineSizes) -> None:
        self._pool = pool
        self.chunk = sizes.batch_size
        self.decoders = sizes.workers * len(pool)
        self.decoding_s = 0.0
        self.ignored_profiles = Tally()
        self._embedding_s = 0.0
        self._embedding: deque[tuple[Sequence[Ready], Call]] = deque()
        # All at once, so that every worker loads its model at the start.
        starting = pool.call_all("fingerprint")
        self.fingerprints: list[Fingerprint] = [pool.result(call) for call in starting]
        """The model's, on each worker."""
        self.longest_sound_s: float | None = pool.result(pool.call_all("longest_sound_s")[0])
        """Seconds of the longest sound that the model takes whole; None for no limit."""

    @property
    def lost_workers(self) -> int:
        """Workers that died, or whose machine did."""
        return self._pool.lost_workers

    @property
    def repeated_batches(self) -> int:
        """Batches that were read or embedded again for it."""
        return self._pool.repeated_calls

    @property
    def embedding_s(self) -> float:
        """Seconds in which a model computed, the mean of the workers."""
        return self._embedding_s / max(1, len(self._pool))

    def ready(
        self, items: Iterable[Item | Failure], skip_unchanged: SkipUnchanged
    ) -> Generator[Ready | Failure]:
        """Fetch on the workers and leave out unchanged items; nothing is decoded yet."""
        for entry in skip_unchanged(self._fetch_all(items)):
            if not isinstance(entry, Loaded):
                yield entry
                continue
            if isinstance(entry.content, np.ndarray):
                yield entry.ready(vector=entry.content)
            else:
                yield entry.ready(entry.content)

    def embed(self, batch: Sequence[Ready]) -> Iterator[tuple[Ready, Outcome]]:
        """Start a batch; gives the outcomes of earlier ones, in order, when the window is full.

        Raises:
            ModelError: the model fails on one item after another.
        """
        fetches = dict.fromkeys(
            entry.decoded.handle for entry in batch if isinstance(entry.decoded, RemoteContent)
        )
        numbers = {fetch: number for number, fetch in enumerate(fetches)}
        requests = [_embed_request(entry, numbers) for entry in batch]
        contents = [Output(fetch, 1) for fetch in fetches if isinstance(fetch, Call)]
        call = self._pool.call("embed", requests, inputs=contents)
        self._embedding.append((batch, call))
        while len(self._embedding) > self._pool.window:
            yield from self._oldest_outcomes()

    def remaining(self) -> Iterator[tuple[Ready, Outcome]]:
        """The outcomes that are still missing."""
        while self._embedding:
            yield from self._oldest_outcomes()

    def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """float32 (n, d), in order; texts of similar length go to one worker."""
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
        calls = [
            self._pool.call("embed_texts", [texts[place] for place in chunk])
            for chunk in in_chunks(order, TEXTS_A_CALL)
        ]
        sorted_vectors = np.concatenate([self._pool.result(call) for call in calls])
        vectors = np.empty_like(sorted_vectors)
        vectors[order] = sorted_vectors
        return vectors

    def _oldest_outcomes(self) -> Iterator[tuple[Ready, Outcome]]:
        batch, call = self._embedding.popleft()
        result: _EmbedResult = self._pool.result(call)
        self._require_same_model(result.fingerprint)
        self.decoding_s += result.decoding_s
        self._embedding_s += result.embedding_s
        self.ignored_profiles.count += result.ignored_profiles
        for entry, outcome in zip(batch, result.outcomes, strict=True):
            if isinstance(outcome, Failure):
                outcome = replace(outcome, item=entry.item)
            yield replace(entry, decoded=None), outcome

    def _require_same_model(self, fingerprint: Fingerprint) -> None:
        """Refuse the model of a worker that came later, if it is another one.

        Raises:
            ModelMismatchError: it is.
        """
        if not same_model(self.fingerprints[0], fingerprint):
            raise ModelMismatchError(
                f"a worker that was started later has another model {fingerprint.model!r} than "
                "those before it: put the same files on each machine, and run the command again"
            )

    def _fetch_all(self, items: Iterable[Item | Failure]) -> Iterator[Loaded | Failure]:
        pending: deque[tuple[list[Item | Failure], Call | None]] = deque()
        for chunk in in_chunks(items, self.chunk):
            pending.append((chunk, self._fetch(chunk)))
            if len(pending) > self._pool.window:
                yield from self._with_contents(*pending.popleft())
        while pending:
            yield from self._with_contents(*pending.popleft())

    def _fetch(self, chunk: Sequence[Item | Failure]) -> Call | None:
        to_fetch = [_without_content(item) for item in chunk if _is_read_by_worker(item)]
        return self._pool.call("fetch", to_fetch, returns=2) if to_fetch else None

    def _with_contents(
        self, chunk: Sequence[Item | Failure], fetch: Call | None
    ) -> Iterator[Loaded | Failure]:
        results = enumerate([] if fetch is None else self._pool.result(fetch))
        for item in chunk:
            if not _is_read_by_worker(item):
                yield load(item, no_fetch)
                continue
            place, result = next(results)
            if isinstance(result, Loaded):
                yield replace(result, item=item, content=RemoteContent(fetch, place))
            else:
                yield replace(result, item=item)


def _is_read_by_worker(item: Item | Failure) -> TypeGuard[Item]:
    """Whether a worker reads the item: a picture whose content is not here."""
    return (
        isinstance(item, Item)
        and item.kind is Kind.PICTURE
        and item.content is None
        and item.vector is None
        and len(item.source.encode()) <= MAX_SOURCE_BYTES
    )


def _without_content(item: Item) -> Item:
    """The item without the fields that a worker does not need."""
    title = item.title if item.kind is Kind.TEXT else ""
    return replace(item, title=title, metadata={}, content=None)


def _embed_request(entry: Ready, numbers: dict[object, int]) -> _EmbedRequest:
    request = _EmbedRequest(item=_without_content(entry.item), content_hash=entry.content_hash)
    if isinstance(entry.decoded, RemoteContent):
        content = entry.decoded
        return replace(request, fetch=numbers[content.handle], place=content.place)
    assert entry.decoded is None or isinstance(entry.decoded, bytes)
    return replace(request, content=entry.decoded)
