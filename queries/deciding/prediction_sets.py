"""Sets of labels that hold the truth with a probability that was asked for; pure numpy.

Split conformal prediction (Vovk et al. 2005, "Algorithmic Learning in a Random World"): of n
calibrating items the scores of their true labels are ordered, and the set of a new item are
all labels that score no higher than the ceil((n + 1) * coverage)-th of them. Whatever the
model, the set of an item that is drawn as the calibrating ones were holds its true label
with that probability or more, on the mean over draws of the calibrating items.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from indexer.core.records import DoubleArray, IndexArray
from queries.deciding.calibration import lower_bound

RANK_PENALTY = 0.0005
"""What a place further down costs, in probability. Of 0, .0005, .002, .005 and .01 the smallest
mean sets on banking77, CLINC and CIFAR-10, with 100 calibrating items and a coverage of .95."""


@dataclass(frozen=True, slots=True)
class SetRule:
    """Which labels belong to a set.

    Attributes:
        threshold: those whose ``set_scores`` are no higher, and the likeliest one.
        items: calibrating items that it comes from.
        coverage: that was asked for.
    """

    threshold: float
    items: int
    coverage: float

    @property
    def sure_coverage(self) -> float:
        """The coverage that sets by so many calibrating items have in nine draws of ten.

        Given the items it is distributed as Beta(place, n + 1 - place): Vovk 2012,
        "Conditional validity of inductive conformal predictors".
        """
        return lower_bound(_place(self.items, self.coverage), self.items)


def fewest_items(coverage: float) -> int:
    """The calibrating items that a coverage takes: 19 for .95, 99 for .99."""
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def set_scores(shares: DoubleArray) -> DoubleArray:
    """The score of each label: how much its probability is missed, and its place.

    One less the probability gives the smallest sets on the mean (Sadinle et al. 2019, "Least
    Ambiguous Set-Valued Classifiers with Bounded Error Levels"), and the penalty of places
    keeps those of many unlikely labels short, as in regularised adaptive sets (RAPS:
    Angelopoulos et al. 2021, arXiv:2009.14193). The sum of the two is this project's own: on
    the sets that the penalty was chosen on its sets are smaller than those of RAPS.

    Scores after optimal transport to equal label frequencies (Conf-OT: Silva-Rodriguez et al.
    2025, arXiv:2505.24693) halve the sets of balanced catalogs (CLINC 10.1 to 5.0), and are of no
    use for others (fashion over 1,203 labels 5.4 to 1,034). With the frequencies of the calibrating
    items sets are smaller, but hold the truth of .91 instead of .95 (CLINC); with estimated ones
    they are no smaller.

    Args:
        shares: float64 (n, k), probabilities.

    Returns:
        float64 (n, k); the order of a row is that of its probabilities.
    """
    order = np.argsort(-shares, axis=1, kind="stable")
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(shares.shape[1])[np.newaxis], axis=1)
    return np.asarray(1 - shares + RANK_PENALTY * places)


def set_rule(shares: DoubleArray, truth: IndexArray, coverage: float) -> SetRule:
    """The rule by calibrating items.

    Args:
        shares: float64 (n, k), of the calibrating items; ``fewest_items`` at least.
        truth: int64 (n,), their labels' columns.
        coverage: above 0 and below 1.
    """
    scores = np.sort(set_scores(shares)[np.arange(len(truth)), truth])
    return SetRule(float(scores[_place(len(truth), coverage) - 1]), len(truth), coverage)


def set_sizes(shares: DoubleArray, rule: SetRule) -> IndexArray:
    """int64 (n,): how many of the likeliest labels each set has; 1 at least."""
    return np.asarray(np.maximum((set_scores(shares) <= rule.threshold).sum(axis=1), 1))


def _place(items: int, coverage: float) -> int:
    return math.ceil((items + 1) * coverage - 1e-9)
