"""What labelled items add: 16 examples of each label, and calibration on 100 items."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.sets import LabelledSet
from benchmarks.quality.table import Row, of_draws
from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.core.softmax import fit_confidence_temperature, fit_temperature, softmax
from indexer.labels.adaptation import TEMPERATURE, fit
from indexer.labels.corrections import ScoredItems
from indexer.labels.few_shot import FewShot, frequencies_of
from indexer.labels.head import adapted
from indexer.labels.strengths import choose_strengths
from queries.deciding.scorer import Scorer
from queries.evaluation.metrics import expected_calibration_error, sweep_calibration_error

DRAWS = 10
CALIBRATIONS = 50
"""Draws of 100 items: one draw's error is far from another's."""

EXAMPLES = 16
LABELLED = 100
SOME = 0.3
"""Share of the labels that have examples, where not all have."""

FASHION_GOAL = 0.955
CALIBRATION_GOAL = 0.05
PERFECT_DRAWS = 5

SPLITS = {
    "all but one": "a label of 16 items or fewer keeps one to be tested",
    "half": "a label of fewer than 32 items gives half",
}


def scorer_of(labelled: LabelledSet) -> Scorer:
    """The package's default for a set: labels adapted to its items."""
    head = adapted(labelled.labels, fit(labelled.items, labelled.labels.vectors))
    return Scorer(head=head, unit=1 / TEMPERATURE, temperature=TEMPERATURE)


def taught_scores(
    queries: FloatArray, scores: DoubleArray, rows: IndexArray, truth: IndexArray, seed: int = 0
) -> DoubleArray:
    """Scores of all items, (n, k), with some of them as examples.

    Args:
        queries: float32 (n, d), the items as the head sees them.
        scores: (n, k), by the labels alone.
        rows: of the examples.
        truth: the examples' labels.
        seed: of the folds that the strengths are chosen by.
    """
    examples = queries[rows], scores[rows], truth
    frequencies = frequencies_of(scores, TEMPERATURE)
    catalog = ScoredItems(queries, scores)
    strengths = choose_strengths(*examples, frequencies, TEMPERATURE, catalog=catalog, seed=seed)
    return FewShot.of(*examples, strengths, TEMPERATURE).blend(queries, scores)


def few_shot(labelled: LabelledSet, split: str) -> Row:
    """Top-1 on the rest with 16 examples of each label."""
    scorer = scorer_of(labelled)
    scores = scorer.scores(labelled.items)
    queries = scorer.head.queries(labelled.items)[:, :-1]
    plain, zero, taught = [], [], []
    for seed in range(DRAWS):
        chosen = examples_of(labelled, split, np.random.default_rng(seed))
        rest = np.setdiff1d(labelled.known, chosen)
        by_examples = taught_scores(queries, scores, chosen, labelled.truth[chosen])[rest]
        cosines = labelled.items[rest] @ labelled.labels.vectors.T
        for values, compared in ((plain, cosines), (zero, scores[rest]), (taught, by_examples)):
            values.append(float((compared.argmax(axis=1) == labelled.truth[rest]).mean()))
    return Row(
        what=f"{labelled.name}: top-1 with 16 examples of each label ({split})",
        plain=float(np.mean(plain)),
        goal=FASHION_GOAL if labelled.name.startswith("fashion") else float(np.mean(zero)),
        how=f"Tested on the items that were not taught; {SPLITS[split]}. {DRAWS} draws, lowest to "
        "highest. plain: cosine. The goal of sets without one is the adapted labels' own figure.",
        more={"without_examples": float(np.mean(zero))},
        **of_draws(taught),
    )


def some_labels(labelled: LabelledSet) -> Row:
    """Top-1 of all that is left with 16 examples of some labels, and none of the others."""
    scorer = scorer_of(labelled)
    scores = scorer.scores(labelled.items)
    queries = scorer.head.queries(labelled.items)[:, :-1]
    zero, taught, others = [], [], []
    for seed in range(DRAWS):
        random = np.random.default_rng(seed)
        chosen = examples_of(labelled, "half", random)
        present = np.unique(labelled.truth[chosen])
        labels = random.choice(present, max(2, round(SOME * len(present))), replace=False)
        chosen = chosen[np.isin(labelled.truth[chosen], labels)]
        rest = np.setdiff1d(labelled.known, chosen)
        by_examples = taught_scores(queries, scores, chosen, labelled.truth[chosen])[rest]
        right = by_examples.argmax(axis=1) == labelled.truth[rest]
        before = scores[rest].argmax(axis=1) == labelled.truth[rest]
        other = ~np.isin(labelled.truth[rest], labels)
        zero.append(float(before.mean()))
        taught.append(float(right.mean()))
        others.append(float(right[other].mean() - before[other].mean()))
    return Row(
        what=f"{labelled.name}: top-1 with 16 examples of each of {SOME:.0%} of the labels",
        plain=float(np.mean(zero)),
        goal=float(np.mean(zero)),
        how=f"Of all items that were not taught. {DRAWS} draws of the labels, lowest to highest. "
        "plain and goal: the adapted labels without examples.",
        more={"gain_of_other_labels": float(np.mean(others))},
        **of_draws(taught),
    )


def calibration(name: str, scores: DoubleArray, labelled: LabelledSet) -> Row:
    """Expected calibration error on the rest after calibrating on 100 items.

    Perfect probabilities have an error too, as bins of few items miss their share by
    chance: its mean is told beside the figure, and so is the error by the sweep, which
    has less of that.

    Args:
        scores: (n, k) of the set's items.
    """
    before: list[float] = []
    by_log_loss: list[float] = []
    after: list[float] = []
    swept: list[float] = []
    perfect: list[float] = []
    for seed in range(CALIBRATIONS):
        random = np.random.default_rng(seed)
        order = random.permutation(labelled.known)
        fitted, rest = order[:LABELLED], order[LABELLED:]
        right = scores[rest].argmax(axis=1) == labelled.truth[rest]
        for values, temperature in (
            (before, TEMPERATURE),
            (by_log_loss, fit_temperature(scores[fitted], labelled.truth[fitted])),
            (after, fit_confidence_temperature(scores[fitted], labelled.truth[fitted])),
        ):
            confidences = softmax(scores[rest], temperature).max(axis=1)
            values.append(expected_calibration_error(confidences, right))
        swept.append(sweep_calibration_error(confidences, right))
        drawn = random.random((PERFECT_DRAWS, len(rest))) < confidences
        perfect += [expected_calibration_error(confidences, hits) for hits in drawn]
    return Row(
        what=f"{name}: calibration error after {LABELLED} labelled items "
        f"({np.mean(perfect):.3f} were perfect; {np.mean(swept):.3f} by the sweep)",
        plain=float(np.mean(before)),
        goal=CALIBRATION_GOAL,
        how=f"Expected calibration error (15 bins) on the items that are left; mean of "
        f"{CALIBRATIONS} draws, lowest to highest. plain: before calibrating. In brackets: what "
        "exact probabilities would get on as many items, and what the same probabilities get by a "
        "measure that few items mislead less (Roelofs et al. 2022).",
        lower_is_better=True,
        more={
            "perfect": float(np.mean(perfect)),
            "sweep": float(np.mean(swept)),
            "by_log_loss": float(np.mean(by_log_loss)),
        },
        **of_draws(after),
    )


def examples_of(labelled: LabelledSet, split: str, random: np.random.Generator) -> IndexArray:
    """Up to 16 rows of each label."""
    parts = []
    for label in np.unique(labelled.truth[labelled.known]):
        rows = random.permutation(np.flatnonzero(labelled.truth == label))
        most = {"all but one": len(rows) - 1, "half": len(rows) // 2}[split]
        parts.append(rows[: min(EXAMPLES, most)])
    return np.concatenate(parts)
