"""Whether two sides of vectors are of one space: what belongs together must be nearer; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from indexer.core.records import FloatArray

LEAST_PAIRS = 16
"""Fewer tell nothing: chance alone is that far off."""

_SIGNIFICANT = 3.0
"""Standard deviations beyond chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """How pairs of vectors agree.

    Attributes:
        pairs: how many there were.
        share: of the others of its side that are farther from a vector than its own partner is:
            the area under the ROC curve; a half is chance.
    """

    pairs: int
    share: float

    @property
    def is_enough(self) -> bool:
        """Whether there are pairs enough to say anything."""
        return self.pairs >= LEAST_PAIRS

    @property
    def is_chance(self) -> bool:
        """Whether the share is no more than chance gives (a mean of n ranks, Mann and Whitney)."""
        return self.share < 0.5 + _SIGNIFICANT / math.sqrt(12 * max(self.pairs, 1))


def alignment_of(queries: FloatArray, keys: FloatArray) -> Alignment:
    """How two sides agree, each without what all of it shares: pictures and texts lie apart.

    Args:
        queries: float32 (n, d), rows of length 1.
        keys: float32 (n, d), its rows belong to those of ``queries``.
    """
    count = len(queries)
    if count < 2:
        return Alignment(pairs=count, share=0.5)
    products = (queries - queries.mean(axis=0)) @ (keys - keys.mean(axis=0)).T
    pair_cosines = np.diag(products)[:, None]
    farther = (products < pair_cosines).sum() + 0.5 * ((products == pair_cosines).sum() - count)
    return Alignment(pairs=count, share=float(farther / (count * (count - 1))))
