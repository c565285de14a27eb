"""The loops of ``loops`` by numpy, for few items: nothing has to be compiled or loaded."""

from __future__ import annotations

import numpy as np

from indexer.core.records import DoubleArray, FloatArray, IndexArray

LANES = 32
"""Sums of one inner product that are added up side by side: a vector register or several."""


def add(
    logits: FloatArray,
    maxima: FloatArray,
    reached: FloatArray,
    level: FloatArray,
    powers: DoubleArray,
    weighted: DoubleArray,
) -> None:
    """As ``Softmax.add``: fills ``maxima`` in, and counts the logits into the other arrays.

    Args:
        logits: float32 (n, w).
        maxima: float32 (n, g).
        reached: float32 (n, k), ascending.
        level: float32 (n,).
        powers: float64 (n,).
        weighted: float64 (n,).
    """
    (items, columns), groups = logits.shape, maxima.shape[1]
    pieces = -(-columns // groups)
    padded = np.full((items, pieces * groups), -np.inf, dtype=np.float32)
    padded[:, :columns] = logits
    maxima[:] = padded.reshape(items, pieces, groups).max(axis=1)
    candidates = np.concatenate([reached, maxima], axis=1)
    candidates.sort(axis=1)
    reached[:] = candidates[:, -reached.shape[1] :]
    top = np.maximum(level, reached[:, -1])
    factor = _powers(level, top)
    powers *= factor
    weighted *= factor
    level[:] = top
    logit_powers = _powers(logits, top[:, np.newaxis])
    powers += logit_powers.sum(axis=1)
    weighted += (logit_powers * logits).sum(axis=1)


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
    del maxima  # it saves the compiled loop most of the logits
    items, columns = np.nonzero(logits >= least[:, np.newaxis])
    fits = max(0, min(len(items), len(found_logits) - count))
    place = slice(count, count + fits)
    pairs[0, place], pairs[1, place] = items[:fits], first_label + columns[:fits]
    found_logits[place] = logits[items[:fits], columns[:fits]]
    return count + len(items)


def add_groups(
    logits: FloatArray,
    previous_level: FloatArray,
    level: FloatArray,
    groups: IndexArray,
    sums: DoubleArray,
) -> None:
    """As ``loops.add_groups``."""
    sums *= _powers(previous_level, level)[:, np.newaxis]
    powers = _powers(logits, level[:, np.newaxis])
    for item_sums, item_powers in zip(sums, powers, strict=True):
        item_sums += np.bincount(groups, item_powers, minlength=len(item_sums))


def multiply(
    queries: FloatArray,
    matrix: FloatArray,
    rows: IndexArray,
    columns: IndexArray,
    products: DoubleArray,
) -> None:
    """As ``loops.inner_products``, into ``products``.

    A product of two float32 is exact in float64, and the sums are taken in a fixed order: a sum
    for each lane, and then halves of the lanes. So the compiled loop gives the same bits.
    """
    terms = queries[rows].astype(np.float64) * matrix[columns]
    pieces = -(-terms.shape[1] // LANES)
    padded = np.zeros((len(terms), pieces * LANES))
    padded[:, : terms.shape[1]] = terms
    sums = np.add.reduce(padded.reshape(len(terms), pieces, LANES), axis=1)
    half = LANES // 2
    while half:
        sums[:, :half] += sums[:, half : 2 * half]
        half //= 2
    products[:] = sums[:, 0]


def _powers(logits: FloatArray, top: FloatArray) -> DoubleArray:
    return np.exp(logits.astype(np.float64) - top)
