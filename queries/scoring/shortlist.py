"""The few best of very many scores: found in single precision, ordered exactly.

The maxima of groups of columns give a score that at least k columns reach. Only columns
that reach it, within what single precision may be wrong by, can be among the k best; their
inner products are taken again in double precision.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexer.records import FloatArray
from queries.scoring.scratch import Scratch

Rows = npt.NDArray[np.int64]
Exact = npt.NDArray[np.float64]

_PAIRS_AT_ONCE = 512
"""Fewer are slower, since threads that score side by side wait for Python's interpreter between
calls; so are many more, whose vectors leave the cache."""

_scratch = Scratch()


def shortlist(
    scores: FloatArray, maxima: FloatArray, count: int, slack: float
) -> tuple[Rows, Rows]:
    """Columns that may be among the best of their row.

    Args:
        scores: float32 (n, t, w); column j is at ``divmod(j, w)``.
        maxima: float32 (n, w), the highest scores of each group.
        count: k, at most as many as there are finite scores.
        slack: how much a score may be below another that it is really above.

    Returns:
        Rows and columns, int64 (p,), in the order of the rows, at least k of each.
    """
    if count > maxima.shape[1] // 2:  # so many that groups tell nothing
        scores = scores.reshape(len(scores), 1, -1)
        maxima = scores[:, 0]
    reached = np.partition(maxima, -count, axis=1)[:, -count] - np.float32(slack)
    # Half the time of ``nonzero`` on two axes.
    above = np.flatnonzero(maxima >= reached[:, np.newaxis])
    rows, groups = np.divmod(above, maxima.shape[1])
    if scores.shape[1] == 1:
        return rows, groups
    members = scores[rows, :, groups]
    pairs, tiles = np.nonzero(members >= reached[rows, np.newaxis])
    return rows[pairs], tiles * maxima.shape[1] + groups[pairs]


def best(rows: Rows, columns: Rows, exact: Exact, count: int, limit: int) -> tuple[Rows, Exact]:
    """Each row's best columns, best first, ties by column.

    Args:
        rows: int64 (p,), in order; at least ``limit`` of each.
        columns: int64 (p,).
        exact: float64 (p,), scores of the pairs.
        count: n.
        limit: k.

    Returns:
        int64 (n, k), columns, and float64 (n, k), their scores.
    """
    starts = np.searchsorted(rows, np.arange(count + 1))
    first = starts[:-1, np.newaxis] + np.arange(limit)
    order = np.arange(len(rows))
    longer = np.flatnonzero((np.diff(starts) > limit)[rows])
    order[longer] = longer[np.lexsort((columns[longer], -exact[longer], rows[longer]))]
    labels, products = columns[order[first]], exact[order[first]]
    order = np.lexsort((labels, -products), axis=1)
    return np.take_along_axis(labels, order, axis=1), np.take_along_axis(products, order, axis=1)


def inner_products(
    queries: FloatArray, matrix: FloatArray | Exact, rows: Rows, chosen: Rows
) -> Exact:
    """float64 (p,): inner products of pairs of rows, in double precision.

    Args:
        queries: float32 (n, d), a block of few.
        matrix: float32 (m, d), or the same in double precision, contiguous.
        rows: int64 (p,), rows of ``queries``, in order.
        chosen: int64 (p,), rows of ``matrix``, which are not checked.
    """
    found = np.empty(len(rows))
    doubled = queries.astype(np.float64, order="C")  # strides change the order of the sums
    counts = np.bincount(rows, minlength=len(queries))
    ranks = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    # Few have more, and those of one that nearly all labels are alike to don't fit together.
    fewest = min(int(counts.min(initial=len(rows))), _PAIRS_AT_ONCE)
    usual, others = np.flatnonzero(ranks < fewest), np.flatnonzero(ranks >= fewest)
    found[usual] = _products(doubled, matrix, chosen[usual].reshape(len(queries), fewest)).ravel()
    for part in np.split(others, range(_PAIRS_AT_ONCE, len(others), _PAIRS_AT_ONCE)):
        found[part] = _products(doubled[rows[part]], matrix, chosen[part, np.newaxis])[:, 0]
    return found


def _products(queries: Exact, matrix: FloatArray | Exact, chosen: Rows) -> Exact:
    """float64 (n, k): of queries float64 (n, d) with the rows that ``chosen`` (n, k) names."""
    count, width = chosen.shape
    found = np.empty(chosen.shape)
    step = max(1, _PAIRS_AT_ONCE // max(1, width))
    shape = min(step, count), width, matrix.shape[1]
    doubled = gathered = _scratch.array("doubled", shape, np.float64)
    if matrix.dtype != np.float64:
        gathered = _scratch.array("gathered", shape, matrix.dtype)
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        block = slice(part.stop - start)
        np.take(matrix, chosen[part], axis=0, out=gathered[block], mode="clip")
        if doubled is not gathered:
            doubled[block] = gathered[block]
        np.vecdot(queries[part, np.newaxis], doubled[block], out=found[part])
    return found
