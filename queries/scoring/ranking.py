"""From vectors to labels: the head's inner products, scores over all labels, top k; pure.

Bulk jobs and single queries decide by the same arithmetic: candidates are found by a
float32 product (or by Milvus), then their inner products are taken in float64, and ties
go to the label that comes first. So both give the same answer for the same vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.labels.head import Head
from queries.scoring.loops import best
from queries.scoring.scan import Scanner, cosines_of, exact_products

SPARE_CANDIDATES = 8
"""Candidates beyond k that are asked of a search: a float32 product may swap near ties."""

_TIE = 1e-10
"""Inner products that differ by less are equal but for rounding; then the first label comes
first."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best labels of n inputs.

    Attributes:
        labels: int64 (n, k), rows of the head, best first.
        products: float64 (n, k), inner products with the head, what the order goes by.
        similarities: float64 (n, k), cosines with the labels' own vectors.
        scores: float64 (n, k), softmax over all active labels.
    """

    labels: IndexArray
    products: DoubleArray
    similarities: DoubleArray
    scores: DoubleArray

    @property
    def parts(self) -> tuple[npt.NDArray[Any], ...]:
        """All arrays, in the order of the attributes."""
        return self.labels, self.products, self.similarities, self.scores

    @classmethod
    def joined(cls, rankings: Sequence[Ranking]) -> Ranking:
        """Rankings of consecutive inputs as one."""
        return cls(*map(np.concatenate, zip(*(each.parts for each in rankings), strict=True)))

    @property
    def margins(self) -> DoubleArray:
        """float64 (n,): how far the best product is above the next; nan with one label."""
        if self.products.shape[1] < 2:
            return np.full(len(self.products), np.nan)
        return np.asarray(self.products[:, 0] - self.products[:, 1])


def rank(vectors: FloatArray, head: Head, *, limit: int) -> Ranking:
    """The best labels for each vector, exactly.

    Args:
        vectors: float32 (n, d), rows of length 1.
        head: of m labels, at least 1.
        limit: k; at most m come back.
    """
    scan = Scanner(head, limit=limit).scan(vectors)
    scores = np.exp(head.scale * scan.products - scan.log_sums[:, np.newaxis])
    similarities = cosines_of(vectors, head.labels.vectors, scan.labels)
    return Ranking(scan.labels, scan.products, similarities, np.minimum(scores, 1.0))


def rank_candidates(
    vectors: FloatArray, head: Head, candidates: IndexArray, *, limit: int
) -> Ranking:
    """The best labels among candidates that a search found, scored over all labels.

    Args:
        vectors: float32 (n, d), rows of length 1.
        head: of all active labels.
        candidates: int64 (n, c): rows of the head; c at least k.
        limit: k.
    """
    count, width = candidates.shape
    queries = head.queries(vectors)
    rows, columns = np.repeat(np.arange(count), width), candidates.ravel()
    exact = exact_products(head, queries, rows, columns)
    limit = min(limit, width)
    labels, products = best(rows, columns, exact, count, limit)
    log_sums = Scanner(head, limit=limit).scan(vectors).log_sums
    scores = np.exp(head.scale * products - log_sums[:, np.newaxis])
    similarities = cosines_of(vectors, head.labels.vectors, labels)
    return Ranking(labels, products, similarities, np.minimum(scores, 1.0))


def highest_columns(products: DoubleArray, limit: int) -> IndexArray:
    """int64 (n, k): columns of the highest products, best first, ties by column.

    What stands beside a row or a column changes the last bits of a product, so ties are those
    that differ by rounding only.
    """
    width = min(limit + SPARE_CANDIDATES, products.shape[1])
    candidates = np.argpartition(products, -width, axis=1)[:, -width:]
    ordered = _in_order(candidates, np.take_along_axis(products, candidates, axis=1))
    if width == products.shape[1]:
        return ordered[:, :limit]
    lowest = np.take_along_axis(products, ordered[:, [limit - 1, -1]], axis=1)
    # Where a tie goes beyond the candidates, all columns are put in order.
    open_rows = np.flatnonzero(lowest[:, 0] - lowest[:, 1] < _TIE * width)
    for row in open_rows:
        columns = np.arange(products.shape[1])[np.newaxis]
        ordered[row] = _in_order(columns, products[row : row + 1])[0, :width]
    return ordered[:, :limit]


def _in_order(columns: IndexArray, products: DoubleArray) -> IndexArray:
    """int64 (n, c): columns by their products (n, c), highest first, ties by column."""
    order = np.argsort(-products, axis=1, kind="stable")
    columns = np.take_along_axis(columns, order, axis=1)
    falls = -np.diff(np.take_along_axis(products, order, axis=1), axis=1)
    groups = np.zeros(columns.shape, dtype=np.int64)
    groups[:, 1:] = np.cumsum(falls > _TIE, axis=1)
    return np.take_along_axis(columns, np.lexsort((columns, groups), axis=1), axis=1)
