"""Batches through the model: one input that it fails on spares the others of its batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from indexer.errors import ModelError
from indexer.flow import Stopwatch
from indexer.protocols import Encoder
from indexer.records import FloatArray
from indexer.work import Ready

HOPELESS_ITEMS = 32
"""Items in a row that the model could not embed, after which the model is to blame."""


class Embedding:
    """Embeds what is ready, pictures and texts alike.

    Args:
        on_failure: called with each item that the model can't embed, and why.
    """

    def __init__(
        self, encoder: Encoder | None, on_failure: Callable[[Ready, ModelError], None]
    ) -> None:
        self._encoder = encoder
        self._on_failure = on_failure
        self._failed_in_a_row = 0
        self.stopwatch = Stopwatch()
        """Seconds that the model was at work."""

    def vectors(self, batch: Sequence[Ready]) -> list[FloatArray | None]:
        """float32 (d,) for each, in order; None for those that the model failed on.

        Raises:
            ModelError: the model fails on one item after another.
        """
        with self.stopwatch:
            try:
                vectors: list[FloatArray | None] = self._embed(batch)
            except ModelError:
                return self._one_by_one(batch)
        self._failed_in_a_row = 0
        return vectors

    def _embed(self, batch: Sequence[Ready]) -> list[FloatArray | None]:
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

    def _one_by_one(self, batch: Sequence[Ready]) -> list[FloatArray | None]:
        """After a batch failed: find the items that the model can't embed, keep the others."""
        vectors: list[FloatArray | None] = []
        for one in batch:
            try:
                vectors += self._embed([one])
            except ModelError as error:
                vectors.append(None)
                self._on_failure(one, error)
                self._failed_in_a_row += 1
                if self._failed_in_a_row >= HOPELESS_ITEMS:
                    raise
            else:
                self._failed_in_a_row = 0
        return vectors
