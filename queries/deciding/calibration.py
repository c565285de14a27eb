"""How far a label may be trusted: thresholds from labelled items, and a status; pure numpy.

The temperature that makes a score a probability is fitted by ``indexer.core.softmax``, and
how well it does is measured by ``queries.evaluation.metrics``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from indexer.core.records import DoubleArray, IndexArray

TRUST = 0.9
"""Confidence level of the lower bound on a precision."""

MIN_SCORE = 0.5
"""Without anything else to go by, a label is accepted that is likelier than all others."""

RIGHT_OF_ACCEPTED = {
    "fashion, 1,203 labels (CLIP ViT-B/32)": 0.822,
    "fashion, 32 labels (CLIP ViT-B/32)": 0.937,
    "clinc150 (MiniLM)": 0.819,
    "banking77 (MiniLM)": 0.816,
    "cifar10 (lit)": 0.371,
    "cifar10 (tiny)": 0.763,
    "clothing (lit)": 0.698,
    "grocery, 81 labels (lit)": 0.167,
    "grocery, 43 labels (lit)": 0.268,
    "sample shop, with titles (pocket)": 0.978,
    "sample shop, with titles (lit)": 0.766,
    "fashion, 32 labels, with titles (lit)": 0.667,
    "fashion, 1,203 labels, with titles (lit)": 0.604,
}
"""Share of the items accepted from ``MIN_SCORE`` on, without calibration, that are right, by data
set and model, of items that have one of the labels (``benchmarks.quality --part trust``)."""

UNCALIBRATED = (
    "Uncalibrated: how many accepted labels are right is not known. On "
    f"{len(RIGHT_OF_ACCEPTED)} measured pairs of a data set and a model, about "
    f"{sum(RIGHT_OF_ACCEPTED.values()) / len(RIGHT_OF_ACCEPTED):.0%} of those with a score of "
    f"{MIN_SCORE:g} or more were right, from "
    f"{min(RIGHT_OF_ACCEPTED.values()):.0%} to {max(RIGHT_OF_ACCEPTED.values()):.0%}"
)
"""What the status accepted is worth where no labelled item says it."""

KNOWN_COVERAGE = 0.95
"""Share of known items that the threshold of the unknown score lets through."""

MOST_ITEMS = 50_000
"""Accepted items beyond which no number is told."""

_ROUNDING, _UNKNOWN_ROUNDING = 1e-9, 1e-4
"""A threshold is often the score of an item. The item itself must lie on the same side each time,
whatever stands beside it: scores near a threshold are in double precision, unknown scores in
single."""

_SCORES_TRIED = 50


class Status(StrEnum):
    """What to do with a label.

    An attribute that fits none of its labels is not visible; a category is unknown.
    """

    ACCEPTED = "accepted"
    REVIEW = "review"
    UNKNOWN = "unknown"
    NOT_VISIBLE = "not_visible"
    NOT_APPLICABLE = "not_applicable"


STATUSES = tuple(Status)
"""A status by its code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """A score from which on labels are precise enough.

    Attributes:
        score: accept labels of this score or above.
        coverage: share of the labelled items that have such a score.
        precision: share of those that are right.
        lower_bound: of the precision, at the confidence level ``TRUST``.
    """

    score: float
    coverage: float
    precision: float
    lower_bound: float


def threshold_for_precision(
    scores: npt.ArrayLike, right: npt.ArrayLike, target: float
) -> Threshold | None:
    """The lowest score at which labels are still precise enough, for certain.

    For each score that occurs, the items at or above it are counted, and the target must
    lie below the one-sided lower bound of Clopper and Pearson (1934, "The use of
    confidence or fiducial limits illustrated in the case of the binomial", Biometrika
    26) at 90%. The bound is exact for each score taken alone; of several, the lowest is
    chosen, which in simulations of 100 to 1,000 items missed the target in no more than
    one case in ten still. It is the reason why few items never reach a high target: 0.95
    needs at least 45 items, all of them right.

    Args:
        scores: float (n,), of the best label.
        right: bool (n,), whether it is the truth.
        target: precision to keep, above 0 and below 1.

    Returns:
        None where no score reaches the target.
    """
    values = np.asarray(scores, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    ordered, hits = values[order], np.asarray(right, dtype=bool)[order]
    total = np.arange(1, len(ordered) + 1)
    # Items of one score are accepted together.
    last_of_score = np.append(ordered[1:] < ordered[:-1], True)[: len(ordered)]
    sure = (_tail(np.cumsum(hits), total, target) <= 1 - TRUST) & last_of_score
    if not sure.any():
        return None
    place = int(np.flatnonzero(sure)[-1])
    number, count = int(hits[: place + 1].sum()), int(total[place])
    return Threshold(
        score=float(ordered[place]),
        coverage=count / len(ordered),
        precision=number / count,
        lower_bound=lower_bound(number, count),
    )


def lower_bound(right: int, total: int, *, trust: float = TRUST) -> float:
    """The one-sided lower bound of Clopper and Pearson on a share.

    The share at which as many right ones or more would turn up with probability
    ``1 - trust``; 0 where none is right.

    Args:
        right: how many are right.
        total: of how many.
        trust: confidence level.
    """
    from scipy.special import betaincinv

    if right == 0:
        return 0.0
    return float(betaincinv(right, total - right + 1, 1 - trust))


def items_for_precision(scores: npt.ArrayLike, right: npt.ArrayLike, target: float) -> int | None:
    """How many labelled items a target precision takes, if further ones are like these.

    For each score, the share that is right at or above it is taken as it is, and the items
    at or above it are multiplied until the lower bound on their precision reaches the
    target. The least number of all scores counts.

    Args:
        scores: float (n,), of the best label.
        right: bool (n,), whether it is the truth.
        target: precision to keep, above 0 and below 1.

    Returns:
        None where no score has a share that is above the target by enough.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    hits = np.cumsum(np.asarray(right, dtype=bool)[order])
    places = np.unique(np.linspace(0, len(hits) - 1, _SCORES_TRIED).astype(int))
    needed = [
        len(hits) * count / (place + 1)
        for place in places.tolist()
        if (count := _count_for(float(hits[place]) / (place + 1), target)) is not None
    ]
    return math.ceil(min(needed)) if needed else None


def _count_for(share: float, target: float) -> int | None:
    """The fewest items of which such a share is right for certain; None beyond the most."""

    def is_sure(count: int) -> bool:
        return bool(_tail(math.floor(share * count + 1e-9), count, target) <= 1 - TRUST)

    low, high = 0, 16
    while share > target and high < MOST_ITEMS and not is_sure(high):
        low, high = high, 2 * high
    if share <= target or high >= MOST_ITEMS:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_sure(middle) else (middle, high)
    return high


def balanced_threshold(known_scores: npt.ArrayLike, unknown_scores: npt.ArrayLike) -> float:
    """The unknown score above which the two error rates have the least mean.

    Known items above it are called unknown, unknown ones at or below it known: the mean of
    the two shares is least where Youden's index is highest (Youden 1950, "Index for rating
    diagnostic tests", Cancer 3). Of several the highest is taken.

    Only thresholds count that lower the number of errors: more than half of the given items
    above them must be unknown, with a confidence of ``TRUST`` (Clopper and Pearson 1934). A
    score that hardly separates would call more known items unknown than it finds.

    Args:
        known_scores: float (n,), unknown scores of items whose truth is an active label.
        unknown_scores: float (m,), of items that are none of the labels.

    Returns:
        inf where no threshold lowers the number of errors.
    """
    known, unknown = np.sort(np.asarray(known_scores)), np.sort(np.asarray(unknown_scores))
    candidates = np.unique(np.concatenate([known, unknown]))
    wrongly_unknown = len(known) - np.searchsorted(known, candidates, side="right")
    wrongly_known = np.searchsorted(unknown, candidates, side="right")
    rightly_unknown = len(unknown) - wrongly_known
    lowers_errors = (rightly_unknown > 0) & (
        _tail(rightly_unknown, rightly_unknown + wrongly_unknown, 0.5) <= 1 - TRUST
    )
    if not lowers_errors.any():
        return math.inf
    errors = wrongly_unknown / len(known) + wrongly_known / len(unknown)
    errors[~lowers_errors] = math.inf
    return float(candidates[len(errors) - 1 - int(np.argmin(errors[::-1]))])


def unknown_threshold(known_scores: npt.ArrayLike, *, coverage: float = KNOWN_COVERAGE) -> float:
    """The unknown score above which an input is unknown, from items that are known.

    Split conformal prediction (Vovk et al. 2005, "Algorithmic Learning in a Random
    World"): the smallest threshold that a new known item passes with a probability of
    ``coverage`` or more, whatever the scores' distribution.

    Args:
        known_scores: float (n,), unknown scores of items whose truth is an active label.
        coverage: share of known items to let through.

    Returns:
        inf where there are too few items: 19 for 0.95.
    """
    ordered = np.sort(np.asarray(known_scores, dtype=np.float64))
    place = math.ceil((len(ordered) + 1) * coverage - 1e-9) - 1
    return float(ordered[place]) if place < len(ordered) else math.inf


def status_codes(
    scores: npt.ArrayLike,
    unknown_scores: npt.ArrayLike,
    *,
    min_score: float | DoubleArray = MIN_SCORE,
    unknown_above: float | DoubleArray = math.inf,
) -> npt.NDArray[np.int8]:
    """What to do with each label, as places in ``STATUSES``: int8 (n,).

    Args:
        scores: float (n,), probability of the label.
        unknown_scores: float (n,), as ``queries.deciding.unknown`` gives them.
        min_score: accepted from here on, else for review; one, or float (n,).
        unknown_above: unknown beyond, whatever the score; one, or float (n,).
    """
    accepted = np.asarray(scores) >= np.asarray(min_score) - _ROUNDING
    unknown = np.asarray(unknown_scores) > unknown_above + _UNKNOWN_ROUNDING
    return np.where(unknown, 2, np.where(accepted, 0, 1)).astype(np.int8)


def _tail(
    right: DoubleArray | IndexArray | int, total: IndexArray | int, share: float
) -> DoubleArray:
    """Probability of ``right`` hits or more in ``total`` draws; for arrays, one of each."""
    from scipy.special import bdtrc

    return np.asarray(bdtrc(np.subtract(right, 1), total, share))
