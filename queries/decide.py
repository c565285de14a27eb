"""From vectors to labels: the head's inner products, scores over all labels, top k; pure.

Bulk jobs and single queries decide by the same arithmetic: candidates are found by a
float32 product (or by Milvus), then their inner products are taken in float64, and ties
go to the label that comes first. So both give the same answer for the same vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.labels.head import Head
from indexer.records import FloatArray

SPARE_CANDIDATES = 8
"""Candidates beyond k that are rescored: a float32 product may swap near ties."""

_BLOCK_BYTES = 64 * 2**20

Indices = npt.NDArray[np.int64]
Exact = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best labels of n inputs.

    Attributes:
        labels: int64 (n, k), rows of the head, best first.
        products: float64 (n, k), inner products with the head, what the order goes by.
        similarities: float64 (n, k), cosines with the labels' own vectors.
        scores: float64 (n, k), softmax over all labels in play.
    """

    labels: Indices
    products: Exact
    similarities: Exact
    scores: Exact

    @property
    def margins(self) -> Exact:
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
    limit = min(limit, len(head))
    rows = max(1, _BLOCK_BYTES // (4 * len(head.matrix)))
    parts = [
        _rank_block(vectors[start : start + rows], head, limit)
        for start in range(0, len(vectors), rows)
    ]
    if not parts:
        none = np.empty((0, limit))
        return Ranking(none.astype(np.int64), none, none, none)
    return Ranking(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.products for part in parts]),
        np.concatenate([part.similarities for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def rank_candidates(vectors: FloatArray, head: Head, candidates: Indices, *, limit: int) -> Ranking:
    """The best labels among candidates that a search found, scored over all labels.

    Args:
        vectors: float32 (n, d), rows of length 1.
        head: of all labels in play.
        candidates: int64 (n, c): rows of the head; c at least k.
        limit: k.
    """
    queries = head.queries(vectors)
    normalisers = _log_sum_exp(head.scale * head.pool(queries @ head.matrix.T))
    return _rescored(vectors, queries, head, candidates, normalisers, limit)


def _rank_block(vectors: FloatArray, head: Head, limit: int) -> Ranking:
    queries = head.queries(vectors)
    products = head.pool(queries @ head.matrix.T)
    kept = min(limit + SPARE_CANDIDATES, len(head))
    candidates = np.argpartition(products, -kept, axis=1)[:, -kept:]
    normalisers = _log_sum_exp(head.scale * products)
    return _rescored(vectors, queries, head, candidates, normalisers, limit)


def _rescored(
    vectors: FloatArray,
    queries: FloatArray,
    head: Head,
    candidates: Indices,
    normalisers: Exact,
    limit: int,
) -> Ranking:
    if head.starts is None:
        exact = _inner(queries, head.matrix, candidates)
    else:
        exact = _best_inner(queries, head.matrix, head.starts, candidates)
    order = np.lexsort((candidates, -exact), axis=1)[:, :limit]
    labels = np.take_along_axis(candidates, order, axis=1)
    products = np.take_along_axis(exact, order, axis=1)
    scores = np.exp(head.scale * products - normalisers[:, np.newaxis])
    similarities = _inner(vectors, head.labels.vectors, labels)
    return Ranking(labels, products, similarities, np.minimum(scores, 1.0))


def _inner(rows: FloatArray, matrix: FloatArray, chosen: Indices) -> Exact:
    """float64 (n, c): inner products of each row of (n, d) with the rows chosen for it."""
    exact = np.einsum("nd,ncd->nc", rows.astype(np.float64), matrix[chosen].astype(np.float64))
    return np.asarray(exact)


def _best_inner(
    rows: FloatArray, matrix: FloatArray, starts: Indices, candidates: Indices
) -> Exact:
    """float64 (n, c): of each candidate label, the highest inner product with its prompts."""
    counts = np.diff(np.append(starts, len(matrix)))[candidates]
    exact = np.empty(candidates.shape)
    for place, (row, chosen, many) in enumerate(zip(rows, candidates, counts, strict=True)):
        begins = np.cumsum(many) - many
        prompts = np.repeat(starts[chosen] - begins, many) + np.arange(many.sum())
        products = matrix[prompts].astype(np.float64) @ row.astype(np.float64)
        exact[place] = np.maximum.reduceat(products, begins)
    return exact


def _log_sum_exp(logits: FloatArray) -> Exact:
    """float64 (n,): the logarithm of a softmax's denominator for each row of (n, m)."""
    highest = logits.max(axis=1, keepdims=True)
    sums = np.exp(logits - highest).sum(axis=1, dtype=np.float64)
    return np.asarray(highest[:, 0] + np.log(sums))
