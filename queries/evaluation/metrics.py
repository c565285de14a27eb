"""Measures of labels against a truth; pure numpy, each with its reference.

Arrays of one call have a value an item, in the same order. A measure of no items is nan.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.core.records import DoubleArray, IndexArray

BINS = 15
"""Bins of the reliability diagram, as in Guo et al. 2017."""

MOST_SWEPT = 200
"""Bins at most of the swept error. Of 100,000 items it took up to 39 where scores were exact;
only scores that part right from wrong take more, and their number squared is time."""

# The 97.5% quantile of the normal distribution.
_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability diagram: b bins of equal width over 0 to 1.

    Attributes:
        counts: int64 (b,), items in each bin.
        confidence: float64 (b,), mean score of the bin; nan where it is empty.
        accuracy: float64 (b,), share of right ones; nan where it is empty.
    """

    counts: IndexArray
    confidence: DoubleArray
    accuracy: DoubleArray


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference with its bootstrap interval."""

    difference: float
    low: float
    high: float


def top_accuracy(ranks: npt.ArrayLike, k: int) -> float:
    """acc1, acc5: share of items whose truth is among the k best.

    ImageNet's measure (Russakovsky et al. 2015, arXiv:1409.0575, section 4.1).

    Args:
        ranks: int (n,), place of the truth among the labels given, from 1; 0 is not there.
        k: labels that count.
    """
    places = np.asarray(ranks)
    return _mean((places >= 1) & (places <= k))


def macro_f1(truths: IndexArray, predicted: IndexArray) -> float:
    """F1 of each label that is a truth, averaged: small labels count as much as large ones.

    Args:
        truths: int64 (n,), the true label of each item; negative for none.
        predicted: int64 (n,), the label that it got; negative for none.

    Returns:
        nan where no item has a true label.
    """
    labels = np.unique(truths[truths >= 0])
    if not len(labels):
        return float("nan")
    size = 1 + int(max(truths.max(), predicted.max()))
    hits = np.bincount(truths[(truths >= 0) & (truths == predicted)], minlength=size)
    sums = np.bincount(truths[truths >= 0], minlength=size)
    sums = sums + np.bincount(predicted[predicted >= 0], minlength=size)
    return float((2 * hits[labels] / sums[labels]).mean())


def mean_per_class_recall(truths: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """Recall of each class that occurs in the truth, averaged: small classes count as much.

    Balanced accuracy for many classes (Brodersen et al. 2010, "The balanced accuracy and
    its posterior distribution", ICPR, doi:10.1109/ICPR.2010.764).

    Args:
        truths: (n,), any sortable values; fastest as classes numbered from 0.
        correct: bool (n,).
    """
    classes = np.asarray(truths)
    # Numbered classes need no sorting; those that do not occur are left out.
    if classes.dtype.kind not in "iu" or classes.min(initial=0) < 0:
        classes = np.unique(classes, return_inverse=True)[1]
    counts = np.bincount(classes)
    right = np.bincount(classes, weights=np.asarray(correct, dtype=np.float64))
    occurs = counts > 0
    return _mean(right[occurs] / counts[occurs])


def hierarchical_precision(shared: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """How much of the predicted paths is true: hP = sum |P n T| / sum |P|.

    P and T are the predicted and the true label with all their ancestors, a root that all
    labels share left out (Kiritchenko, Matwin, Nock and Famili 2006, "Learning and
    evaluation in the presence of class hierarchies", Canadian AI, LNCS 4013, pages
    395-406; recommended by Silla and Freitas 2011, doi:10.1007/s10618-010-0175-9).

    Args:
        shared: int (n,), sizes of P n T.
        predicted: int (n,), sizes of P.
    """
    return _ratio(np.sum(shared), np.sum(predicted))


def hierarchical_recall(shared: npt.ArrayLike, true: npt.ArrayLike) -> float:
    """How much of the true paths is predicted: hR = sum |P n T| / sum |T|.

    See ``hierarchical_precision``.

    Args:
        shared: int (n,), sizes of P n T.
        true: int (n,), sizes of T.
    """
    return _ratio(np.sum(shared), np.sum(true))


def harmonic_mean(precision: float, recall: float) -> float:
    """The F-measure of a precision and a recall (van Rijsbergen 1979, "Information Retrieval")."""
    return _ratio(2 * precision * recall, precision + recall)


def reliability(scores: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = BINS) -> Reliability:
    """Mean score and accuracy by bins of the score: (0, 1/b], (1/b, 2/b], ...

    Guo, Pleiss, Sun and Weinberger 2017, "On Calibration of Modern Neural Networks",
    arXiv:1706.04599, section 2.

    Args:
        scores: float (n,), 0 to 1.
        correct: bool (n,).
        bins: b.
    """
    values = np.asarray(scores, dtype=np.float64)
    places = np.clip(np.ceil(values * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    filled = np.where(counts, counts, np.nan)
    right = np.bincount(places, weights=np.asarray(correct, dtype=np.float64), minlength=bins)
    return Reliability(
        counts.astype(np.int64),
        np.bincount(places, weights=values, minlength=bins) / filled,
        right / filled,
    )


def expected_calibration_error(
    scores: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = BINS
) -> float:
    """How far scores are from the share that is right: sum over bins of n_b/n |acc - conf|.

    Guo et al. 2017, arXiv:1706.04599, equation 3, with bins of equal width.

    Args:
        scores: float (n,), 0 to 1.
        correct: bool (n,).
        bins: number of bins.
    """
    by_score = reliability(scores, correct, bins=bins)
    gaps = np.abs(by_score.accuracy - by_score.confidence) * by_score.counts
    return _ratio(float(np.nansum(gaps)), int(by_score.counts.sum()))


def sweep_calibration_error(scores: npt.ArrayLike, correct: npt.ArrayLike) -> float:
    """The calibration error with less of what few items add to it by chance.

    Bins of few items miss their share by chance, so the plain error of exact scores is above
    0: about 0.075 with 272 items, and 0.04 by this one (measured by simulation). Bins of
    equal size, as many as leave the accuracy rising from each to the next: ECE_SWEEP of
    Roelofs, Cain, Shlens and Mozer 2022, "Mitigating Bias in Calibration Error Estimation",
    AISTATS, arXiv:2012.08668, algorithm 1, here of absolute gaps (p = 1), and of up to
    ``MOST_SWEPT`` bins.

    Args:
        scores: float (n,), 0 to 1.
        correct: bool (n,).

    Returns:
        nan without items.
    """
    values = np.asarray(scores, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    sums = np.zeros((2, len(values) + 1))
    np.cumsum(values[order], out=sums[0, 1:])
    np.cumsum(np.asarray(correct, dtype=np.float64)[order], out=sums[1, 1:])
    score_sum, right_sum = sums[:, -1]
    error = _ratio(abs(right_sum - score_sum), len(values))
    if right_sum in (0, len(values)):  # no bins would change it, and accuracy never falls
        return error
    for bins in range(2, min(len(values), MOST_SWEPT) + 1):
        ends = np.linspace(0, len(values), bins + 1).astype(np.int64)
        confidence, right = np.diff(sums[:, ends], axis=1)
        if (np.diff(right / np.diff(ends)) < 0).any():
            break
        error = float(np.abs(right - confidence).sum() / len(values))
    return error


def selective_accuracy(
    scores: npt.ArrayLike, correct: npt.ArrayLike, coverages: npt.ArrayLike
) -> DoubleArray:
    """Accuracy on the surest share of the items: coverage against precision.

    The risk-coverage curve turned over (El-Yaniv and Wiener 2010, JMLR 11, pages
    1605-1641; Geifman and El-Yaniv 2017, arXiv:1705.08500). Items of equal score are
    taken in proportion, so their order does not matter.

    Args:
        scores: float (n,), higher is surer.
        correct: bool (n,).
        coverages: float (c,), shares above 0 up to 1; at least one item is taken.

    Returns:
        float64 (c,).
    """
    values = np.asarray(scores, dtype=np.float64)
    shares = np.asarray(coverages, dtype=np.float64)
    if not values.size:
        return np.full(shares.shape, np.nan)
    _, places = np.unique(-values, return_inverse=True)
    counts = np.bincount(places)
    right = np.bincount(places, weights=np.asarray(correct, dtype=np.float64))
    # Right items among the first x: linear within a group of equal scores.
    taken = np.maximum(np.ceil(np.round(shares * values.size, 6)), 1)
    ends = np.concatenate([[0], np.cumsum(counts)])
    sums = np.concatenate([[0.0], np.cumsum(right)])
    return np.asarray(np.interp(taken, ends, sums) / taken)


def auroc(scores: npt.ArrayLike, positive: npt.ArrayLike) -> float:
    """Probability that a positive item scores above a negative one; ties count half.

    The Mann-Whitney U statistic by mid-ranks (Hanley and McNeil 1982, "The meaning and use
    of the area under a receiver operating characteristic (ROC) curve", Radiology 143,
    pages 29-36). nan where one of the two kinds has no items.

    Args:
        scores: float (n,).
        positive: bool (n,).
    """
    is_positive = np.asarray(positive, dtype=np.bool_)
    positives = int(is_positive.sum())
    negatives = is_positive.size - positives
    _, places, counts = np.unique(np.asarray(scores), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks = (ends - (counts - 1) / 2)[places]
    above = ranks[is_positive].sum() - positives * (positives + 1) / 2
    return _ratio(float(above), positives * negatives)


def confusion_counts(truths: IndexArray, predicted: IndexArray, *, size: int) -> IndexArray:
    """How often each class was called each other: the error matrix.

    Stehman 1997, "Selecting and interpreting measures of thematic classification
    accuracy", Remote Sensing of Environment 62, pages 77-89.

    Args:
        truths: int64 (n,), classes from 0.
        predicted: int64 (n,).
        size: number of classes m.

    Returns:
        int64 (m, m), rows are truths.
    """
    counts = np.bincount(truths * size + predicted, minlength=size * size)
    return counts.reshape(size, size).astype(np.int64)


def wilson_interval(right: float, total: float) -> tuple[float, float]:
    """95% interval of a share that holds for few items and shares near 0 and 1.

    Wilson 1927, "Probable inference, the law of succession, and statistical inference",
    JASA 22, pages 209-212; recommended by Brown, Cai and DasGupta 2001, Statistical
    Science 16, pages 101-133.
    """
    if not total:
        return float("nan"), float("nan")
    share, square = right / total, _Z95**2
    centre = (share + square / (2 * total)) / (1 + square / total)
    spread = share * (1 - share) / total + square / (4 * total**2)
    half = _Z95 * np.sqrt(spread) / (1 + square / total)
    # Exact at the ends, where rounding would leave them.
    return (
        0.0 if right == 0 else float(centre - half),
        1.0 if right == total else float(centre + half),
    )


def bootstrap_difference(
    first_measure: Callable[[IndexArray], float],
    second_measure: Callable[[IndexArray], float],
    *,
    items: int,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """The difference of two results on the same items, with a 95% percentile interval.

    Items are drawn with replacement, the same for both, so what makes an item hard for
    both cancels out (Efron and Tibshirani 1993, "An Introduction to the Bootstrap",
    chapter 13; paired as in Berg-Kirkpatrick et al. 2012, EMNLP, ACL D12-1091).

    Args:
        first_measure: measure of the first result on items given as int64 positions.
        second_measure: the same of the second.
        items: number of items that both have.
        resamples: draws; those where a measure is nan (no unknowns drawn) are left out.
        seed: of the draws.

    Returns:
        ``second - first``.
    """
    generator = np.random.default_rng(seed)
    drawn = np.array(
        [
            second_measure(rows) - first_measure(rows)
            for rows in (generator.integers(0, items, items) for _ in range(resamples))
        ]
    )
    valid = drawn[~np.isnan(drawn)]
    positions = np.arange(items)
    low, high = np.percentile(valid, [2.5, 97.5]) if valid.size else (np.nan, np.nan)
    return Interval(second_measure(positions) - first_measure(positions), float(low), float(high))


def _mean(values: npt.NDArray[Any]) -> float:
    return float(values.mean()) if values.size else float("nan")


def _ratio(numerator: float, denominator: float) -> float:
    return float(numerator / denominator) if denominator else float("nan")
