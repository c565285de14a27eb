"""The stages of an ingestion that take time: read, decode, embed; here in threads.

A stage maps one item, or a batch of them, to as many outcomes, in order. A bad item is a
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
from indexer.core.failures import failure
from indexer.core.hashing import sha256
from indexer.core.protocols import Encoder, Pixels
from indexer.core.reasons import Reason, Stage
from indexer.core.records import MAX_SOURCE_BYTES, Download, Failure, Item, Kind
from indexer.core.vectors import normalise
from indexer.ingestion.embedding import Embedding, Outcome
from indexer.ingestion.reports import Flow, Stopwatch
from indexer.ingestion.stage_values import Loaded, Ready

VECTORS_A_CHUNK = 1024
"""Given vectors are looked up so many at a time: there is no batch of the model to keep to."""

Fetch = Callable[[str], bytes]
"""Bytes of a picture from its ``source``; raises ``ItemError``."""


class Downloaded(Protocol):
    """What became of a URL: its content, or None where that is known by its hash."""

    @property
    def content(self) -> bytes | None: ...  # noqa: D102 - told above
    @property
    def download(self) -> Download: ...  # noqa: D102


DownloadItem = Callable[[Item], Downloaded]
"""What a picture's URL gives; raises ``ItemError``."""

Changed = Callable[[Iterable[Loaded | Failure]], Iterator[Loaded | Ready | Failure]]
"""Leaves out what is stored as it is; what needs no embedding comes back ready."""


class Stages(Protocol):
    """Where items are read, decoded and embedded.

    Attributes:
        chunk: items that are looked up in the ledger together.
        decoders: threads that decode.
        decoding_s: seconds in which they were at work, all together.
        embedding_s: seconds in which the model was at work; of many models, their mean.
    """

    @property
    def chunk(self) -> int: ...  # noqa: D102 - told above
    @property
    def decoders(self) -> int: ...  # noqa: D102
    @property
    def decoding_s(self) -> float: ...  # noqa: D102
    @property
    def embedding_s(self) -> float: ...  # noqa: D102

    def ready(
        self, items: Iterable[Item | Failure], changed: Changed
    ) -> Generator[Ready | Failure]:
        """Read the items, let ``changed`` leave out what is stored, and prepare the others."""
        ...

    def embed(self, batch: Sequence[Ready]) -> Iterable[tuple[Ready, Outcome]]:
        """Outcomes of this batch or of earlier ones; those that lack come later."""
        ...

    def rest(self) -> Iterable[tuple[Ready, Outcome]]:
        """The outcomes that lack."""
        ...


class LocalStages:
    """The stages in this process: threads read and decode, the caller's embeds.

    Where the model computes on the cores that decode, they take turns, a batch each: a thread
    of the model that has lost its core for a picture is waited for by all its others. Beside
    a model that is elsewhere, the next batches are decoded.

    Args:
        decode: RGB pixels from bytes and a name for messages; raises ``ItemError``.
        encoder: None where the source is of precomputed vectors only.
        download: reads what lies on the web; None has ``fetch`` read it.
    """

    def __init__(
        self,
        *,
        fetch: Fetch,
        decode: Callable[[bytes, str], Pixels],
        encoder: Encoder | None,
        flow: Flow,
        download: DownloadItem | None = None,
    ) -> None:
        self._fetch = fetch
        self._download = download
        self._decode = decode
        self._encoder = encoder
        self._flow = flow
        self._decoding = Stopwatch()
        self._embedding = Embedding(encoder)
        self.chunk = flow.batch_size if encoder is not None else VECTORS_A_CHUNK
        self.decoders = flow.workers

    @property
    def decoding_s(self) -> float:
        """Seconds in which threads decoded, all together."""
        return self._decoding.seconds

    @property
    def embedding_s(self) -> float:
        """Seconds in which the model was at work."""
        return self._embedding.stopwatch.seconds

    def ready(
        self, items: Iterable[Item | Failure], changed: Changed
    ) -> Generator[Ready | Failure]:
        """Read the items, let ``changed`` leave out what is stored, and decode the others."""
        if self._encoder is None:  # vectors are at hand: nothing to wait for in threads
            yield from map(self.decoded, changed(map(self.load, items)))
            return
        flow = self._flow
        window = 2 * flow.batch_size
        with (
            ThreadPoolExecutor(flow.downloads) as downloads,
            ThreadPoolExecutor(flow.workers) as workers,
        ):
            loaded = map_in_order(downloads, self.load, items, window=window)
            # So few that threads come for more: pictures take unequally long.
            some = max(1, flow.batch_size // (8 * flow.workers))
            decode = partial(map_in_order, workers, self.decoded, at_once=some)
            if self._encoder.takes_all_cores:
                for batch in in_chunks(changed(loaded), flow.batch_size):
                    # All of them before the first goes on: that one may fill a batch, since
                    # of those before some were dead letters or copies.
                    yield from list(decode(batch, window=flow.batch_size))
            else:
                yield from decode(changed(loaded), window=window)

    def embed(self, batch: Sequence[Ready]) -> list[tuple[Ready, Outcome]]:
        """Outcomes of this batch.

        Raises:
            ModelError: the model fails on one item after another.
        """
        return list(zip(batch, self._embedding.outcomes(batch), strict=True))

    def rest(self) -> list[tuple[Ready, Outcome]]:
        """Nothing: no outcome lacks."""
        return []

    def load(self, item: Item | Failure) -> Loaded | Failure:
        """An item with its content."""
        return load(item, self._fetch, self._download)

    def decoded(self, one: Loaded | Ready | Failure) -> Ready | Failure:
        """A picture as the model's input, a given vector at length 1."""
        if not isinstance(one, Loaded):
            return one
        pixels, vector = None, None
        if isinstance(one.content, np.ndarray):
            vector = normalise(one.content)
        elif isinstance(one.content, bytes):
            assert self._encoder is not None
            try:
                with self._decoding:
                    pixels = self._encoder.prepare(self._decode(one.content, one.item.source))
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


def load(
    item: Item | Failure, fetch: Fetch, download: DownloadItem | None = None
) -> Loaded | Failure:
    """An item with its content and the hash of it; a bad one as a failure.

    Args:
        download: reads what lies on the web; None reads it as all else.
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
    if item.kind is Kind.VECTOR:
        assert item.vector is not None
        vector = np.ascontiguousarray(item.vector)
        return Loaded(item=item, content_hash=sha256(vector.tobytes()), content=vector)
    try:
        if download is not None and item.content is None and is_web(item.source):
            found = download(item)
            return Loaded(
                item=item,
                content_hash=found.download.content_hash,
                content=found.content,
                download=found.download,
            )
        content = item.content if item.content is not None else fetch(item.address or item.source)
    except ItemError as error:
        return failure(item, Stage.READ, error.reason, str(error))
    loaded = Loaded(item=item, content_hash=sha256(content), content=content)
    if item.content_hash not in {"", loaded.content_hash}:
        message = f"{item.source} is not what it was; zeroshelf retry takes it as it is now"
        return failure(item, Stage.READ, Reason.CHANGED, message)
    return loaded
