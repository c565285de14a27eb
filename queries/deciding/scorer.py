"""A head with few-shot examples and a calibrated temperature; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from indexer.core.records import DoubleArray, FloatArray
from indexer.core.softmax import softmax
from indexer.labels.few_shot import FewShot
from indexer.labels.head import Head


@dataclass(frozen=True, kw_only=True)
class Scorer:
    """Scores of the active labels, and the temperature that makes them probabilities.

    Attributes:
        head: how labels are scored without examples.
        unit: logits of the head in one unit of the scores: how far an item's logits spread.
        temperature: in units of the scores.
        few_shot: what examples add; None where there are none, or they don't help.
        calibrated: whether the temperature was fitted to labelled items.
        uncalibrated_temperature: the one before calibrating; None where it is the same.
    """

    head: Head
    unit: float
    temperature: float
    few_shot: FewShot | None = None
    calibrated: bool = False
    uncalibrated_temperature: float | None = None

    def scores(self, vectors: FloatArray) -> DoubleArray:
        """Scores of all labels, in units of the spread.

        Args:
            vectors: float32 (n, d), rows of length 1.

        Returns:
            float64 (n, k).
        """
        queries = self.head.queries(vectors)
        products = self.head.pool(queries.astype(np.float64) @ self._matrix.T)
        scores = (self.head.scale / self.unit) * products
        return scores if self.few_shot is None else self.few_shot.blend(queries[:, :-1], scores)

    def probabilities(self, scores: DoubleArray) -> DoubleArray:
        """float64 (n, k) of scores (n, k); rows sum to 1."""
        return softmax(scores, self.temperature)

    def uncalibrated_probabilities(self, scores: DoubleArray) -> DoubleArray:
        """float64 (n, k): as ``probabilities``, untouched by the calibrating items."""
        return softmax(scores, self.uncalibrated_temperature or self.temperature)

    @property
    def is_linear(self) -> bool:
        """Whether all scores are inner products, so that a scan can take them."""
        few_shot = self.few_shot
        return few_shot is None or (few_shot.is_linear and self.head.starts is None)

    @cached_property
    def deciding(self) -> Head:
        """The sharpened head, with what examples add as more columns; where all is linear."""
        if self.few_shot is None:
            return self.sharpened
        matrix = (self.unit / self.head.scale) * self.few_shot.columns
        matrix[:, : self.head.matrix.shape[1] - 1] += self.head.matrix[:, :-1]
        matrix[:, -1] += self.head.matrix[:, -1]
        return replace(self.sharpened, matrix=matrix.astype(np.float32), side=self._features)

    def _features(self, vectors: FloatArray) -> FloatArray:
        assert self.few_shot is not None
        return self.few_shot.features(self.head.queries(vectors)[:, :-1])

    @cached_property
    def sharpened(self) -> Head:
        """The head at the fitted temperature; examples are no part of it."""
        scale = self.head.scale / (self.unit * self.temperature)
        return self.head if not self.calibrated else replace(self.head, scale=scale)

    @cached_property
    def _matrix(self) -> DoubleArray:
        return self.head.matrix.astype(np.float64)
