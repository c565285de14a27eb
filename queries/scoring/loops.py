"""Reduce tiles of logits to the best labels of each item, and the sums of its softmax.

A tile is the logits of some items for some labels. It is read while it is in the cache, tile
after tile, so that the logits of all labels never stand in memory at once.

The best labels are found in single precision and ordered exactly. The maxima of groups of
labels give a logit that at least k labels reach. Only labels that reach it, within what single
precision may be wrong by, can be among the k best; their inner products are taken again in
double precision.

The loops themselves are compiled (``compiled_loops``). Where there are few items, numpy does the
same (``numpy_loops``): labels and order are the same, sums differ by rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from indexer.core.records import DoubleArray, FloatArray, IndexArray

_GROUPS_PER_BEST, _FEWEST_GROUPS = 4, 64
"""Few groups tell little of the k best; many are long to look through."""

_LOWEST = np.float32(-1e30)
"""Stands for the highest of no logits."""

FEWEST_ITEMS = 16
"""Fewer items are reduced by numpy: to load the compiled loops takes half a second, more than a
command for one picture has to spare."""

_FEWEST_PAIRS = 4_096
"""The same for inner products of pairs."""


def _loops(count: int, fewest: int) -> Any:
    """The module that has the loops for so many items or pairs.

    By their number alone, so that the last bits of a result do not depend on what was computed
    before.
    """
    if count < fewest:
        from queries.scoring import numpy_loops

        return numpy_loops
    from queries.scoring import compiled_loops

    return compiled_loops


class Softmax:
    """The softmax of n items over the labels that have come so far.

    Args:
        items: n.
        limit: k, how many of the best labels are looked for.

    Attributes:
        reached: float32 (n, k), ascending: at least k labels have the first of these logits.
        level: float32 (n,), the highest logit.
        powers: float64 (n,), the sum of ``exp(logit - level)``.
        weighted: float64 (n,), the same sum of powers times logits.
    """

    def __init__(self, items: int, limit: int) -> None:
        self.reached = np.full((items, limit), _LOWEST, dtype=np.float32)
        self.level = np.full(items, _LOWEST, dtype=np.float32)
        self.powers, self.weighted = np.zeros(items), np.zeros(items)

    def add(self, logits: FloatArray) -> FloatArray:
        """Count in the logits of more labels, float32 (n, w), in rows that lie together.

        Returns:
            float32 (n, g), the highest logit of each group; column j is of group ``j % g``.
        """
        groups = max(_GROUPS_PER_BEST * self.reached.shape[1], _FEWEST_GROUPS)
        maxima = np.empty((len(logits), min(groups, logits.shape[1])), dtype=np.float32)
        add = _loops(len(logits), FEWEST_ITEMS).add
        add(logits, maxima, self.reached, self.level, self.powers, self.weighted)
        return maxima

    def correct(self, items: IndexArray, logits: FloatArray, exact: DoubleArray) -> DoubleArray:
        """Put exact logits in the place of the largest that were counted in.

        Args:
            items: int64 (p,).
            logits: float32 (p,), as they were counted in.
            exact: float64 (p,).

        Returns:
            float64 (p,), what was added to the powers.
        """
        level = self.level[items]
        change = np.exp(exact - level) - np.exp(logits.astype(np.float64) - level)
        self.powers += np.bincount(items, change, minlength=len(self.powers))
        return np.asarray(change)

    @property
    def log_sums(self) -> DoubleArray:
        """float64 (n,): the logarithms of the denominators."""
        return np.asarray(self.level + np.log(self.powers))

    @property
    def expected(self) -> DoubleArray:
        """float64 (n,): the mean logit of the labels by their probabilities."""
        return np.asarray(self.weighted / self.powers)


class Candidates:
    """Labels that may be among the best of n items.

    Args:
        items: n.
        limit: k.
        slack: how much a logit may be below another that it is really above.
    """

    def __init__(self, items: int, limit: int, slack: float) -> None:
        self._slack = np.float32(slack)
        self._pairs = np.empty((2, items * 4 * limit), dtype=np.int64)
        self._logits = np.empty(items * 4 * limit, dtype=np.float32)
        self._count = 0

    def add(
        self, logits: FloatArray, maxima: FloatArray, softmax: Softmax, first_label: int
    ) -> None:
        """Look through the logits of more labels.

        Args:
            logits: float32 (n, w), in rows that lie together.
            maxima: by ``softmax.add`` of the same.
            first_label: the first of the labels.
        """
        least = softmax.reached[:, 0] - self._slack
        collect = _loops(len(logits), FEWEST_ITEMS).collect
        # The loop counts what has no room, and does not write it: then it runs again with room.
        while True:
            pairs, found_logits = self._pairs, self._logits
            count = collect(logits, maxima, least, first_label, pairs, found_logits, self._count)
            if count <= len(self._logits):
                self._count = count
                return
            more = max(count, 2 * len(self._logits)) - len(self._logits)
            self._pairs = np.pad(self._pairs, ((0, 0), (0, more)))
            self._logits = np.pad(self._logits, (0, more))

    def pairs(self, softmax: Softmax) -> tuple[IndexArray, IndexArray, FloatArray]:
        """Items and labels, int64 (p,), in the order of the items, at least k of each.

        With their logits, float32 (p,).
        """
        rows, columns = self._pairs[:, : self._count]
        least = softmax.reached[:, 0] - self._slack
        # Later tiles raised the bar, so many early candidates are out by now.
        near = np.flatnonzero(self._logits[: self._count] >= least[rows])
        near = near[np.argsort(rows[near], kind="stable")]
        return rows[near], columns[near], self._logits[near]


def add_groups(
    logits: FloatArray,
    previous_level: FloatArray,
    level: FloatArray,
    groups: IndexArray,
    sums: DoubleArray,
) -> None:
    """Add the powers of labels to the sums of their groups.

    Args:
        logits: float32 (n, w), in rows that lie together.
        previous_level: float32 (n,), the highest logit without these labels: the level of ``sums``.
        level: float32 (n,), the highest with them.
        groups: int64 (w,), each label's.
        sums: float64 (n, g), written over.
    """
    _loops(len(logits), FEWEST_ITEMS).add_groups(logits, previous_level, level, groups, sums)


def best(
    rows: IndexArray, columns: IndexArray, exact: DoubleArray, count: int, limit: int
) -> tuple[IndexArray, DoubleArray]:
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
    order = np.lexsort((columns, -exact, rows))
    starts = np.searchsorted(rows, np.arange(count))
    places = order[starts[:, np.newaxis] + np.arange(limit)]
    return columns[places], exact[places]


def inner_products(
    queries: FloatArray, matrix: FloatArray, rows: IndexArray, columns: IndexArray
) -> DoubleArray:
    """float64 (p,): inner products of pairs of rows, in double precision.

    Args:
        queries: float32 (n, d).
        matrix: float32 (m, d).
        rows: int64 (p,), of ``queries``; not checked.
        columns: int64 (p,), rows of ``matrix``; not checked.
    """
    products = np.empty(len(rows))
    # Other strides would be another loop, with another order of the sums.
    queries, matrix = np.ascontiguousarray(queries), np.ascontiguousarray(matrix)
    multiply = _loops(len(rows), _FEWEST_PAIRS).multiply
    multiply(queries, matrix, np.ascontiguousarray(rows), np.ascontiguousarray(columns), products)
    return products
