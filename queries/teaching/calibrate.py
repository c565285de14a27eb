"""Fits the temperature and the thresholds to labelled items that the labels were not taught by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import UsageError
from indexer.core.records import BoolArray, DoubleArray
from indexer.jobs.adapt import current
from indexer.labels.examples import LabelledFolder, LabelledItems
from queries.classify import active_labels, head_of
from queries.deciding.calibrated_labels import store_held_out, store_labels
from queries.deciding.calibration import items_for_precision
from queries.deciding.predictor import Predictor
from queries.deciding.predictor_fit import fit_predictor, scores_and_hits, uncalibrated
from queries.deciding.scorer_fit import (
    FEWEST_ITEMS,
    calibration_items,
    fit_scorer,
    with_active_labels,
)
from queries.deciding.settings import Settings
from queries.evaluation.metrics import expected_calibration_error
from queries.teaching.held_out import HeldOut, held_out
from queries.teaching.labelled import (
    MOST_STORED,
    SEED,
    read_labelled,
    refuse_pixels,
    store_unknown,
    with_leaves,
)
from queries.teaching.unknown_figures import UnknownFigures, finite_or_none, unknown_figures


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateReport:
    """What ``labels calibrate`` did.

    Attributes:
        items: labelled items that scores are calibrated on.
        titled_items: those of them that are scored by their titles too.
        accuracy: share of them whose best label is right.
        temperature: of the scores without titles, in units of the labels' own.
        mean_score_before: of the best labels, titles included, by scores that no calibrating item
            has a part in: beside ``accuracy`` it says whether they are too sure.
        calibration_error_before: expected calibration error of those scores.
        held_out: of calibrated scores, by cross-validation.
        unknown_above: the unknown score beyond which an input is unknown; None: none is.
        min_score: to accept from for the target precision, without a title; None where
            none was asked for or none reaches it.
        titled_min_score: the same with a title.
        coverage: share of the items that are accepted then.
        more_items: that the target precision takes beside these, if they are like them; None
            where it is reached, and where no number is known to.
        unknown_items: that are known to be none of the labels.
        unknown_figures: of the threshold, by the items given; None where too few were.
        titled_unknown_figures: the same of items with a title; None also where these have no
            threshold of their own.
    """

    items: int
    titled_items: int
    accuracy: float
    temperature: float
    mean_score_before: float
    calibration_error_before: float
    held_out: HeldOut
    unknown_above: float | None
    min_score: float | None
    titled_min_score: float | None
    coverage: float | None
    more_items: int | None
    unknown_items: int
    unknown_figures: UnknownFigures | None
    titled_unknown_figures: UnknownFigures | None

    def facts(self) -> dict[str, Any]:
        """Everything, as one row; the figures of held-out items among the others."""
        values = asdict(self)
        measured = values.pop("held_out")
        return values | {
            "mean_score": measured["mean_score"],
            "calibration_error": measured["error"],
            "exact_calibration_error": measured["exact_error"],
            "exact_calibration_error_high": measured["exact_error_high"],
            "beyond_chance": not self.held_out.is_exact,
            "furthest_off": measured["off"],
            "log_loss_before": measured["log_loss_before"],
            "log_loss": measured["log_loss"],
            "log_loss_deviation": measured["log_loss_deviation"],
        }


def calibrate(
    catalog: OpenCatalog,
    *,
    truth: str | None = None,
    file: Path | None = None,
    unknown: Sequence[str] = (),
    settings: Settings | None = None,
) -> CalibrateReport:
    """Fit the temperature and the thresholds to labelled items.

    Args:
        catalog: opened for writing.
        truth: key of the items' metadata; or
        file: CSV with the columns ``item_id`` and ``label_id``.
        unknown: as ``teach`` takes it.
        settings: with a target precision, also say from which score on so many labels are
            right; the share of titles, level and back-off are those that the report is of.

    Raises:
        UsageError: no such column, unknown labels, too few items that the labels were not
            taught by, or pixels decide the label set.
        CatalogError: the catalog has no labels.
    """
    refuse_pixels(catalog)
    labels = active_labels(catalog, None)
    labelled = read_labelled(catalog, truth=truth, file=file, unknown=unknown)
    items = _sample(with_leaves(labelled, labels))
    folder = LabelledFolder(catalog.folder.labels)
    head = head_of(catalog, labels, current(catalog))
    # By the scorer as it is before: what it has learnt from says nothing of other items.
    untaught = calibration_items(
        fit_scorer(catalog, head, save=True),
        with_active_labels(folder.items("taught"), labels),
        items,
    )
    if untaught is None:
        raise UsageError(
            "the labels were taught by these items, so they look surer on them than on others: "
            "calibrate on other items. Until then scores have the temperature that "
            "cross-validation gave when they were taught."
        )
    settings = settings or Settings()
    folder.save_items("calibrating", items)
    store_labels(folder, "calibrating", labels)
    store_unknown(folder, labelled, unknown)
    predictor = fit_predictor(catalog, head, settings, save=True)
    scores_before, right_before = scores_and_hits(uncalibrated(predictor), untaught)
    measured = held_out(predictor, untaught, scores_before, right_before)
    store_held_out(folder, measured.error, is_exact=measured.is_exact)
    titled = untaught.titled if predictor.fusion is not None else untaught.take(())
    scores, right = scores_and_hits(predictor, untaught)
    return CalibrateReport(
        items=len(untaught),
        titled_items=len(titled),
        accuracy=float(right.mean()),
        temperature=predictor.scorer.temperature * predictor.scorer.unit,
        mean_score_before=float(scores_before.mean()),
        calibration_error_before=float(expected_calibration_error(scores_before, right_before)),
        held_out=measured,
        unknown_above=finite_or_none(predictor.unknown_above),
        more_items=_more_items(predictor, scores, right),
        unknown_items=len(folder.items("unknown") or ()),
        unknown_figures=unknown_figures(catalog, predictor),
        titled_unknown_figures=unknown_figures(catalog, predictor, titled=True),
        **_thresholds(predictor, untaught, scores),
    )


def _sample(items: LabelledItems | None) -> LabelledItems:
    """The items to calibrate on, of those with an active label.

    Raises:
        UsageError: they are too few.
    """
    count = 0 if items is None else len(items)
    if items is None or count < FEWEST_ITEMS:
        raise UsageError(
            f"calibrating takes {FEWEST_ITEMS} labelled items at least, whose label is a leaf of "
            f"the taxonomy, and is good from about 100 on: there {'is' if count == 1 else 'are'} "
            f"{count}. Label more items."
        )
    sample = np.sort(np.random.default_rng(SEED).permutation(count)[:MOST_STORED])
    return items.take(sample.tolist())


def _more_items(predictor: Predictor, scores: DoubleArray, right: BoolArray) -> int | None:
    """How many more labelled items the target precision takes; None where it is reached."""
    target, starts = predictor.settings.target_precision, [predictor.min_score]
    if predictor.fusion is not None:
        starts.append(predictor.fusion.min_score)
    if target is None or all(map(math.isfinite, starts)):
        return None
    needed = items_for_precision(scores, right, target)
    return None if needed is None else max(1, needed - len(scores))


def _thresholds(
    predictor: Predictor, items: LabelledItems, scores: DoubleArray
) -> dict[str, float | None]:
    """The scores to accept from for the target precision, and the share of items accepted."""
    if predictor.settings.target_precision is None:
        return {"min_score": None, "titled_min_score": None, "coverage": None}
    starts = np.full(len(items), predictor.min_score)
    if predictor.fusion is not None and items.titles is not None:
        starts[items.titles.any(axis=1)] = predictor.fusion.min_score
    titled_min_score = math.inf if predictor.fusion is None else predictor.fusion.min_score
    return {
        "min_score": finite_or_none(predictor.min_score),
        "titled_min_score": finite_or_none(titled_min_score),
        "coverage": float((scores >= starts).mean()),
    }
