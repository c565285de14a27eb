"""How often a label is typed for another, and which typed labels are wrong; pure numpy.

Confident learning (Northcutt, Jiang, Chuang 2021, "Confident Learning: Estimating Uncertainty in
Dataset Labels", JAIR 70, https://arxiv.org/abs/1911.00068): an item counts for the label j that
its probability says, where that reaches the mean probability of j over the items typed j. The
counts are the confident joint. From it follows by Bayes' rule how probable it is that a typed
label is wrong; cleanlab ranks by the probability of the typed label alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from indexer.core.records import DoubleArray, IndexArray

LOWEST_ERROR_RATE = 0.005
"""Share of errors that is thought possible where none is seen."""

PRIOR_ITEMS = 20.0
"""Items of each label that are thought to be typed as the average says: few items tell little."""

MOST_PAIRED_LABELS = 3_000
"""More labels: which ones are confused is not counted, only how often."""

_TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How labels are typed.

    Attributes:
        error_rate: share of typed labels that are wrong.
        typed: float64 (k, k), how probable it is that an item of a label (row) is typed as
            another (column); rows sum to 1. None where there are too many labels.
        labels: k.
    """

    error_rate: float
    typed: DoubleArray | None
    labels: int

    def wrong(self, probabilities: DoubleArray, typed_labels: IndexArray) -> DoubleArray:
        """How probable it is that typed labels are wrong, by Bayes' rule.

        Args:
            probabilities: float64 (n, k), of each label, by a model that did not see the item.
            typed_labels: int64 (n,), the typed labels.

        Returns:
            float64 (n,).
        """
        rows = np.arange(len(typed_labels))
        right = probabilities[rows, typed_labels]
        if self.typed is None:
            slips = self.error_rate / max(1, self.labels - 1)
            right_share, wrong_share = right * (1 - self.error_rate), (1 - right) * slips
        else:
            likelihood = self.typed.T[typed_labels]
            joint = probabilities * likelihood
            right_share = joint[rows, typed_labels]
            wrong_share = joint.sum(axis=1) - right_share
        return np.asarray(wrong_share / np.maximum(right_share + wrong_share, _TINY))

    def wrong_group(self, inside: DoubleArray) -> DoubleArray:
        """As ``wrong``, of items that are typed as an inner label.

        Args:
            inside: float64 (n,), the probability of all labels below it together.
        """
        slips = self.error_rate / max(1, self.labels - 1)
        right_share, wrong_share = inside * (1 - self.error_rate), (1 - inside) * slips
        return np.asarray(wrong_share / np.maximum(right_share + wrong_share, _TINY))


def measure_noise(probabilities: DoubleArray, typed_labels: IndexArray) -> Noise:
    """Measure it on items.

    Args:
        probabilities: float64 (n, k), by a model that did not see the item.
        typed_labels: int64 (n,), the typed labels.
    """
    items, labels = probabilities.shape
    rows = np.arange(items)
    own = probabilities[rows, typed_labels]
    numbers = np.bincount(typed_labels, minlength=labels)
    thresholds = np.bincount(typed_labels, own, minlength=labels) / np.maximum(numbers, 1)
    # What nobody has typed has no threshold of its own.
    thresholds[numbers == 0] = own.mean()
    # Equal probabilities have a mean that is off by rounding.
    confident = np.where(probabilities >= thresholds - _TINY, probabilities, -1.0)
    best = confident.argmax(axis=1)
    counted = confident[rows, best] >= 0
    wrong = counted & (best != typed_labels)
    error_rate = max(LOWEST_ERROR_RATE, float(wrong.sum()) / max(1, int(counted.sum())))
    if labels > MOST_PAIRED_LABELS or labels < 2:
        return Noise(error_rate=error_rate, typed=None, labels=labels)
    typed = np.full((labels, labels), PRIOR_ITEMS * error_rate / (labels - 1))
    np.fill_diagonal(typed, PRIOR_ITEMS * (1 - error_rate))
    np.add.at(typed, (best[counted], typed_labels[counted]), 1.0)
    return Noise(
        error_rate=error_rate, typed=typed / typed.sum(axis=1, keepdims=True), labels=labels
    )
