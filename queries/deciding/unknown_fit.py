"""Fit the threshold of the unknown score to a catalog's labelled items."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from indexer.catalog.opening import OpenCatalog
from indexer.core.records import DoubleArray
from indexer.labels.adaptation import TEMPERATURE
from indexer.labels.examples import LabelledFolder, LabelledItems
from queries.deciding.calibration import balanced_threshold, unknown_threshold
from queries.deciding.fusion import blocks
from queries.deciding.predictor import Predictor
from queries.deciding.scorer_fit import FEWEST_ITEMS, stored_calibration_items, with_active_labels

UNKNOWN_ODDS = 19.0
"""Without labelled items: unknown where the background is so many times as likely as the
labels, as a level of 95% would have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownScores:
    """Unknown scores of labelled items.

    Attributes:
        known: float64 (n,), of items with an active label.
        unknown: float64 (m,), of items that are none of the labels.
    """

    known: DoubleArray
    unknown: DoubleArray

    def threshold(self) -> float:
        """The unknown score beyond which an input is unknown; inf where none lowers the errors."""
        return balanced_threshold(self.known, self.unknown)


def unknown_above(catalog: OpenCatalog, predictor: Predictor) -> float:
    """The unknown score beyond which an input without a title is unknown; inf: none is."""
    scores = scores_of_labelled_items(catalog, predictor)
    if scores is not None:
        return scores.threshold()
    if predictor.background is None:
        return math.inf
    calibrating = stored_calibration_items(catalog, predictor.scorer)
    if calibrating is not None:
        threshold = unknown_threshold(_unknown_scores(predictor, calibrating, titled=False))
        if math.isfinite(threshold):
            return threshold
    return TEMPERATURE * math.log(UNKNOWN_ODDS)


def titled_unknown_above(catalog: OpenCatalog, predictor: Predictor) -> float:
    """The threshold of inputs with a title; a background sees pictures alone."""
    scores = scores_of_labelled_items(catalog, predictor, titled=True)
    return predictor.unknown_above if scores is None else scores.threshold()


def scores_of_labelled_items(
    catalog: OpenCatalog, predictor: Predictor, *, titled: bool = False
) -> UnknownScores | None:
    """Unknown scores of the catalog's items with a label and of those without one.

    Args:
        titled: of the items with a title, by their titles too.

    Returns:
        None where there are too few of either, and with titles where a background decides.
    """
    pair = _known_and_unknown(catalog, predictor)
    if pair is None:
        return None
    known_items, unknown_items = pair
    if titled:
        known_items, unknown_items = known_items.titled, unknown_items.titled
        too_few = min(len(known_items), len(unknown_items)) < FEWEST_ITEMS
        if too_few or predictor.background is not None:
            return None
    return UnknownScores(
        known=_unknown_scores(predictor, known_items, titled=titled),
        unknown=_unknown_scores(predictor, unknown_items, titled=titled),
    )


def _known_and_unknown(
    catalog: OpenCatalog, predictor: Predictor
) -> tuple[LabelledItems, LabelledItems] | None:
    """Items with a label and items without one; None where there are too few of either."""
    folder, labels = LabelledFolder(catalog.folder.labels), predictor.scorer.head.labels
    unknown_items = folder.items("unknown")
    if unknown_items is None or len(unknown_items) < FEWEST_ITEMS:
        return None
    # Examples that are learnt from have no part in unknown scores.
    known_items = stored_calibration_items(catalog, predictor.scorer) or with_active_labels(
        folder.items("taught"), labels
    )
    if known_items is None or len(known_items) < FEWEST_ITEMS:
        return None
    return known_items, unknown_items


def _unknown_scores(predictor: Predictor, items: LabelledItems, *, titled: bool) -> DoubleArray:
    pairs = blocks(items.vectors, items.titles if titled else None)
    return np.concatenate([predictor.unknown_scores(*pair) for pair in pairs])
