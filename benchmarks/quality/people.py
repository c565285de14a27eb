"""What some labelled items are good for: random examples, sets with a coverage, reviews."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from benchmarks.quality.examples import scorer_of
from benchmarks.quality.sets import LabelledSet
from benchmarks.quality.table import Row, of_draws
from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.core.softmax import softmax
from indexer.labels.adaptation import TEMPERATURE
from indexer.labels.corrections import ScoredItems
from indexer.labels.few_shot import FewShot, frequencies_of
from indexer.labels.strengths import choose_strengths
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


def rows(one: LabelledSet) -> Iterator[Row]:
    """Of one set."""
    scorer = scorer_of(one)
    scores, queries = scorer.scores(one.items), scorer.head.queries(one.items)[:, :-1]
    yield from random_examples(one, scores, queries)
    yield from prediction_sets(one, softmax(scores, TEMPERATURE))
    yield from review(one)


def random_examples(one: LabelledSet, scores: DoubleArray, queries: FloatArray) -> Iterator[Row]:
    """Top-1 on the rest, and that of labels without examples."""
    frequencies, zero, taught = frequencies_of(scores, TEMPERATURE), [], []
    others, count = 0, 0
    for seed in range(DRAWS):
        chosen, rest = _drawn(one, seed)
        given = queries[chosen], scores[chosen], one.truth[chosen]
        choice = choose_strengths(
            *given, frequencies, TEMPERATURE, catalog=ScoredItems(queries, scores), seed=seed
        )
        blended = FewShot.of(*given, choice, TEMPERATURE).blend(queries[rest], scores[rest])
        before, after = (side.argmax(axis=1) == one.truth[rest] for side in (scores[rest], blended))
        without = ~np.isin(one.truth[rest], one.truth[chosen])
        zero.append(float(before.mean()))
        taught.append(float(after.mean()))
        others += int(after[without].sum()) - int(before[without].sum())
        count += int(without.sum())
    yield Row(
        what=f"{one.name}: top-1 with {LABELLED} random examples",
        plain=float(np.mean(zero)),
        goal=float(np.mean(zero)) + (GAIN_GOAL if one.name in SIZE_GOALS else 0.0),
        how=f"Tested on the items that were not taught, {DRAWS} draws, lowest to highest. plain: "
        "the adapted labels without examples.",
        more={"gain_of_labels_without_examples": others / max(1, count)},
        **of_draws(taught),
    )


def prediction_sets(one: LabelledSet, shares: DoubleArray) -> Iterator[Row]:
    """Coverage and mean size on the items that were not calibrated on."""
    covered, sizes = [], []
    for seed in range(DRAWS):
        chosen, rest = _drawn(one, seed)
        rule = set_rule(shares[chosen], one.truth[chosen], COVERAGE)
        mine = set_scores(shares[rest])
        place = (mine < mine[np.arange(len(rest)), one.truth[rest]][:, np.newaxis]).sum(axis=1)
        found = set_sizes(shares[rest], rule)
        covered.append(float((place < found).mean()))
        sizes.append(float(found.mean()))
    how = (
        f"Sets by {LABELLED} calibrating items, measured on the others; {DRAWS} draws, lowest to "
        "highest. A draw's own coverage varies by about two points."
    )
    yield Row(
        what=f"{one.name}: coverage of sets that were asked for {COVERAGE}",
        plain=None,
        goal=COVERAGE - 0.01,
        how=how,
        **of_draws(covered),
    )
    yield Row(
        what=f"{one.name}: labels in a set of coverage {COVERAGE}",
        plain=None,
        goal=SIZE_GOALS.get(one.name),
        how=how,
        lower_is_better=True,
        **of_draws(sizes),
    )


def review(one: LabelledSet) -> Iterator[Row]:
    """Looks until so many labels are right, each look mending the label it is at.

    Labels are fitted to one half of the items, and the other half is decided, put in order and
    looked at. The looks are counted as if all items had been: twice as many.
    """
    looks: dict[tuple[str, float], list[float]] = {}
    for seed in range(HALVES):
        order = np.random.default_rng(seed).permutation(len(one.items))
        fitted, mine = np.array_split(order, 2)
        half = replace(one, items=one.items[mine], truth=one.truth[mine])
        scores = scorer_of(replace(one, items=one.items[fitted])).scores(half.items)
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
            what=f"{one.name}: looks until {target:.0%} of the labels are right, held-out half",
            plain=float(np.mean(looks["score", target])),
            goal=LOOK_GOALS.get(one.name, {}).get(target),
            how="Labels fitted to one half, the other half looked at, looks counted twice; "
            f"{HALVES} splits, lowest to highest. A look mends one label, and after each "
            f"{LOOKS} the queue is in order again. plain: by score alone; by chance stands in the "
            "JSON.",
            lower_is_better=True,
            more={"by_chance": float(np.mean(looks["chance", target]))},
            **of_draws(looks["queue", target]),
        )


def _gained(order: IndexArray, one: LabelledSet, right: Booleans) -> IndexArray:
    """int64 (m,): how many labels are right after each look."""
    mine = order[one.truth[order] >= 0]
    return np.asarray(right[mine].sum() + np.cumsum(~right[mine]))


def _reviewed(one: LabelledSet, shares: DoubleArray) -> IndexArray:
    """int64 (m,): the items with a truth, in the order that the queue gives them."""
    neighbours = nearest(one.items, np.arange(len(shares)))
    labels, sure = shares.argmax(axis=1), shares.max(axis=1)
    looked, waiting = np.empty(0, dtype=np.int64), one.known
    while len(waiting):
        trusted = trust(sure, labels, waiting, neighbours[waiting])
        order = np.argsort(trusted, kind="stable")
        order = look_alikes_last(order, labels[waiting], one.items[waiting])
        chosen = waiting[order[:LOOKS]]
        labels[chosen], sure[chosen] = one.truth[chosen], 1.0
        looked, waiting = np.concatenate([looked, chosen]), np.setdiff1d(waiting, chosen)
    return looked


def _looks(right: IndexArray, one: LabelledSet, target: float) -> int:
    """The first number of looks after which so many labels are right."""
    return int(np.searchsorted(right, np.ceil(target * len(one.known) - 1e-9))) + 1


def _drawn(one: LabelledSet, seed: int) -> tuple[IndexArray, IndexArray]:
    order = np.random.default_rng(seed).permutation(one.known)
    count = min(LABELLED, len(order) // 2)
    return order[:count], order[count:]
