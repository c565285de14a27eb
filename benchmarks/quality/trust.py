"""What scores are worth: of accepted items without calibration, and calibrated, with titles too."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from benchmarks.quality.examples import calibration, scorer_of
from benchmarks.quality.sets import LabelledSet, Sources, TitledSet, titled_fashion, titled_shop
from benchmarks.quality.table import Row
from indexer.core.records import DoubleArray
from indexer.core.softmax import softmax
from indexer.labels.adaptation import TEMPERATURE, fit_centring
from queries.deciding.calibration import MIN_SCORE
from queries.deciding.fusion import measure_fusion, title_scorer
from queries.deciding.settings import TEXT_WEIGHT
from queries.evaluation.metrics import wilson_interval


def rows(sources: Sources, sets: list[LabelledSet]) -> Iterator[Row]:
    """Of all sets by their pictures or texts, and of those with titles by both."""
    for labelled in sets:
        yield accepted(labelled.name, scorer_of(labelled).scores(labelled.items), labelled)
    for titled in chain(titled_shop(sources), titled_fashion(sources)):
        scores = titled_scores(titled)
        name = f"{titled.pictures.name}, with titles"
        yield accepted(name, scores, titled.pictures)
        yield calibration(name, scores, titled.pictures)


def titled_scores(titled: TitledSet) -> DoubleArray:
    """Scores as the package blends them by default, float64 (n, k)."""
    pictures = titled.pictures
    scorer = scorer_of(pictures)
    titles = title_scorer(scorer, fit_centring(titled.titles, pictures.labels.vectors))
    fusion = measure_fusion(scorer, titles, pictures.items, titled.titles, TEXT_WEIGHT)
    return fusion.blend(scorer.scores(pictures.items), titled.titles)


def accepted(name: str, scores: DoubleArray, labelled: LabelledSet) -> Row:
    """The share of accepted items that are right, without a labelled item."""
    confidences = softmax(scores, TEMPERATURE).max(axis=1)
    right = scores.argmax(axis=1) == labelled.truth
    is_accepted, is_known = confidences >= MIN_SCORE, labelled.truth >= 0
    counted = right[is_accepted & is_known]
    low, high = wilson_interval(float(counted.sum()), len(counted))
    return Row(
        what=f"{name}: share of accepted items that are right, uncalibrated",
        plain=float(confidences[is_accepted & is_known].mean()),
        reached=float(counted.mean()),
        goal=float(confidences[is_accepted & is_known].mean()),
        low=low,
        high=high,
        how=f"Items with a score of {MIN_SCORE} or more, of those that have one of the labels. "
        "plain and goal: their mean score, which it would be were scores probabilities. Interval: "
        "Wilson's of 95%.",
        more={
            "accepted": float(is_accepted[is_known].mean()),
            "right_with_items_of_no_label": float(right[is_accepted].mean()),
        },
    )
