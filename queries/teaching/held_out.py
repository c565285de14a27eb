"""How far calibrated scores are from the share that is right, on items that the fit did not see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from indexer.core.records import BoolArray, DoubleArray
from indexer.labels.examples import LabelledItems
from queries.deciding.predictor import Predictor
from queries.deciding.predictor_fit import scores_and_hits, with_temperatures
from queries.evaluation.metrics import expected_calibration_error

FOLDS = 10
"""Parts of the cross-validation. With ``MANY_ITEMS`` two are enough: half of them fit a temperature
as well as all."""

MANY_ITEMS = 1_000
SEED = 0

_DRAWS = 1_000
_CHANCE = 0.975
"""Level of both tests, of all items and of the slices: exact probabilities fail one of the two in
one case of twenty at most."""

_FEWEST_OF_SLICE = 10
_TINY = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Items that share something, and how far their scores are off.

    Attributes:
        name: what they share, in words that follow "items".
        items: how many they are.
        mean_score: of their best labels.
        accuracy: share of these that is right.
    """

    name: str
    items: int
    mean_score: float
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Scores of items by temperatures that were fitted to the others.

    Attributes:
        mean_score: of the best labels.
        accuracy: share of these that is right.
        error: expected calibration error.
        exact_error: that exact probabilities would have on as many items, on the mean: bins of few
            items miss their share by chance.
        exact_error_high: that they would exceed in one case of forty.
        log_loss: of the best label being right, in nats an item.
        log_loss_before: the same by the scores before calibrating.
        log_loss_deviation: standard error of the difference of the two.
        off: the slice that is furthest off beyond chance; None where none is.
    """

    mean_score: float
    accuracy: float
    error: float
    exact_error: float
    exact_error_high: float
    log_loss: float
    log_loss_before: float
    log_loss_deviation: float
    off: Slice | None

    @property
    def is_exact(self) -> bool:
        """Whether all errors are such as exact probabilities could have, as far as items tell."""
        return self.error <= self.exact_error_high and self.off is None

    @property
    def is_worse(self) -> bool:
        """Whether calibrating made scores worse by more than chance: two standard errors."""
        return self.log_loss - self.log_loss_before > 2 * self.log_loss_deviation


def held_out(
    predictor: Predictor,
    items: LabelledItems,
    scores_before: DoubleArray,
    right_before: BoolArray,
) -> HeldOut:
    """Measure calibrated scores by cross-validation.

    Each tenth of the items is scored by temperatures that were fitted to the others. Whether the
    error is more than chance is told by consistency resampling (Broecker and Smith 2007,
    "Increasing the Reliability of Reliability Diagrams", Weather and Forecasting 22): labels that
    are right with exactly the probability of their score are drawn, and give an error, too.

    Args:
        predictor: that was calibrated on the items.
        items: calibrating items.
        scores_before: float64 (n,), of their best labels by the uncalibrated predictor.
        right_before: bool (n,), whether these are right.
    """
    scores, right = cross_validated(predictor, items)
    exact = exact_errors(scores)
    losses_before, losses_after = (
        _log_losses(scores_before, right_before),
        _log_losses(scores, right),
    )
    return HeldOut(
        mean_score=float(scores.mean()),
        accuracy=float(right.mean()),
        error=float(expected_calibration_error(scores, right)),
        exact_error=float(exact.mean()),
        exact_error_high=float(np.quantile(exact, _CHANCE)),
        log_loss=float(losses_after.mean()),
        log_loss_before=float(losses_before.mean()),
        log_loss_deviation=float((losses_after - losses_before).std() / np.sqrt(len(items))),
        off=furthest_off(scores, right, _slices(predictor, items, scores)),
    )


def cross_validated(predictor: Predictor, items: LabelledItems) -> tuple[DoubleArray, BoolArray]:
    """Scores of the best labels by the other items, float64 (n,), and whether these are right."""
    folds = np.random.default_rng(SEED).permutation(len(items)) % (
        FOLDS if len(items) < MANY_ITEMS else 2
    )
    scores, right = np.empty(len(items)), np.empty(len(items), dtype=bool)
    for fold in np.unique(folds):
        training_rows, rows = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        fitted = with_temperatures(predictor, items.take(training_rows.tolist()))
        scores[rows], right[rows] = scores_and_hits(fitted, items.take(rows.tolist()))
    return scores, right


def exact_errors(scores: DoubleArray) -> DoubleArray:
    """Calibration errors of scores that are exact: of draws by their own probabilities."""
    generator = np.random.default_rng(SEED)
    return np.array(
        [
            expected_calibration_error(scores, generator.random(len(scores)) < scores)
            for _ in range(_DRAWS)
        ]
    )


def _log_losses(scores: DoubleArray, right: BoolArray) -> DoubleArray:
    """float64 (n,), nats."""
    chances = np.where(right, scores, 1 - scores)
    return np.asarray(-np.log(np.maximum(chances, _TINY)))


def _slices(
    predictor: Predictor, items: LabelledItems, scores: DoubleArray
) -> Iterator[tuple[str, BoolArray]]:
    """What items share, and which do, bool (n,)."""
    middle = float(np.median(scores))
    yield f"with a score above {middle:.2f}", scores > middle
    yield f"with a score of {middle:.2f} or less", scores <= middle
    ranking = predictor.rank_best(items.vectors, items.titles).labels[:, 0]
    yield from _title_slices(predictor, items)
    for node in np.unique(ranking[ranking >= 0]):
        name = predictor.labels.labels[node].name
        yield f"that get the label {name!r}", ranking == node


def _title_slices(predictor: Predictor, items: LabelledItems) -> Iterator[tuple[str, BoolArray]]:
    """Items without a title, and those whose picture and title tell the same label or others."""
    if predictor.fusion is None or items.titles is None:
        return
    has_title = np.asarray(items.titles.any(axis=1))
    yield "without a title", ~has_title
    by_picture = predictor.scorer.scores(items.vectors).argmax(axis=1)
    by_title = predictor.fusion.titles.scores(items.titles).argmax(axis=1)
    yield "whose picture and title tell the same label", has_title & (by_picture == by_title)
    yield "whose picture and title tell two labels", has_title & (by_picture != by_title)


def furthest_off(
    scores: DoubleArray, right: BoolArray, slices: Iterator[tuple[str, BoolArray]]
) -> Slice | None:
    """The slice whose mean score is beyond chance by the most standard deviations.

    The level is divided by the number of slices (Bonferroni), so that of many one is not named by
    chance.
    """
    from scipy.special import ndtri

    large = [(name, rows) for name, rows in slices if rows.sum() >= _FEWEST_OF_SLICE]
    deviations = [
        float((scores[rows] - right[rows]).sum())
        / max(float(np.sqrt((scores[rows] * (1 - scores[rows])).sum())), _TINY)
        for _, rows in large
    ]
    if not large:
        return None
    place = int(np.abs(deviations).argmax())
    if abs(deviations[place]) < -ndtri((1 - _CHANCE) / (2 * len(large))):
        return None
    name, rows = large[place]
    return Slice(
        name=name,
        items=int(rows.sum()),
        mean_score=float(scores[rows].mean()),
        accuracy=float(right[rows].mean()),
    )
