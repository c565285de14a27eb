"""The few best of very many scores: found in single precision, ordered exactly.

The maxima of groups of columns give a score that at least k columns reach. Only columns
that reach it, within what single precision may be wrong by, can be among the k best; their
inner products are taken again in double precision.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexer.core.records import FloatArray
from queries.scoring.compiled import compiled

Rows = npt.NDArray[np.int64]
Exact = npt.NDArray[np.float64]

_GROUPS_PER_BEST, _LARGEST_GROUP = 8, 64
"""Few groups tell little of the k best; small ones are many to choose from."""


def group_maxima(scores: FloatArray, count: int) -> FloatArray:
    """float32 (n, g): the highest score of each group; column j is of group ``j % g``.

    Args:
        scores: float32 (n, m).
        count: k, how many of the best are looked for; g is k or more, where m is.
    """
    items, columns = scores.shape
    groups = min(columns, max(_GROUPS_PER_BEST * count, columns // _LARGEST_GROUP))
    maxima = np.empty((items, groups), dtype=np.float32)
    _fill_maxima(scores, maxima)
    return maxima


def shortlist(
    scores: FloatArray, maxima: FloatArray, count: int, slack: float
) -> tuple[Rows, Rows]:
    """Columns that may be among the best of their row.

    Args:
        scores: float32 (n, m).
        maxima: of their groups, by ``group_maxima``.
        count: k, at most m.
        slack: how much a score may be below another that it is really above.

    Returns:
        Rows and columns, int64 (p,), in the order of the rows, at least k of each.
    """
    reached = np.partition(maxima, -count, axis=1)[:, -count] - np.float32(slack)
    room = len(scores) * 2 * count
    while True:
        found = np.empty((2, room), dtype=np.int64)
        room = _collect(scores, maxima, reached, found)
        if room <= found.shape[1]:
            return found[0, :room], found[1, :room]


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


def inner_products(queries: FloatArray, matrix: FloatArray, rows: Rows, chosen: Rows) -> Exact:
    """float64 (p,): inner products of pairs of rows, in double precision.

    Args:
        queries: float32 (n, d).
        matrix: float32 (m, d).
        rows: int64 (p,), of ``queries``; not checked.
        chosen: int64 (p,), rows of ``matrix``; not checked.
    """
    found = np.empty(len(rows))
    # Other strides would be another loop, with another order of the sums.
    queries, matrix = np.ascontiguousarray(queries), np.ascontiguousarray(matrix)
    _multiply(queries, matrix, np.ascontiguousarray(rows), np.ascontiguousarray(chosen), found)
    return found


@compiled
def _fill_maxima(scores: FloatArray, maxima: FloatArray) -> None:
    groups = maxima.shape[1]
    for row in range(len(scores)):
        line, highest = scores[row], maxima[row]
        highest[:] = line[:groups]
        for first in range(groups, len(line), groups):
            part = line[first : first + groups]
            for group in range(len(part)):
                score = part[group]
                highest[group] = score if score > highest[group] else highest[group]


@compiled
def _collect(scores: FloatArray, maxima: FloatArray, reached: FloatArray, found: Rows) -> int:
    """Fill int64 (2, p) with rows and columns, as far as there is room; how many there are."""
    groups, count = maxima.shape[1], 0
    for row in range(len(scores)):
        line, highest, least = scores[row], maxima[row], reached[row]
        for group in range(groups):
            if highest[group] < least:
                continue
            for column in range(group, len(line), groups):
                if line[column] >= least:
                    if count < found.shape[1]:
                        found[0, count], found[1, count] = row, column
                    count += 1
    return count


@compiled
def _multiply(
    queries: FloatArray, matrix: FloatArray, rows: Rows, chosen: Rows, found: Exact
) -> None:
    for pair in range(len(rows)):
        query, row = queries[rows[pair]], matrix[chosen[pair]]
        total = 0.0
        for place in range(len(query)):
            total += np.float64(query[place]) * np.float64(row[place])
        found[pair] = total
