"""The opened catalog and its model, behind queues: what the routes ask."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from indexer.catalog.opening import CatalogOptions, OpenCatalog
from indexer.core.errors import ItemError, ModelError, ZeroshelfError
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.core.records import FloatArray, Kind, Part
from indexer.core.towers import require_tower
from indexer.sources import media
from queries.deciding.question import Question
from queries.results import Prediction
from queries.service.batching import Batcher, QueueFullError
from queries.service.classifiers import Classifiers
from queries.service.current_catalog import OpenedCatalog
from queries.service.decoding import DecodingPool
from queries.service.metrics import Metrics
from queries.service.pieces import Pieces
from queries.service.settings import ServiceSettings
from queries.service.tracing import NOT_TRACED, Tracing

if TYPE_CHECKING:
    from indexer.encoder import SentenceTransformerEncoder

T = TypeVar("T")
In = TypeVar("In")
Out = TypeVar("Out")

_DOWNLOADS = 32
"""Pictures by URL that lie in memory at a time, each as large as a setting allows."""

_NOTHING: FloatArray = np.empty(0, np.float32)


class Engine:
    """One catalog, opened for reading, and its model.

    All of it is used from one thread: the catalog's SQLite connection belongs to it, and
    on few cores a second forward pass at the same time makes both slower. What changes
    on disk (labels, adaptation, another model) is seen at the next request.

    Args:
        options: which catalog.
        settings: queues and limits.
        metrics: told of batches.
        tracing: told of what requests wait for.

    Attributes:
        downloads: held while a picture by URL is fetched and embedded: it lies in memory.
        pieces: embeds many inputs of one question.
    """

    def __init__(
        self,
        options: CatalogOptions,
        settings: ServiceSettings,
        metrics: Metrics,
        tracing: Tracing = NOT_TRACED,
    ) -> None:
        self.options = options
        self.tracing = tracing
        self.settings = settings
        self.metrics = metrics
        self.downloads = asyncio.Semaphore(_DOWNLOADS)
        self._thread = ThreadPoolExecutor(1, "engine")
        self._opened = OpenedCatalog(options)
        self._asked = 0
        self.pieces = Pieces(self.run)
        metrics.waiting.labels("catalog").set_function(lambda: self._asked)
        self._classifiers = Classifiers(self._opened)
        self._decoding: DecodingPool | None = None
        self._decoded_for: SentenceTransformerEncoder | None = None
        self._least_side: int | None = None
        self.pictures = self._batcher("picture", self._embed_pictures, settings.window_s)
        self.texts = self._batcher("text", self._embed_texts, settings.window_s)
        self.queries = self._batcher("query", self._embed_queries, settings.window_s)
        # No window: requests that were embedded together arrive together.
        self._answers = self._batcher("classification", self._classifiers.classify_batch, 0.0)

    @property
    def decoding(self) -> DecodingPool:
        """The processes that decode, started when first needed."""
        if self._decoding is None:
            self._decoding = DecodingPool(self.settings)
        return self._decoding

    async def load(self) -> None:
        """Load the model, so that ``model`` has it.

        Raises:
            ItemError: there is none, so nothing can be embedded.
            ModelError: it is not at hand, or not the catalog's.
        """
        await self._require_model()
        await self.run(lambda catalog: catalog.encoder)

    async def load_if_any(self) -> None:
        """As ``load``, for what may do without a model, and else says itself that there is none."""
        with contextlib.suppress(ZeroshelfError):
            await self.load()

    def model(self) -> SentenceTransformerEncoder:
        """The model, loaded once for the whole service; for other threads, after ``load``.

        It does not ask this engine's thread: ``OpenCatalog.encoder`` is a ``cached_property``, and
        before Python 3.12 those hold one lock for all catalogs while they are made.

        Raises:
            ModelError: it was never loaded.
        """
        catalog = self._opened.last
        if catalog is None or "encoder" not in vars(catalog):
            raise ModelError(
                f"the model of catalog {self.options.catalog!r} is not loaded: ask for /readyz, "
                "which loads it or says why it can't be, and try again"
            )
        encoder: SentenceTransformerEncoder = vars(catalog)["encoder"]
        return encoder

    async def close(self) -> None:
        """Close the catalog and end the processes; what waits is cancelled."""
        for batcher in (self.pictures, self.texts, self.queries, self._answers):
            await batcher.close()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._opened.close)
        self._thread.shutdown()
        if self._decoding is not None:
            self._decoding.close()

    async def run(self, function: Callable[[OpenCatalog], T]) -> T:
        """Do something with the catalog, in its thread, as it is on disk now.

        Raises:
            QueueFullError: too much waits.
        """
        # Counted here: the queue of a ThreadPoolExecutor has no limit.
        if self._asked >= self.settings.max_queue:
            raise QueueFullError
        loop = asyncio.get_running_loop()
        self._asked += 1
        try:
            return await loop.run_in_executor(
                self._thread, lambda: function(self._opened.current())
            )
        finally:
            self._asked -= 1

    async def whole(self, answer: Callable[[], Awaitable[T]]) -> T:
        """An answer by one model: asked for again where another took over in the middle.

        A question is embedded first, and searched for after; a vector of one model must not
        meet those of another.

        Args:
            answer: may be called several times.
        """
        self.pieces.answers_under_way += 1
        try:
            while True:
                previous_generation = self._generation
                try:
                    answered = await answer()
                except ZeroshelfError:
                    if previous_generation == self._generation:
                        raise
                else:
                    if previous_generation == self._generation:
                        return answered
        finally:
            self.pieces.answers_under_way -= 1

    @property
    def _generation(self) -> int | None:
        """The generation of the catalog that was last opened; for any thread."""
        catalog = self._opened.last
        return None if catalog is None else catalog.folder.number

    async def decode(self, content: bytes, name: str) -> Pixels:
        """Decode a picture as those of the catalog were: photos no larger than the model needs.

        Raises:
            ItemError: it can't be decoded, its decoder crashed or took too long, or there is
                no model to decode it for.
            QueueFullError: too many pictures wait.
        """
        await self._require_model()
        catalog = self._opened.last
        encoder = None if catalog is None else vars(catalog).get("encoder")
        if encoder is None or encoder is not self._decoded_for:
            self._decoded_for, self._least_side = await self.run(
                lambda catalog: (catalog.encoder, catalog.encoder.least_side)
            )
        with self.tracing.span("decode", bytes=len(content)):
            return await self.decoding.decode(content, name, least_side=self._least_side)

    async def embed_content(self, content: bytes, name: str) -> tuple[FloatArray, tuple[Part, ...]]:
        """The vector of a picture, or those of a sound's windows.

        Returns:
            float32 (n, d), rows of length 1, and which part each is; a picture is one, without a
            place.

        Raises:
            ItemError: it can't be decoded, or the model has no tower for it.
            QueueFullError: too much waits.
        """
        await self._require_model()
        catalog = self._opened.last
        assert catalog is not None
        kind = media.kind_of(name, content)
        require_tower(catalog.fingerprint, kind, name)
        if kind is Kind.VIDEO:
            message = f"{name}: videos do not come in requests: ingest it, and ask for its item_id"
            raise ItemError(Reason.UNSUPPORTED, message)
        if kind is not Kind.SOUND:
            return await self.embed_pictures([await self.decode(content, name)]), ({},)
        rate, longest_s = await self.run(
            lambda opened: (opened.encoder.sound_rate, opened.encoder.longest_sound_s)
        )
        windows = await self.decoding.decode_sound(content, name, rate=rate, longest_s=longest_s)
        vectors = await self.pieces.embed(
            [samples for _, samples in windows],
            lambda encoder, some: encoder.embed_sounds(list(map(encoder.prepare_sound, some))),
        )
        return vectors, tuple(part for part, _ in windows)

    async def embed_pictures(self, pictures: Sequence[Pixels]) -> FloatArray:
        """Vectors of decoded pictures, in one forward pass with those of other requests.

        Args:
            pictures: uint8 (height, width, 3) each.

        Returns:
            float32 (n, d), rows of length 1.

        Raises:
            QueueFullError: too many inputs wait.
        """
        with self.tracing.span("encode", kind="pictures", inputs=len(pictures)):
            return np.array(await self.pictures.submit(pictures))

    async def embed_texts(self, texts: Sequence[str]) -> FloatArray:
        """Vectors of texts, float32 (n, d), in one pass with those of other requests.

        Raises:
            ItemError: there is no model.
            QueueFullError: too many inputs wait.
        """
        await self._require_model()
        with self.tracing.span("encode", kind="texts", inputs=len(texts)):
            return np.array(await self.texts.submit(texts))

    async def embed_queries(self, texts: Sequence[str]) -> FloatArray:
        """As ``embed_texts``, of words that are searched for.

        Raises:
            ItemError: there is no model.
            QueueFullError: too many inputs wait.
        """
        await self._require_model()
        with self.tracing.span("encode", kind="queries", inputs=len(texts)):
            return np.array(await self.queries.submit(texts))

    async def classify(
        self,
        vectors: FloatArray,
        question: Question,
        *,
        titles: Sequence[FloatArray | None] | None = None,
    ) -> list[list[Prediction]]:
        """The best labels of each vector.

        Args:
            vectors: float32 (n, d), rows of length 1.
            titles: float32 (d,) each, of the inputs' titles, or None where there is none.

        Raises:
            CatalogError: the catalog has no labels.
            TaxonomyError: an unknown label in the question.
            UsageError: the question asks for what the catalog does not have.
        """
        given_titles = titles or [None] * len(vectors)
        pairs = zip(vectors, given_titles, strict=True)
        with self.tracing.span("classify", inputs=len(vectors)):
            return await self._answers.submit([(*pair, question) for pair in pairs])

    async def is_calibrated(self, question: Question) -> bool:
        """Whether the scores of a question's answers are calibrated on labelled items.

        Raises:
            CatalogError: the catalog has no labels.
        """
        return await self.run(
            lambda _: self._classifiers.of_question(question).predictor.scorer.calibrated
        )

    async def _require_model(self) -> None:
        catalog = self._opened.last
        if catalog is None:
            catalog = await self.run(lambda opened: opened)
        if not catalog.has_model:
            raise ItemError(
                Reason.NOT_EMBEDDED,
                f"the vectors of catalog {catalog.folder.name!r} came with its items, and no model "
                "is named that could embed anything new: ask by item_id, or have the service "
                "started with --model",
            )

    def _batcher(
        self, kind: str, run: Callable[[list[In]], Sequence[Out | Exception]], window_s: float
    ) -> Batcher[In, Out]:
        sizes = self.metrics.batches.labels(kind)
        batcher: Batcher[In, Out] = Batcher(
            run,
            self._thread,
            window_s=window_s,
            max_batch=self.settings.max_batch,
            max_queue=self.settings.max_queue,
            on_batch=sizes.observe,
        )
        self.metrics.waiting.labels(kind).set_function(lambda: batcher.waiting)
        return batcher

    def _embed_pictures(self, pictures: list[Pixels]) -> list[FloatArray | Exception]:
        encoder = self._opened.current().encoder
        answers: list[FloatArray | Exception] = [_NOTHING] * len(pictures)
        prepared, places = [], []
        for place, picture in enumerate(pictures):
            try:
                prepared.append(encoder.prepare(picture))
                places.append(place)
            except ItemError as error:
                answers[place] = error
        if prepared:
            for place, vector in zip(places, encoder.embed_pictures(prepared), strict=True):
                answers[place] = vector
        return answers

    def _embed_texts(self, texts: list[str]) -> list[FloatArray]:
        return list(self._opened.current().encoder.embed_texts(texts))

    def _embed_queries(self, texts: list[str]) -> list[FloatArray]:
        return list(self._opened.current().encoder.embed_queries(texts))
