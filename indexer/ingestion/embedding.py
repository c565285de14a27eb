"""Batches through the model: one input that it fails on spares the others of its batch."""

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

HOPELESS_ITEMS = 32
"""Items in a row that the model could not embed, after which the model is to blame."""


Outcome = FloatArray | Failure
"""float32 (d,), or why there is none."""


class Embedding:
    """Embeds what is ready, pictures and texts alike."""

    def __init__(self, encoder: Encoder | None) -> None:
        self._encoder = encoder
        self._failed_in_a_row = 0
        self.stopwatch = Stopwatch()
        """Seconds that the model was at work."""

    def outcomes(self, batch: Sequence[Ready]) -> list[Outcome]:
        """A vector for each, in order, or a failure where the model failed on it.

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
        pictures = [place for place, one in enumerate(batch) if one.pixels is not None]
        texts = [place for place, one in enumerate(batch) if one.pixels is None]
        seen = self._encoder.embed_pictures(
            [pixels for one in batch if isinstance(pixels := one.pixels, np.ndarray)]
        )
        read = self._encoder.embed_texts([batch[place].item.title for place in texts])
        vectors = dict(zip([*pictures, *texts], [*seen, *read], strict=True))
        return [vectors[place] for place in range(len(batch))]

    def _one_by_one(self, batch: Sequence[Ready]) -> list[Outcome]:
        """After a batch failed: find the items that the model can't embed, keep the others."""
        found: list[Outcome] = []
        for one in batch:
            try:
                found += self._embed([one])
            except ModelError as error:
                found.append(failure(one.item, Stage.EMBED, Reason.NOT_EMBEDDED, str(error)))
                self._failed_in_a_row += 1
                if self._failed_in_a_row >= HOPELESS_ITEMS:
                    raise
            else:
                self._failed_in_a_row = 0
        return found
