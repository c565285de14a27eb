"""Sums over all vectors of a catalog, in streaming passes; pure.

Memory holds a piece of the items with its scores for each core, and arrays of the labels'
size. Products are taken in float32, sums in float64, and in the order of the pieces: more
cores change no bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from indexer.core.records import FloatArray
from indexer.core.threads import side_by_side

Exact = npt.NDArray[np.float64]
Blocks = Callable[[], Iterable[FloatArray]]
"""Gives, at each call, the same items anew: blocks float32 (n_i, d), rows of length 1."""

Side = Callable[[FloatArray], FloatArray]
"""From items float32 (n, d) to queries float32 (n, d)."""

TINY = 1e-12
"""Stands for 0 where something is divided by it."""

_PIECE_BYTES = 32 * 2**20


class Totals(NamedTuple):
    """Sums over all items for soft assignments p (n, m) of items x (n, d) to labels.

    Attributes:
        soft: float64 (m,), means of p.
        hard: float64 (m,), share of the items whose best label it is.
        top: mean over the items of the expected score above an item's mean score.
        aligned: sum of <e, x>, with e the expected direction of an item's label.
        squared: sum of <e, e>.
    """

    soft: Exact
    hard: Exact
    top: float
    aligned: float
    squared: float


class Items:
    """The items of a catalog, read in passes.

    ``count`` and ``mean`` (float64 (d,)) are known after the first ``spread``.

    Args:
        blocks: gives the items anew at each call.
        labels: m, how many scores an item will have.
    """

    def __init__(self, blocks: Blocks, labels: int) -> None:
        self._blocks = blocks
        self._rows = max(1, _PIECE_BYTES // (4 * labels))
        self.count = 0
        self.mean: Exact = np.zeros(0)

    def pieces(self) -> Iterator[FloatArray]:
        """All items, in pieces whose scores fit into a block."""
        for block in self._blocks():
            for start in range(0, len(block), self._rows):
                yield block[start : start + self._rows]

    def mean_length_from(self, offset: Exact) -> float:
        """Mean distance from a point; not 0, since it divides."""

        def lengths(x: FloatArray) -> float:
            return float(np.linalg.norm(x - offset, axis=1).sum())

        return max(sum(side_by_side(lengths, self.pieces())) / self.count, 1e-3)

    def spread(self, vectors: Exact, biases: Exact, side: Side) -> float:
        """Mean standard deviation of an item's scores ``side(x) . vectors + biases``.

        The variance of an item's scores over the labels is a quadratic form of the item,
        so that no product with every label is taken.
        """
        rows = np.column_stack([vectors, biases])
        rows = (rows - rows.mean(axis=0)) / np.sqrt(len(rows))
        variances, axes = np.linalg.eigh(rows.T @ rows)
        root = (axes * np.sqrt(variances.clip(0))).T.astype(np.float32)

        def deviations(x: FloatArray) -> tuple[float, int, Exact]:
            lengths = np.linalg.norm(side(x) @ root[:, :-1].T + root[:, -1], axis=1)
            return float(lengths.sum(dtype=np.float64)), len(x), x.sum(axis=0, dtype=np.float64)

        total, count = 0.0, 0
        mean = np.zeros(vectors.shape[1])
        for lengths, number, part in side_by_side(deviations, self.pieces()):
            total += lengths
            count += number
            mean += part
        if not count:
            raise ValueError("no item to adapt to")
        self.count, self.mean = count, mean / count
        return max(total / count, 1e-9)

    def totals(
        self, vectors: Exact, biases: Exact, temperature: float, directions: Exact
    ) -> Totals:
        """Assign every item softly to labels, and sum up."""
        labels, shift = vectors.astype(np.float32), biases.astype(np.float32)
        along = directions.astype(np.float32)

        def assign(x: FloatArray) -> tuple[FloatArray, npt.NDArray[np.intp], Exact]:
            scores = x @ labels.T
            scores += shift
            p = softmax(scores, temperature)
            expected = p @ along
            above = np.vecdot(p, scores) - scores.mean(axis=1)
            parts = (above, np.vecdot(expected, x), np.vecdot(expected, expected))
            best = np.bincount(scores.argmax(axis=1), minlength=len(labels))
            sums = np.array([part.sum(dtype=np.float64) for part in parts])
            return _sum_of_rows(p), best, sums

        soft, hard, sums = np.zeros(len(labels)), np.zeros(len(labels)), np.zeros(3)
        for shares, best, part in side_by_side(assign, self.pieces()):
            soft += shares
            hard += best
            sums += part
        top, along_x, own = sums
        return Totals(soft / self.count, hard / self.count, top / self.count, along_x, own)

    def assigned(
        self, vectors: Exact, biases: Exact, temperature: float, side: Side
    ) -> tuple[Exact, Exact]:
        """Soft counts float64 (m,), and sums float64 (m, d) of the queries' directions."""
        labels, shift = vectors.astype(np.float32), biases.astype(np.float32)

        def assign(x: FloatArray) -> tuple[FloatArray, FloatArray]:
            queries = side(x)
            scores = queries @ labels.T
            scores += shift
            p = softmax(scores, temperature)
            return _sum_of_rows(p), p.T @ unit(queries)

        counts, sums = np.zeros(len(labels)), np.zeros(labels.shape)
        for shares, directions in side_by_side(assign, self.pieces()):
            counts += shares
            sums += directions
        return counts, sums


def softmax(scores: FloatArray, temperature: float) -> FloatArray:
    """Rows of (n, m) as shares that sum to 1."""
    weights = scores - scores.max(axis=1, keepdims=True)
    weights /= np.float32(temperature)
    np.exp(weights, out=weights)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(weights)


def unit(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Rows of (n, d) at length 1; a row of zeros stays one."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), TINY))


def _sum_of_rows(shares: FloatArray) -> FloatArray:
    """float32 (m,) of (n, m), as a product: several times faster than a sum down the columns."""
    return np.asarray(np.ones(len(shares), dtype=np.float32) @ shares)
