"""The stages of an ingestion, in threads: read, decode, embed.

A stage maps an item, or a batch of them, to as many outcomes, in order. A bad item is a
``Failure``; broken infrastructure raises.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

import numpy as np

from indexer.core.chunks import in_chunks, map_in_order
from indexer.core.credentials import is_web
from indexer.core.errors import ItemError
from indexer.core.hashing import part_hash, sha256
from indexer.core.protocols import Encoder, Pixels, SoundInput
from indexer.core.reasons import Reason, Stage
from indexer.core.records import MAX_SOURCE_BYTES, Failure, Item, Kind, failure
from indexer.core.vectors import normalise
from indexer.ingestion.embedding import Embedding, Outcome
from indexer.ingestion.reports import PipelineSizes, Stopwatch
from indexer.ingestion.segments import Fetch, content_of
from indexer.ingestion.stage_values import Loaded, Ready
from indexer.sources.decoding.sounds import SoundDecoder
from indexer.sources.web import Downloaded

VECTORS_A_CHUNK = 1024
"""Precomputed vectors that are looked up together; no model's batch size limits them."""

DownloadItem = Callable[[Item], Downloaded]
"""Downloads a picture; raises ``ItemError``."""

SkipUnchanged = Callable[[Iterable[Loaded | Failure]], Iterator[Loaded | Ready | Failure]]
"""Leaves out unchanged items; items that need no embedding come back ready."""


class Stages(Protocol):
    """Where items are read, decoded and embedded.

    Attributes:
        chunk: items that are looked up in the ledger together.
        decoders: threads that decode.
        decoding_s: seconds of decoding, summed over the threads.
        embedding_s: seconds in which the model computed; the mean of several models.
    """

    @property
    def chunk(self) -> int: ...  # noqa: D102 - see above
    @property
    def decoders(self) -> int: ...  # noqa: D102
    @property
    def decoding_s(self) -> float: ...  # noqa: D102
    @property
    def embedding_s(self) -> float: ...  # noqa: D102

    def ready(
        self, items: Iterable[Item | Failure], skip_unchanged: SkipUnchanged
    ) -> Generator[Ready | Failure]:
        """Read the items, leave out unchanged ones, and prepare the others."""
        ...

    def embed(self, batch: Sequence[Ready]) -> Iterable[tuple[Ready, Outcome]]:
        """Embed a batch; the outcomes may be those of earlier batches."""
        ...

    def remaining(self) -> Iterable[tuple[Ready, Outcome]]:
        """The outcomes that are still missing."""
        ...


class LocalStages:
    """The stages in this process: threads read and decode, the caller's embeds.

    Where the model computes on the cores that decode, they take turns, a batch each: if a
    decoding thread took the core of one of the model's threads, all the others would wait for
    it. Beside a model on another device, the next batches are decoded.

    Args:
        decode: RGB pixels from bytes and a name for messages; raises ``ItemError``.
        encoder: None where the source is of precomputed vectors only.
        sounds: decodes sounds; None takes the default limits.
        download: downloads pictures of the web; None uses ``fetch`` for them.
    """

    def __init__(
        self,
        *,
        fetch: Fetch,
        decode: Callable[[bytes, str], Pixels],
        encoder: Encoder | None,
        sizes: PipelineSizes,
        sounds: SoundDecoder | None = None,
        download: DownloadItem | None = None,
    ) -> None:
        self._fetch = fetch
        self._download = download
        self._decode = decode
        self._sounds = sounds or SoundDecoder()
        self._encoder = encoder
        self._sizes = sizes
        self._decoding = Stopwatch()
        self._embedding = Embedding(encoder)
        self.chunk = sizes.batch_size if encoder is not None else VECTORS_A_CHUNK
        self.decoders = sizes.workers

    @property
    def decoding_s(self) -> float:
        """Seconds of decoding, summed over the threads."""
        return self._decoding.seconds

    @property
    def embedding_s(self) -> float:
        """Seconds in which the model computed."""
        return self._embedding.stopwatch.seconds

    def ready(
        self, items: Iterable[Item | Failure], skip_unchanged: SkipUnchanged
    ) -> Generator[Ready | Failure]:
        """Read the items, leave out unchanged ones, and decode the others."""
        if self._encoder is None:  # precomputed vectors: nothing to wait for in threads
            yield from map(self.decode, skip_unchanged(map(self.load, items)))
            return
        sizes = self._sizes
        window = 2 * sizes.batch_size
        with (
            ThreadPoolExecutor(sizes.downloads) as downloads,
            ThreadPoolExecutor(sizes.workers) as workers,
        ):
            # A video takes long to come: what came before it is not kept waiting.
            within_s = sizes.checkpoint_s
            loaded = map_in_order(downloads, self.load, items, window=window, within_s=within_s)
            # Small groups, since pictures take unequally long to decode.
            group = max(1, sizes.batch_size // (8 * sizes.workers))
            decode = partial(map_in_order, workers, self.decode, at_once=group)
            if self._encoder.takes_all_cores:
                batches = in_chunks(skip_unchanged(loaded), sizes.batch_size, within_s=within_s)
                for batch in batches:
                    # Decode all of them before the first is passed on: it may complete a batch
                    # of the model, which would then compute while the others are decoded.
                    yield from list(decode(batch, window=sizes.batch_size))
            else:
                yield from decode(skip_unchanged(loaded), window=window, within_s=within_s)

    def embed(self, batch: Sequence[Ready]) -> list[tuple[Ready, Outcome]]:
        """Outcomes of this batch.

        Raises:
            ModelError: the model fails on one item after another.
        """
        return list(zip(batch, self._embedding.outcomes(batch), strict=True))

    def remaining(self) -> list[tuple[Ready, Outcome]]:
        """Nothing: ``embed`` gives the outcomes of its own batch."""
        return []

    def load(self, item: Item | Failure) -> Loaded | Failure:
        """An item with its content."""
        return load(item, self._fetch, self._download)

    def decode(self, entry: Loaded | Ready | Failure) -> Ready | Failure:
        """A picture or a sound as the model's input, a precomputed vector at length 1."""
        if not isinstance(entry, Loaded):
            return entry
        decoded, vector = None, None
        if isinstance(entry.content, np.ndarray):
            # One that is carried over from another generation has length 1, to the last bit.
            vector = entry.content if entry.item.content_hash else normalise(entry.content)
        elif isinstance(entry.content, bytes):
            try:
                with self._decoding:
                    decoded = self._decoded(entry.item, entry.content)
            except ItemError as error:
                return failure(entry.item, Stage.DECODE, error.reason, str(error))
        return entry.ready(decoded, vector)

    def _decoded(self, item: Item, content: bytes) -> Pixels | SoundInput:
        encoder = self._encoder
        assert encoder is not None
        if item.kind is Kind.SOUND:
            rate = encoder.sound_rate
            assert rate is not None, "the segmenter refuses sounds that no model hears"
            samples = self._sounds.decode(content, item.source, item.part, rate=rate)
            return encoder.prepare_sound(samples)
        return encoder.prepare(self._decode(content, item.source))


def no_fetch(source: str) -> bytes:
    """For ``load``, of items that are not read from anywhere."""
    raise AssertionError(f"{source} is not read here")


def content_hash(item: Item, content: bytes) -> str:
    """Hash of an item's content, or of the part of it that the item is."""
    return part_hash(item.file_hash or sha256(content), item.part)


def load(
    item: Item | Failure, fetch: Fetch, download: DownloadItem | None = None
) -> Loaded | Failure:
    """An item with its content and its hash, or a failure.

    Args:
        download: downloads pictures of the web; None uses ``fetch`` for them.
    """
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
    if item.vector is not None:
        vector = np.ascontiguousarray(item.vector)
        vector_hash = item.content_hash or sha256(vector.tobytes())
        return Loaded(item=item, content_hash=vector_hash, content=vector)
    try:
        if download is not None and item.content is None and is_web(item.source):
            downloaded = download(item)
            return Loaded(
                item=item,
                content_hash=downloaded.download.content_hash,
                content=downloaded.content,
                download=downloaded.download,
            )
        content = content_of(item, fetch)
    except ItemError as error:
        return failure(item, Stage.READ, error.reason, str(error))
    loaded = Loaded(item=item, content_hash=content_hash(item, content), content=content)
    if item.content_hash not in {"", loaded.content_hash}:
        message = f"{item.source} is not what it was; zeroshelf retry takes it as it is now"
        return failure(item, Stage.READ, Reason.CHANGED, message)
    return loaded
