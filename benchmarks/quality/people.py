"""What some labelled items are good for: random examples, sets with a coverage, reviews."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from benchmarks.quality.examples import scorer_of, taught_scores
from benchmarks.quality.sets import LabelledSet
from benchmarks.quality.table import Row, of_draws
from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.core.softmax import softmax
from indexer.labels.adaptation import TEMPERATURE
from queries.deciding.prediction_sets import set_rule, set_scores, set_sizes
from queries.review.order import look_alikes_last, nearest, trust
from queries.review.queue import LOOKS

Booleans = npt.NDArray[np.bool_]

DRAWS = 20
HALVES = 10
LABELLED = 100
COVERAGE = 0.95
RIGHT = (0.95, 0.98)
GAIN_GOAL = 0.015
SIZE_GOALS = {"fashion, 32 labels": 1.3, "fashion, 1,203 labels": 7.0}
LOOK_GOALS = {"fashion, 32 labels": {0.95: 75, 0.98: 190}}


def rows(labelled: LabelledSet) -> Iterator[Row]:
    """Of one set."""
    scorer = scorer_of(labelled)
    scores, queries = scorer.scores(labelled.items), scorer.head.queries(labelled.items)[:, :-1]
    yield from random_examples(labelled, scores, queries)
    yield from prediction_sets(labelled, softmax(scores, TEMPERATURE))
    yield from review(labelled)


def random_examples(
    labelled: LabelledSet, scores: DoubleArray, queries: FloatArray
) -> Iterator[Row]:
    """Top-1 on the rest, and that of labels without examples."""
    zero, taught = [], []
    others, count = 0, 0
    for seed in range(DRAWS):
        chosen, rest = _drawn(labelled, seed)
        by_examples = taught_scores(queries, scores, chosen, labelled.truth[chosen], seed)
        before, after = (
            side[rest].argmax(axis=1) == labelled.truth[rest] for side in (scores, by_examples)
        )
        without = ~np.isin(labelled.truth[rest], labelled.truth[chosen])
        zero.append(float(before.mean()))
        taught.append(float(after.mean()))
        others += int(after[without].sum()) - int(before[without].sum())
        count += int(without.sum())
    yield Row(
        what=f"{labelled.name}: top-1 with {LABELLED} random examples",
        plain=float(np.mean(zero)),
        goal=float(np.mean(zero)) + (GAIN_GOAL if labelled.name in SIZE_GOALS else 0.0),
        how=f"Tested on the items that were not taught, {DRAWS} draws, lowest to highest. plain: "
        "the adapted labels without examples.",
        more={"gain_of_labels_without_examples": others / max(1, count)},
        **of_draws(taught),
    )


def prediction_sets(labelled: LabelledSet, shares: DoubleArray) -> Iterator[Row]:
    """Coverage and mean size on the items that were not calibrated on."""
    covered, sizes = [], []
    for seed in range(DRAWS):
        chosen, rest = _drawn(labelled, seed)
        rule = set_rule(shares[chosen], labelled.truth[chosen], COVERAGE)
        mine = set_scores(shares[rest])
        place = (mine < mine[np.arange(len(rest)), labelled.truth[rest]][:, np.newaxis]).sum(axis=1)
        found = set_sizes(shares[rest], rule)
        covered.append(float((place < found).mean()))
        sizes.append(float(found.mean()))
    how = (
        f"Sets by {LABELLED} calibrating items, measured on the others; {DRAWS} draws, lowest to "
        "highest. A draw's own coverage varies by about two points."
    )
    yield Row(
        what=f"{labelled.name}: coverage of sets that were asked for {COVERAGE}",
        plain=None,
        goal=COVERAGE - 0.01,
        how=how,
        **of_draws(covered),
    )
    yield Row(
        what=f"{labelled.name}: labels in a set of coverage {COVERAGE}",
        plain=None,
        goal=SIZE_GOALS.get(labelled.name),
        how=how,
        lower_is_better=True,
        **of_draws(sizes),
    )


def review(labelled: LabelledSet) -> Iterator[Row]:
    """Looks until so many labels are right, each look mending the label it is at.

    Labels are fitted to one half of the items, and the other half is decided, put in order and
    looked at. The looks are counted as if all items had been: twice as many.
    """
    looks: dict[tuple[str, float], list[float]] = {}
    for seed in range(HALVES):
        order = np.random.default_rng(seed).permutation(len(labelled.items))
        fitted, mine = np.array_split(order, 2)
        half = replace(labelled, items=labelled.items[mine], truth=labelled.truth[mine])
        scores = scorer_of(replace(labelled, items=labelled.items[fitted])).scores(half.items)
        shares = softmax(scores, TEMPERATURE)
        right = shares.argmax(axis=1) == half.truth
        orders = {
            "queue": _reviewed(half, shares),
            "score": np.argsort(shares.max(axis=1), kind="stable"),
            "chance": np.random.default_rng(seed).permutation(len(half.items)),
        }
        for name, places in orders.items():
            gained = _gained(places, half, right)
            for target in RIGHT:
                looks.setdefault((name, target), []).append(2 * _looks(gained, half, target))
    for target in RIGHT:
        yield Row(
            what=f"{labelled.name}: looks until {target:.0%} of the labels are right, "
            "held-out half",
            plain=float(np.mean(looks["score", target])),
            goal=LOOK_GOALS.get(labelled.name, {}).get(target),
            how="Labels fitted to one half, the other half looked at, looks counted twice; "
            f"{HALVES} splits, lowest to highest. A look mends one label, and after each "
            f"{LOOKS} the queue is in order again. plain: by score alone; by chance stands in the "
            "JSON.",
            lower_is_better=True,
            more={"by_chance": float(np.mean(looks["chance", target]))},
            **of_draws(looks["queue", target]),
        )


def _gained(order: IndexArray, labelled: LabelledSet, right: Booleans) -> IndexArray:
    """int64 (m,): how many labels are right after each look."""
    mine = order[labelled.truth[order] >= 0]
    return np.asarray(right[mine].sum() + np.cumsum(~right[mine]))


def _reviewed(labelled: LabelledSet, shares: DoubleArray) -> IndexArray:
    """int64 (m,): the items with a truth, in the order that the queue gives them."""
    neighbours = nearest(labelled.items, np.arange(len(shares)))
    labels, sure = shares.argmax(axis=1), shares.max(axis=1)
    looked, waiting = np.empty(0, dtype=np.int64), labelled.known
    while len(waiting):
        trusted = trust(sure, labels, waiting, neighbours[waiting])
        order = np.argsort(trusted, kind="stable")
        order = look_alikes_last(order, labels[waiting], labelled.items[waiting])
        chosen = waiting[order[:LOOKS]]
        labels[chosen], sure[chosen] = labelled.truth[chosen], 1.0
        looked, waiting = np.concatenate([looked, chosen]), np.setdiff1d(waiting, chosen)
    return looked


def _looks(right: IndexArray, labelled: LabelledSet, target: float) -> int:
    """The first number of looks after which so many labels are right."""
    return int(np.searchsorted(right, np.ceil(target * len(labelled.known) - 1e-9))) + 1


def _drawn(labelled: LabelledSet, seed: int) -> tuple[IndexArray, IndexArray]:
    order = np.random.default_rng(seed).permutation(labelled.known)
    count = min(LABELLED, len(order) // 2)
    return order[:count], order[count:]
