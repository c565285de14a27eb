"""Items assigned softly to labels, in pieces that stay in the cache; pure.

While an adaptation is fitted labels only change their length and bias, so the products of all
items with the directions of all labels are taken once and serve every assignment.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from indexer.core.records import DoubleArray, FloatArray
from indexer.core.threads import side_by_side

_DIRECTION_ITEMS = 512
"""Items whose expected directions are squared, for a mean over all."""

_TINY = 1e-12
"""Stands for 0 where something is divided by it."""

_PIECE_BYTES = 2 * 2**20
"""Of products: a piece and the powers made of it stay in a core's cache."""


class Totals(NamedTuple):
    """Means over all items, for soft assignments p (n, m) of items x (n, d) to labels.

    Attributes:
        soft: float64 (m,), of p.
        hard: float64 (m,), share of the items whose best label it is.
        top: of the expected score above an item's mean score.
        aligned: of <e, x>, with e the expected direction of an item's label.
        squared: of <e, e>.
    """

    soft: DoubleArray
    hard: DoubleArray
    top: float
    aligned: float
    squared: float


class Products:
    """Items times the directions of labels.

    Args:
        items: float32 (n, d).
        directions: float32 (m, d), rows of length 1.
        products: float32 (n, m), where they are at hand; written over by ``assigned``.

    Attributes:
        mean: float64 (d,), of the items.
    """

    def __init__(
        self, items: FloatArray, directions: FloatArray, products: FloatArray | None = None
    ) -> None:
        self.items, self.directions = items, directions
        self.mean = items.mean(axis=0, dtype=np.float64)
        self._rows = max(1, _PIECE_BYTES // (4 * len(directions)))
        if products is None:
            products = np.matmul(items, directions.T)
        self._products = products

    def sample(self, size: int) -> Products:
        """Of every n-th item, at most so many."""
        if len(self.items) <= size:
            return self
        rows = np.linspace(0, len(self.items) - 1, size).astype(np.int64)
        return Products(self.items[rows], self.directions, self._products[rows])

    def spread(self, factors: DoubleArray, biases: DoubleArray) -> float:
        """Mean standard deviation of an item's scores ``factors * products + biases``."""
        scale, shift = factors.astype(np.float32), biases.astype(np.float32)

        def deviate(rows: slice) -> float:
            scores = self._products[rows] * scale
            scores += shift
            scores -= scores.mean(axis=1, keepdims=True)
            variances = np.vecdot(scores, scores) / len(scale)
            return float(np.sqrt(variances).sum(dtype=np.float64))

        return max(sum(side_by_side(deviate, self._pieces())) / len(self.items), 1e-9)

    def totals(self, factors: DoubleArray, biases: DoubleArray, temperature: float) -> Totals:
        """Assign every item softly to labels by ``factors * products + biases``, and sum up."""
        scale, shift = (factors / temperature).astype(np.float32), biases / temperature
        shift, ones = shift.astype(np.float32), np.ones(len(scale), dtype=np.float32)
        stride = -(-len(self.items) // _DIRECTION_ITEMS)

        def assign(rows: slice) -> tuple[FloatArray, npt.NDArray[np.intp], DoubleArray]:
            products = self._products[rows]
            logits = products * scale
            logits += shift
            best = logits.argmax(axis=1)
            powers = logits - np.take_along_axis(logits, best[:, np.newaxis], axis=1)
            np.exp(powers, out=powers)
            per_sum = 1 / (powers @ ones)
            above = per_sum * np.vecdot(powers, logits) - (logits @ ones) / len(scale)
            aligned = per_sum * np.vecdot(powers, products)
            # Every n-th of all items, wherever this piece begins.
            sampled = slice(-rows.start % stride, None, stride)
            expected = per_sum[sampled, np.newaxis] * (powers[sampled] @ self.directions)
            terms = (temperature * above, aligned, np.vecdot(expected, expected))
            sums = np.array([term.sum(dtype=np.float64) for term in terms])
            shares = (per_sum @ powers).astype(np.float32)
            return shares, np.bincount(best, minlength=len(scale)), sums

        soft, hard, sums = np.zeros(len(scale)), np.zeros(len(scale)), np.zeros(3)
        for shares, best, piece_sums in side_by_side(assign, self._pieces()):
            soft += shares
            hard += best
            sums += piece_sums
        count, sampled = len(self.items), len(range(0, len(self.items), stride))
        top, aligned, squared = sums / (count, count, sampled)
        return Totals(soft / count, hard / count, top, aligned, squared)

    def information(self, factors: DoubleArray, biases: DoubleArray, temperature: float) -> float:
        """Mutual information of item and label in nats, by soft assignments p (n, m).

        The entropy of the mean of p, less the mean entropy of p (Bridle et al., "Unsupervised
        Classifiers, Mutual Information and 'Phantom Targets'", NeurIPS 1991).
        """
        scale, shift = factors.astype(np.float32), biases.astype(np.float32)

        def assign(rows: slice) -> tuple[FloatArray, float]:
            logits = self._products[rows] * scale
            logits += shift
            logits -= logits.max(axis=1, keepdims=True)
            logits /= np.float32(temperature)
            p = np.exp(logits)
            totals = p.sum(axis=1, keepdims=True)
            p /= totals
            entropies = np.log(totals[:, 0]) - np.vecdot(p, logits)
            return np.ones(len(p), dtype=np.float32) @ p, float(entropies.sum(dtype=np.float64))

        mean, entropy = np.zeros(len(scale)), 0.0
        for shares, entropies in side_by_side(assign, self._pieces()):
            mean += shares / len(self.items)
            entropy += entropies / len(self.items)
        return float(-(mean * np.log(np.maximum(mean, _TINY))).sum()) - entropy

    def assigned(
        self,
        factors: DoubleArray,
        offset: DoubleArray,
        lengths: DoubleArray,
        biases: DoubleArray,
        temperature: float,
    ) -> tuple[DoubleArray, FloatArray]:
        """Assign every query ``(item - offset) / length`` softly to labels; the last assignment.

        Args:
            lengths: float64 (n,).

        Returns:
            Soft counts float64 (m,), and sums float32 (m, d) of the queries' directions.
        """
        single_offset = offset.astype(np.float32)
        scale, bias = factors.astype(np.float32), (biases / temperature).astype(np.float32)
        shift = scale * (self.directions @ single_offset)
        divisors = (temperature * lengths).astype(np.float32)[:, np.newaxis]
        sums = np.empty(len(self.items), dtype=np.float32)

        def assign(rows: slice) -> None:
            powers = self._products[rows]
            powers *= scale
            powers -= shift
            powers /= divisors[rows]
            powers += bias
            powers -= powers.max(axis=1, keepdims=True)
            np.exp(powers, out=powers)
            sums[rows] = powers.sum(axis=1)

        deque(side_by_side(assign, self._pieces()), maxlen=0)
        directions = self.items - single_offset
        lengths_of = np.sqrt(np.vecdot(directions, directions)) * sums
        directions /= np.maximum(lengths_of, np.float32(_TINY))[:, np.newaxis]
        return ((1 / sums) @ self._products).astype(np.float64), self._products.T @ directions

    def _pieces(self) -> Iterator[slice]:
        for start in range(0, len(self.items), self._rows):
            yield slice(start, min(start + self._rows, len(self.items)))
