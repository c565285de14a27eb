"""Reduce tiles of logits to the best labels of each item, and the sums of its softmax.

A tile is the logits of some items for some labels. It is read while it is in the cache, tile
after tile, so that the logits of all labels never stand in memory at once.

The best labels are found in single precision and ordered exactly. The maxima of groups of
labels give a logit that at least k labels reach. Only labels that reach it, within what single
precision may be wrong by, can be among the k best; their inner products are taken again in
double precision.
"""

from __future__ import annotations

import math

import numpy as np

from indexer.core.records import DoubleArray, FloatArray, IndexArray
from queries.scoring.compiled import compiled, compiled_as_written

_GROUPS_PER_BEST, _FEWEST_GROUPS = 4, 64
"""Few groups tell little of the k best; many are long to look through."""

_LOWEST = np.float32(-1e30)
"""Stands for the highest of no logits."""

_SUMMED = 256
"""Powers that are added up in single precision, before their sum is added in double."""

_LOG_2_HIGH, _LOG_2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_PER_LOG_2 = np.float32(1 / math.log(2))
_LEAST = np.float32(-80.0)
"""What is lower counts as this: a power of 2e-35."""

_HALF, _ONE = np.float32(0.5), np.float32(1.0)
_C0, _C1, _C2, _C3, _C4, _C5 = (
    np.float32(coefficient)
    for coefficient in (
        5.0000001201e-1,
        1.6666665459e-1,
        4.1665795894e-2,
        8.3334519073e-3,
        1.3981999507e-3,
        1.9875691500e-4,
    )
)


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
        _add(logits, maxima, self.reached, self.level, self.powers, self.weighted)
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
        while True:
            pairs, found_logits = self._pairs, self._logits
            count = _collect(logits, maxima, least, first_label, pairs, found_logits, self._count)
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
    _add_groups(logits, previous_level, level, groups, sums)


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
    _multiply(queries, matrix, np.ascontiguousarray(rows), np.ascontiguousarray(columns), products)
    return products


@compiled_as_written
def _exp(exponent: np.float32) -> np.float32:
    """``exp``, within 1e-7 of it.

    Moshier's polynomial of the Cephes library (``expf``), after Cody and Waite's reduction of
    the argument.
    """
    exponent = max(exponent, _LEAST)
    twos = np.floor(exponent * _PER_LOG_2 + _HALF)
    remainder = exponent - twos * _LOG_2_HIGH
    remainder -= twos * _LOG_2_LOW
    series = _C5
    series = series * remainder + _C4
    series = series * remainder + _C3
    series = series * remainder + _C2
    series = series * remainder + _C1
    series = series * remainder + _C0
    series = series * (remainder * remainder) + remainder + _ONE
    # The exponent's bits of a float32.
    power_of_two = np.int32((np.int32(twos) + np.int32(127)) << np.int32(23)).view(np.float32)
    power: np.float32 = series * power_of_two
    return power


@compiled
def _add(
    logits: FloatArray,
    maxima: FloatArray,
    reached: FloatArray,
    level: FloatArray,
    powers: DoubleArray,
    weighted: DoubleArray,
) -> None:
    groups, columns = maxima.shape[1], logits.shape[1]
    for item in range(len(logits)):
        line, highest, best_maxima = logits[item], maxima[item], reached[item]
        highest[:] = line[:groups]
        for start in range(groups, columns, groups):
            piece = line[start : start + groups]
            for group in range(len(piece)):
                logit = piece[group]
                highest[group] = logit if logit > highest[group] else highest[group]
        for group in range(groups):
            logit = highest[group]
            if logit > best_maxima[0]:
                place = 0
                while place + 1 < len(best_maxima) and best_maxima[place + 1] < logit:
                    best_maxima[place] = best_maxima[place + 1]
                    place += 1
                best_maxima[place] = logit
        top = best_maxima[len(best_maxima) - 1]
        if top > level[item]:
            factor = np.float64(_exp(level[item] - top))
            powers[item] *= factor
            weighted[item] *= factor
            level[item] = top
        for start in range(0, columns, _SUMMED):
            piece = line[start : start + _SUMMED]
            total, total_weighted = np.float32(0.0), np.float32(0.0)
            for column in range(len(piece)):
                power = _exp(piece[column] - top)
                total += power
                total_weighted += power * piece[column]
            powers[item] += np.float64(total)
            weighted[item] += np.float64(total_weighted)


@compiled
def _collect(
    logits: FloatArray,
    maxima: FloatArray,
    least: FloatArray,
    first_label: int,
    pairs: IndexArray,
    found_logits: FloatArray,
    count: int,
) -> int:
    """Fill in pairs and their logits, as far as there is room; how many there are."""
    groups = maxima.shape[1]
    for item in range(len(logits)):
        line, highest = logits[item], maxima[item]
        for group in range(groups):
            if highest[group] < least[item]:
                continue
            for column in range(group, len(line), groups):
                if line[column] >= least[item]:
                    if count < len(found_logits):
                        pairs[0, count], pairs[1, count] = item, first_label + column
                        found_logits[count] = line[column]
                    count += 1
    return count


@compiled
def _add_groups(
    logits: FloatArray,
    previous_level: FloatArray,
    level: FloatArray,
    groups: IndexArray,
    sums: DoubleArray,
) -> None:
    powers = np.empty(logits.shape[1], dtype=np.float32)
    for item in range(len(logits)):
        line, item_sums, top = logits[item], sums[item], level[item]
        if top > previous_level[item]:
            factor = np.float64(_exp(previous_level[item] - top))
            for group in range(len(item_sums)):
                item_sums[group] *= factor
        for column in range(len(line)):
            powers[column] = _exp(line[column] - top)
        for column in range(len(line)):
            item_sums[groups[column]] += np.float64(powers[column])


@compiled
def _multiply(
    queries: FloatArray,
    matrix: FloatArray,
    rows: IndexArray,
    columns: IndexArray,
    products: DoubleArray,
) -> None:
    for pair in range(len(rows)):
        query, row = queries[rows[pair]], matrix[columns[pair]]
        total = 0.0
        for place in range(len(query)):
            total += np.float64(query[place]) * np.float64(row[place])
        products[pair] = total
