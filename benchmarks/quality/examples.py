"""What labelled items add: 16 examples of each label, and calibration on 100 items."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.sets import LabelledSet
from benchmarks.quality.table import Row, of_draws
from indexer.core.records import IndexArray
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


def scorer_of(one: LabelledSet) -> Scorer:
    """The package's default for a set: labels adapted to its items."""
    head = adapted(one.labels, fit(one.items, one.labels.vectors))
    return Scorer(head=head, unit=1 / TEMPERATURE, temperature=TEMPERATURE)


def few_shot(one: LabelledSet, split: str) -> Row:
    """Top-1 on the rest with 16 examples of each label."""
    scorer = scorer_of(one)
    scores = scorer.scores(one.items)
    queries = scorer.head.queries(one.items)[:, :-1]
    frequencies = frequencies_of(scores, TEMPERATURE)
    plain, zero, taught = [], [], []
    for seed in range(DRAWS):
        chosen = examples_of(one, split, np.random.default_rng(seed))
        rest = np.setdiff1d(one.known, chosen)
        truth, right = one.truth[chosen], one.truth[rest]
        given = queries[chosen], scores[chosen], truth
        choice = choose_strengths(
            *given, frequencies, TEMPERATURE, catalog=ScoredItems(queries, scores)
        )
        found = FewShot.of(*given, choice, TEMPERATURE)
        cosines = one.items[rest] @ one.labels.vectors.T
        plain.append(float((cosines.argmax(axis=1) == right).mean()))
        zero.append(float((scores[rest].argmax(axis=1) == right).mean()))
        blended = found.blend(queries[rest], scores[rest])
        taught.append(float((blended.argmax(axis=1) == right).mean()))
    return Row(
        what=f"{one.name}: top-1 with 16 examples of each label ({split})",
        plain=float(np.mean(plain)),
        goal=FASHION_GOAL if one.name.startswith("fashion") else float(np.mean(zero)),
        how=f"Tested on the items that were not taught; {SPLITS[split]}. {DRAWS} draws, lowest to "
        "highest. plain: cosine. The goal of sets without one is the adapted labels' own figure.",
        more={"without_examples": float(np.mean(zero))},
        **of_draws(taught),
    )


def some_labels(one: LabelledSet) -> Row:
    """Top-1 of all that is left with 16 examples of some labels, and none of the others."""
    scorer = scorer_of(one)
    scores = scorer.scores(one.items)
    queries = scorer.head.queries(one.items)[:, :-1]
    frequencies = frequencies_of(scores, TEMPERATURE)
    zero, taught, others = [], [], []
    for seed in range(DRAWS):
        random = np.random.default_rng(seed)
        chosen = examples_of(one, "half", random)
        present = np.unique(one.truth[chosen])
        labels = random.choice(present, max(2, round(SOME * len(present))), replace=False)
        chosen = chosen[np.isin(one.truth[chosen], labels)]
        rest, truth = np.setdiff1d(one.known, chosen), one.truth[chosen]
        given = queries[chosen], scores[chosen], truth
        choice = choose_strengths(
            *given, frequencies, TEMPERATURE, catalog=ScoredItems(queries, scores)
        )
        found = FewShot.of(*given, choice, TEMPERATURE)
        right = found.blend(queries[rest], scores[rest]).argmax(axis=1) == one.truth[rest]
        before = scores[rest].argmax(axis=1) == one.truth[rest]
        other = ~np.isin(one.truth[rest], labels)
        zero.append(float(before.mean()))
        taught.append(float(right.mean()))
        others.append(float(right[other].mean() - before[other].mean()))
    return Row(
        what=f"{one.name}: top-1 with 16 examples of each of {SOME:.0%} of the labels",
        plain=float(np.mean(zero)),
        goal=float(np.mean(zero)),
        how=f"Of all items that were not taught. {DRAWS} draws of the labels, lowest to highest. "
        "plain and goal: the adapted labels without examples.",
        more={"gain_of_other_labels": float(np.mean(others))},
        **of_draws(taught),
    )


def calibration(one: LabelledSet) -> Row:
    """Expected calibration error on the rest after calibrating on 100 items.

    Perfect probabilities have an error too, as bins of few items miss their share by
    chance: its mean is told beside the figure, and so is the error by the sweep, which
    has less of that.
    """
    scores = scorer_of(one).scores(one.items)
    before: list[float] = []
    by_log_loss: list[float] = []
    after: list[float] = []
    swept: list[float] = []
    perfect: list[float] = []
    for seed in range(CALIBRATIONS):
        random = np.random.default_rng(seed)
        order = random.permutation(one.known)
        fitted, rest = order[:LABELLED], order[LABELLED:]
        right = scores[rest].argmax(axis=1) == one.truth[rest]
        for values, temperature in (
            (before, TEMPERATURE),
            (by_log_loss, fit_temperature(scores[fitted], one.truth[fitted])),
            (after, fit_confidence_temperature(scores[fitted], one.truth[fitted])),
        ):
            confidences = softmax(scores[rest], temperature).max(axis=1)
            values.append(expected_calibration_error(confidences, right))
        swept.append(sweep_calibration_error(confidences, right))
        drawn = random.random((PERFECT_DRAWS, len(rest))) < confidences
        perfect += [expected_calibration_error(confidences, hits) for hits in drawn]
    return Row(
        what=f"{one.name}: calibration error after {LABELLED} labelled items "
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


def examples_of(one: LabelledSet, split: str, random: np.random.Generator) -> IndexArray:
    """Up to 16 rows of each label."""
    parts = []
    for label in np.unique(one.truth[one.known]):
        rows = random.permutation(np.flatnonzero(one.truth == label))
        most = {"all but one": len(rows) - 1, "half": len(rows) // 2}[split]
        parts.append(rows[: min(EXAMPLES, most)])
    return np.concatenate(parts)
