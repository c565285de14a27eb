"""The few best of very many scores: found in single precision, ordered exactly.

The maxima of groups of columns give a score that at least k columns reach. Only columns
that reach it, within what single precision may be wrong by, can be among the k best; their
inner products are taken again in double precision.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexer.records import FloatArray

Rows = npt.NDArray[np.int64]
Exact = npt.NDArray[np.float64]

_PAIRS_AT_ONCE = 64
"""Their vectors stay in the cache, and below what glibc takes from the system each time."""


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
        matrix: float32 (m, d), or the same in double precision.
        rows: int64 (p,), rows of ``queries``.
        chosen: int64 (p,), rows of ``matrix``.
    """
    found = np.empty(len(rows))
    doubled = queries.astype(np.float64)
    for start in range(0, len(rows), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        np.vecdot(
            doubled[rows[part]],
            matrix[chosen[part]].astype(np.float64, copy=False),
            out=found[part],
        )
    return found
