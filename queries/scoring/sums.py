"""The denominator of a softmax over very many labels, as a sum of whole numbers.

Whole numbers below 2**53 add up without rounding, so the order of the labels changes no bit.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from indexer.core.records import FloatArray
from queries.scoring.compiled import compiled, compiled_as_written

Exact = npt.NDArray[np.float64]

LOG_UNIT = 32 * math.log(2)
"""The highest power is about 2**32: rounding 10,000 powers to whole numbers changes a
probability by 3e-6 at the very most, and sums stay below 2**53 while the labels times the
largest value are below 2**21."""

_LOG_2_HIGH, _LOG_2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_PER_LOG_2 = np.float32(1 / math.log(2))
_LEAST = np.float32(-24 * math.log(2))
"""Powers of this and of what is lower are rounded to 0."""

_HALF, _ONE = np.float32(0.5), np.float32(1.0)
_C0, _C1, _C2, _C3, _C4, _C5 = (
    np.float32(one)
    for one in (
        5.0000001201e-1,
        1.6666665459e-1,
        4.1665795894e-2,
        8.3334519073e-3,
        1.3981999507e-3,
        1.9875691500e-4,
    )
)


def level_of(highest: FloatArray) -> FloatArray:
    """What is taken off an item's logits, so that the highest power is 2**30 to 2**32.

    It is rounded up to whole logits: it stays the same while another label is the best, if
    that is about as good.

    Args:
        highest: float32 (n,), each item's highest logit.
    """
    return np.asarray(np.ceil(highest) - np.float32(LOG_UNIT), dtype=np.float32)


def add_up(
    logits: FloatArray, level: FloatArray, values: FloatArray | None = None
) -> tuple[Exact, Exact]:
    """Each item's sum of powers ``exp(logit - level)``, and of powers times values.

    Args:
        logits: float32 (n, m).
        level: float32 (n,), by ``level_of``.
        values: float32 (n, m); None leaves the second sum at 0.

    Returns:
        float64 (n,) twice, whole numbers.
    """
    powers, weighted = np.zeros(len(logits)), np.zeros(len(logits))
    logits = np.ascontiguousarray(logits)  # of others the loops are slow
    if values is None:
        _add(logits, level, powers)
    else:
        _add_weighted(logits, level, np.ascontiguousarray(values), powers, weighted)
    return powers, weighted


def log_sums(level: FloatArray, powers: Exact) -> Exact:
    """float64 (n,): the logarithm of each item's softmax denominator."""
    return np.asarray(level + np.log(powers))


@compiled_as_written
def _power(exponent: np.float32) -> np.float32:
    """``exp``, within 1e-7 of it, and rounded to a whole number.

    Moshier's polynomial of the Cephes library (``expf``), after Cody and Waite's reduction of
    the argument.
    """
    exponent = max(exponent, _LEAST)
    twos = np.floor(exponent * _PER_LOG_2 + _HALF)
    rest = exponent - twos * _LOG_2_HIGH
    rest -= twos * _LOG_2_LOW
    series = _C5
    series = series * rest + _C4
    series = series * rest + _C3
    series = series * rest + _C2
    series = series * rest + _C1
    series = series * rest + _C0
    series = series * (rest * rest) + rest + _ONE
    # The exponent's bits of a float32.
    power_of_two = np.int32((np.int32(twos) + np.int32(127)) << np.int32(23)).view(np.float32)
    whole: np.float32 = np.rint(series * power_of_two)
    return whole


@compiled
def _add(logits: FloatArray, level: FloatArray, powers: Exact) -> None:
    for item in range(len(logits)):
        line, total = logits[item], 0.0
        for label in range(len(line)):
            total += np.float64(_power(line[label] - level[item]))
        powers[item] = total


@compiled
def _add_weighted(
    logits: FloatArray, level: FloatArray, values: FloatArray, powers: Exact, weighted: Exact
) -> None:
    for item in range(len(logits)):
        line, value, total, total_weighted = logits[item], values[item], 0.0, 0.0
        for label in range(len(line)):
            power = _power(line[label] - level[item])
            total += np.float64(power)
            total_weighted += np.float64(np.rint(power * value[label]))
        powers[item], weighted[item] = total, total_weighted
