"""Batches through the model; where a batch fails, its items go through one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from indexer.core.errors import ModelError
from indexer.core.protocols import Encoder
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, FloatArray, Kind, failure
from indexer.ingestion.reports import Stopwatch
from indexer.ingestion.stage_values import Ready

MAX_FAILED_IN_A_ROW = 32
"""So many failed items in a row mean that the model is broken, not the items."""


Outcome = FloatArray | Failure
"""A vector float32 (d,), or why there is none."""


class Embedding:
    """Embeds pictures, sounds and texts."""

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
        encoder = self._encoder
        embedders: dict[Kind, Callable[[Sequence[Any]], FloatArray]] = {
            Kind.PICTURE: encoder.embed_pictures,
            Kind.SOUND: encoder.embed_sounds,
            Kind.TEXT: encoder.embed_texts,
        }
        vectors: dict[int, FloatArray] = {}
        for kind, embed in embedders.items():
            places = [place for place, entry in enumerate(batch) if entry.item.kind is kind]
            entries = [batch[place] for place in places]
            inputs = [entry.item.title if kind is Kind.TEXT else entry.decoded for entry in entries]
            if inputs:
                vectors |= dict(zip(places, embed(inputs), strict=True))
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
