"""The loops of ``loops`` in machine code: each tile is read once while it is in the cache."""

from __future__ import annotations

import math

import numpy as np

from indexer.core.records import DoubleArray, FloatArray, IndexArray
from queries.scoring.compiled import compiled, compiled_as_written
from queries.scoring.numpy_loops import LANES

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
def add(
    logits: FloatArray,
    maxima: FloatArray,
    reached: FloatArray,
    level: FloatArray,
    powers: DoubleArray,
    weighted: DoubleArray,
) -> None:
    """As ``numpy_loops.add``, in one pass."""
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
def collect(
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
def add_groups(
    logits: FloatArray,
    previous_level: FloatArray,
    level: FloatArray,
    groups: IndexArray,
    sums: DoubleArray,
) -> None:
    """As ``loops.add_groups``."""
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


@compiled_as_written
def multiply(
    queries: FloatArray,
    matrix: FloatArray,
    rows: IndexArray,
    columns: IndexArray,
    products: DoubleArray,
) -> None:
    """As ``numpy_loops.multiply``, bit for bit."""
    width = queries.shape[1]
    whole = width - width % LANES
    sums = np.empty(LANES)
    for pair in range(len(rows)):
        query, row = queries[rows[pair]], matrix[columns[pair]]
        sums[:] = 0.0
        for start in range(0, whole, LANES):
            for lane in range(LANES):
                sums[lane] += np.float64(query[start + lane]) * np.float64(row[start + lane])
        for lane in range(width - whole):
            sums[lane] += np.float64(query[whole + lane]) * np.float64(row[whole + lane])
        half = LANES // 2
        while half:
            for lane in range(half):
                sums[lane] += sums[lane + half]
            half //= 2
        products[pair] = sums[0]
