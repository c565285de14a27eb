"""A classifier of typed labels that never saw the item it judges; pure numpy.

Gaussian discriminant analysis with one shrunk covariance, as ``indexer.labels.few_shot`` has it,
from sums that add up block by block. The sums are kept fold by fold, so that an item is judged by
the sums of the other folds (cross-validation), and no item is in memory twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.core.records import BoolArray, DoubleArray, IndexArray
from indexer.core.softmax import log_sum_exp
from indexer.labels.few_shot import Discriminant, shrunk_discriminant

FOLDS = 5

UNTAUGHT_TEMPERATURE = 0.5
"""Of the share that labels without examples keep, in units of the zero-shot temperature. Of 2,
1, .5 and .2 the highest at which items of such labels lost no point on banking77, clothing and
the sample shop, with random examples and with examples of 30% of the labels."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A discriminant for each fold, fitted without it.

    Attributes:
        discriminants: one a fold.
        seen: bool (folds, k), the labels that the other folds have items of.
    """

    discriminants: tuple[Discriminant, ...]
    seen: BoolArray


class Sums:
    """What a discriminant is fitted from, by fold.

    Args:
        labels: k.
        width: f, of the features.
    """

    def __init__(self, labels: int, width: int) -> None:
        self._numbers = np.zeros((FOLDS, labels))
        self._sums = np.zeros((FOLDS, labels, width))
        self._squares = np.zeros((FOLDS, width, width))

    def add(
        self, features: npt.NDArray[np.floating], labels: IndexArray, folds: IndexArray
    ) -> None:
        """Count items.

        Args:
            features: (n, f).
            labels: int64 (n,), their typed labels.
            folds: int64 (n,).
        """
        for fold in np.unique(folds):
            inside = folds == fold
            block = features[inside].astype(np.float64)
            np.add.at(self._sums[fold], labels[inside], block)
            np.add.at(self._numbers[fold], labels[inside], 1)
            self._squares[fold] += block.T @ block

    def fit(self) -> HeldOut:
        """Fit a discriminant for each fold to the items of the others."""
        numbers, sums = self._numbers.sum(axis=0), self._sums.sum(axis=0)
        squares = self._squares.sum(axis=0)
        fitted, seen = [], []
        for fold in range(FOLDS):
            training = numbers - self._numbers[fold]
            fitted.append(
                _discriminant(training, sums - self._sums[fold], squares - self._squares[fold])
            )
            seen.append(training > 0)
        return HeldOut(tuple(fitted), np.array(seen))


def _discriminant(numbers: DoubleArray, sums: DoubleArray, squares: DoubleArray) -> Discriminant:
    """The discriminant of items by their sums.

    Args:
        numbers: float64 (k,), items of each label.
        sums: float64 (k, f), of their features.
        squares: float64 (f, f), of all items' features with themselves.
    """
    width = sums.shape[1]
    present = numbers > 0
    if not present.any():
        return Discriminant(np.zeros_like(sums), np.zeros(len(numbers)))
    means = sums / np.maximum(numbers, 1)[:, np.newaxis]
    freedom = max(1.0, numbers.sum() - present.sum())
    covariance = (squares - sums.T @ means) / freedom
    variance = max(float(np.trace(covariance)) / width, 1e-9)
    return shrunk_discriminant(numbers, sums, covariance, variance)


def keep_untaught_share(
    scores: DoubleArray, blended: DoubleArray, taught: npt.NDArray[np.bool_], temperature: float
) -> DoubleArray:
    """What examples say is which of the taught labels it is, not that it is one of them.

    Examples of some labels would draw the items of all others to these. So the labels
    without examples keep their zero-shot scores, and the scores of the others are moved
    together until their soft maximum is what it was by zero-shot. This is the
    project's own. A share kept on the mean, as ``labels teach`` has it, takes the whole catalog.

    Args:
        scores: float64 (n, k), zero-shot.
        blended: float64 (n, k), with what the examples add.
        taught: bool (k,), the labels that have examples.
        temperature: of the zero-shot scores.

    Returns:
        float64 (n, k); ``blended`` itself where all labels or none have examples.
    """
    if taught.all() or not taught.any():
        return blended
    sharp = UNTAUGHT_TEMPERATURE * temperature
    gained = log_sum_exp(blended[:, taught], sharp) - log_sum_exp(scores[:, taught], sharp)
    return np.where(taught, blended - gained[:, np.newaxis], scores)
