"""What scores are worth: of accepted items without calibration, and calibrated, with titles too."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.quality.examples import CALIBRATION_GOAL, LABELLED, PERFECT_DRAWS, scorer_of
from benchmarks.quality.sets import (
    LabelledSet,
    Sources,
    embedded_files,
    embedded_labels,
    read_table,
)
from benchmarks.quality.table import Row, of_draws
from indexer.core.records import BoolArray, DoubleArray, FloatArray, Label
from indexer.core.softmax import fit_confidence_temperature, softmax
from indexer.encoder import SentenceTransformerEncoder
from indexer.labels import taxonomy
from indexer.labels.adaptation import TEMPERATURE, fit_centring
from pocket.shop import draw
from queries.deciding.calibration import MIN_SCORE
from queries.deciding.fusion import measure_fusion, title_scorer
from queries.deciding.settings import TEXT_WEIGHT
from queries.evaluation.metrics import expected_calibration_error, wilson_interval

DRAWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TitledSet:
    """A set whose items have titles.

    Attributes:
        titles: float32 (n, d), rows of length 1.
    """

    pictures: LabelledSet
    titles: FloatArray


def rows(sources: Sources, found: list[LabelledSet]) -> Iterator[Row]:
    """Of all sets by their pictures or texts, and of those with titles by both."""
    for one in found:
        yield accepted(one.name, scorer_of(one).scores(one.items), one)
    for titled in titled_sets(sources):
        scores = titled_scores(titled)
        name = f"{titled.pictures.name}, with titles"
        yield accepted(name, scores, titled.pictures)
        yield calibrated(name, scores, titled.pictures)


def titled_scores(one: TitledSet) -> DoubleArray:
    """Scores as the package blends them by default, float64 (n, k)."""
    pictures = one.pictures
    scorer = scorer_of(pictures)
    titles = title_scorer(scorer, fit_centring(one.titles, pictures.labels.vectors))
    fusion = measure_fusion(scorer, titles, pictures.items, one.titles, TEXT_WEIGHT)
    return fusion.blend(scorer.scores(pictures.items), one.titles)


def accepted(name: str, scores: DoubleArray, one: LabelledSet) -> Row:
    """The share of accepted items that are right, without a labelled item."""
    confidences = softmax(scores, TEMPERATURE).max(axis=1)
    right = scores.argmax(axis=1) == one.truth
    is_accepted, is_known = confidences >= MIN_SCORE, one.truth >= 0
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


def calibrated(name: str, scores: DoubleArray, one: LabelledSet) -> Row:
    """Expected calibration error on the rest after calibrating on 100 items."""
    before, after, perfect = [], [], []
    for seed in range(DRAWS):
        random = np.random.default_rng(seed)
        order = random.permutation(one.known)
        fitted, rest = order[:LABELLED], order[LABELLED:]
        right = scores[rest].argmax(axis=1) == one.truth[rest]
        temperature = fit_confidence_temperature(scores[fitted], one.truth[fitted])
        before.append(_error(softmax(scores[rest], TEMPERATURE).max(axis=1), right))
        confidences = softmax(scores[rest], temperature).max(axis=1)
        after.append(_error(confidences, right))
        drawn = random.random((PERFECT_DRAWS, len(rest))) < confidences
        perfect += [_error(confidences, hits) for hits in drawn]
    return Row(
        what=f"{name}: calibration error after {LABELLED} labelled items "
        f"({np.mean(perfect):.3f} were perfect)",
        plain=float(np.mean(before)),
        goal=CALIBRATION_GOAL,
        how=f"Expected calibration error (15 bins) on the items that are left; mean of {DRAWS} "
        "draws, lowest to highest. plain: before calibrating. In brackets: what exact "
        "probabilities would get on as many items. The method was chosen without fashion.",
        lower_is_better=True,
        more={"perfect": float(np.mean(perfect))},
        **of_draws(after),
    )


def titled_sets(sources: Sources) -> Iterator[TitledSet]:
    """The sample shop by two models, and fashion over 32 and 1,203 labels."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        draw(folder)
        named = taxonomy.read_label_file(str(folder / "taxonomy.yaml")).labels
        for model, encoder in (("pocket", sources.pocket), ("lit", sources.lit)):
            yield from _of_table(f"sample shop ({model})", encoder, folder, [named])
    lvis = read_table(sources.data / "lvis" / "labels.csv")
    subset = set((sources.data / "lvis" / "fashion_subset.txt").read_text().split())
    labels = [Label(label_id=row["id"], name=row["name"], path=(row["name"],)) for row in lvis]
    few = [label for label in labels if label.label_id in subset]
    yield from _of_table("fashion (lit)", sources.lit, sources.data / "fashion", [few, labels])


def _of_table(
    name: str, encoder: SentenceTransformerEncoder, folder: Path, label_lists: list[list[Label]]
) -> Iterator[TitledSet]:
    """One set for each list of labels; pictures and titles are embedded once."""
    table = read_table(folder / "products.csv")
    kept, pictures = embedded_files(encoder, [folder / row["image"] for row in table])
    titles = encoder.embed_texts([table[row]["title"] for row in kept])
    for labels in label_lists:
        leaves = embedded_labels(encoder, labels)
        truth = [leaves.places.get(table[row]["truth"], -1) for row in kept]
        one = LabelledSet(
            name=f"{name}, {len(leaves):,} labels",
            items=pictures,
            labels=leaves,
            truth=np.array(truth, dtype=np.int64),
            logit_scale=encoder.logit_scale,
            model=encoder.name,
        )
        yield TitledSet(pictures=one, titles=titles)


def _error(scores: DoubleArray, right: BoolArray) -> float:
    return float(expected_calibration_error(scores, right))
