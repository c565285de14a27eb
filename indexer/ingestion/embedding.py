"""Batches through the model; where a batch fails, its items go through one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer.core.errors import ModelError
from indexer.core.failures import failure
from indexer.core.protocols import Encoder
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, FloatArray
from indexer.ingestion.reports import Stopwatch
from indexer.ingestion.stage_values import Ready

MAX_FAILED_IN_A_ROW = 32
"""So many failed items in a row mean that the model is broken, not the items."""


Outcome = FloatArray | Failure
"""A vector float32 (d,), or why there is none."""


class Embedding:
    """Embeds pictures and texts."""

    def __init__(self, encoder: Encoder | None) -> None:
        self._encoder = encoder
        self._failed_in_a_row = 0
        self.stopwatch = Stopwatch()
        """Seconds in which the model computed."""

    def outcomes(self, batch: Sequence[Ready]) -> list[Outcome]:
        """A vector or a failure for each item, in order.

        Raises:
            ModelError: the model fails on one item after another.
        """
        with self.stopwatch:
            try:
                vectors = self._embed(batch)
            except ModelError:
                return self._one_by_one(batch)
        self._failed_in_a_row = 0
        return [*vectors]

    def _embed(self, batch: Sequence[Ready]) -> list[FloatArray]:
        assert self._encoder is not None
        pictures = [place for place, item in enumerate(batch) if item.pixels is not None]
        texts = [place for place, item in enumerate(batch) if item.pixels is None]
        picture_vectors = self._encoder.embed_pictures(
            [pixels for item in batch if isinstance(pixels := item.pixels, np.ndarray)]
        )
        text_vectors = self._encoder.embed_texts([batch[place].item.title for place in texts])
        vectors = dict(zip([*pictures, *texts], [*picture_vectors, *text_vectors], strict=True))
        return [vectors[place] for place in range(len(batch))]

    def _one_by_one(self, batch: Sequence[Ready]) -> list[Outcome]:
        """Embed the items of a failed batch one by one."""
        outcomes: list[Outcome] = []
        for item in batch:
            try:
                outcomes += self._embed([item])
            except ModelError as error:
                outcomes.append(failure(item.item, Stage.EMBED, Reason.NOT_EMBEDDED, str(error)))
                self._failed_in_a_row += 1
                if self._failed_in_a_row >= MAX_FAILED_IN_A_ROW:
                    raise
            else:
                self._failed_in_a_row = 0
        return outcomes
