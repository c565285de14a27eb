"""From vectors to labels: exact similarities, scores over all labels, top k; pure.

Bulk jobs and single queries decide by the same arithmetic: candidates are found by a
float32 product (or by Milvus), then their similarities are taken in float64, and ties
go to the label that comes first. So both give the same answer for the same vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
        labels: int64 (n, k), rows of the label matrix, best first.
        similarities: float64 (n, k), cosines.
        scores: float64 (n, k), softmax over all labels in play.
    """

    labels: Indices
    similarities: Exact
    scores: Exact

    @property
    def margins(self) -> Exact:
        """float64 (n,): how far the best similarity is above the next; nan with one label."""
        if self.similarities.shape[1] < 2:
            return np.full(len(self.similarities), np.nan)
        return np.asarray(self.similarities[:, 0] - self.similarities[:, 1])


def rank(vectors: FloatArray, labels: FloatArray, *, limit: int, logit_scale: float) -> Ranking:
    """The best labels for each vector, exactly.

    Args:
        vectors: float32 (n, d), rows of length 1.
        labels: float32 (m, d), rows of length 1; m at least 1.
        limit: k; at most m come back.
        logit_scale: what cosines are multiplied by before the softmax.
    """
    limit = min(limit, len(labels))
    rows = max(1, _BLOCK_BYTES // (4 * len(labels)))
    parts = [
        _rank_block(vectors[start : start + rows], labels, limit=limit, logit_scale=logit_scale)
        for start in range(0, len(vectors), rows)
    ]
    if not parts:
        none = np.empty((0, limit))
        return Ranking(none.astype(np.int64), none, none)
    return Ranking(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.similarities for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )


def rank_candidates(
    vectors: FloatArray,
    labels: FloatArray,
    candidates: Indices,
    *,
    limit: int,
    logit_scale: float,
) -> Ranking:
    """The best labels among candidates that a search found, scored over all labels.

    Args:
        vectors: float32 (n, d), rows of length 1.
        labels: float32 (m, d): all labels in play.
        candidates: int64 (n, c): rows of ``labels``; c at least k.
        limit: k.
        logit_scale: what cosines are multiplied by before the softmax.
    """
    normalisers = _log_sum_exp(logit_scale * (vectors @ labels.T))
    return _rescored(vectors, labels, candidates, normalisers, limit, logit_scale)


def _rank_block(
    vectors: FloatArray, labels: FloatArray, *, limit: int, logit_scale: float
) -> Ranking:
    similarities = vectors @ labels.T
    kept = min(limit + SPARE_CANDIDATES, len(labels))
    candidates = np.argpartition(similarities, -kept, axis=1)[:, -kept:]
    normalisers = _log_sum_exp(logit_scale * similarities)
    return _rescored(vectors, labels, candidates, normalisers, limit, logit_scale)


def _rescored(
    vectors: FloatArray,
    labels: FloatArray,
    candidates: Indices,
    normalisers: Exact,
    limit: int,
    logit_scale: float,
) -> Ranking:
    exact = np.einsum(
        "nd,ncd->nc", vectors.astype(np.float64), labels[candidates].astype(np.float64)
    )
    order = np.lexsort((candidates, -exact), axis=1)[:, :limit]
    similarities = np.take_along_axis(exact, order, axis=1)
    scores = np.exp(logit_scale * similarities - normalisers[:, np.newaxis])
    return Ranking(
        np.take_along_axis(candidates, order, axis=1), similarities, np.minimum(scores, 1.0)
    )


def _log_sum_exp(logits: FloatArray) -> Exact:
    """float64 (n,): the logarithm of a softmax's denominator for each row of (n, m)."""
    highest = logits.max(axis=1, keepdims=True)
    sums = np.exp(logits - highest).sum(axis=1, dtype=np.float64)
    return np.asarray(highest[:, 0] + np.log(sums))
