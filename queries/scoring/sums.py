"""The denominator of a softmax over very many labels, as a sum of whole numbers.

Whole numbers below 2**53 add up without rounding, in any order: what a label adds can be
taken off again, and labels that come later give the very sum that all at once would give.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from indexer.records import FloatArray
from queries.scoring.scratch import Scratch

Exact = npt.NDArray[np.float64]

LOG_UNIT = 32 * math.log(2)
"""The highest power is about 2**32: rounding 10,000 powers to whole numbers changes a
probability by 3e-6 at the very most, and sums stay below 2**53 while the labels times the
largest value are below 2**21."""

_CHUNK = 2**19
"""Logits that are worked on at a time. More leave the cache; with fewer, threads that score side
by side wait for Python's interpreter more often."""

_scratch = Scratch()


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
    count, labels = logits.shape
    powers, weighted = np.zeros(count), np.zeros(count)
    rows = max(1, _CHUNK // max(labels, 1))
    scratch = _scratch.array("powers", (min(rows, count), labels), np.float32)
    for start in range(0, count, rows):
        part = slice(start, min(start + rows, count))
        found = scratch[: part.stop - start]
        np.subtract(logits[part], level[part, np.newaxis], out=found)
        np.exp(found, out=found)
        np.rint(found, out=found)
        np.sum(found, axis=1, dtype=np.float64, out=powers[part])
        if values is not None:
            np.multiply(values[part], found, out=found)
            np.rint(found, out=found)
            np.sum(found, axis=1, dtype=np.float64, out=weighted[part])
    return powers, weighted


def log_sums(level: FloatArray, powers: Exact) -> Exact:
    """float64 (n,): the logarithm of each item's softmax denominator."""
    return np.asarray(level + np.log(powers))
