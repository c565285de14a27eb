"""A week of changes: labels that come late, are reworded, merge and go; the catalog stays.

After each change labels are fitted to the items again, as ``categorize`` does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmarks.quality.sets import LabelledSet
from benchmarks.quality.table import Row, of_draws
from indexer.core.records import BoolArray, FloatArray, IndexArray
from indexer.core.vectors import normalise
from indexer.labels.adaptation import fit
from indexer.labels.head import adapted, plain
from queries.scoring.ranking import rank

LATE, WEEKS, DAYS = 8, 3, 7
FEWEST = 5
"""Items of a label whose recall says something."""

COSINE = 0.995
WORST = -0.01
"""No change may leave labels more than a point below plain ones, on the mean of weeks."""

HOW = (
    "Labels are fitted to all items again after each change. plain: cosines with the same labels, "
    "on the items whose label is there. Late and reworded labels: those with five items or more, "
    f"{LATE} drawn, one change each; the interval is the lowest and highest."
)
HOW_WEEKS = (
    f"{WEEKS} weeks of {DAYS} changes drawn from adding, removing, merging and rewording labels, "
    "beginning with half of them; top-1 above plain after each change, on the items whose label "
    "is there. The interval is the lowest and highest day."
)


def rows(labelled: LabelledSet) -> Iterator[Row]:
    """The rows of a set."""
    counts = np.bincount(labelled.truth[labelled.known], minlength=len(labelled.labels))
    random = np.random.default_rng(0)
    chosen = random.permutation(np.flatnonzero(counts >= FEWEST))[:LATE]
    late = [_recalls(labelled, labelled.labels.vectors, int(row)) for row in chosen]
    yield _row(f"{labelled.name}: recall of a label that came late", late)
    changed = []
    for row in chosen:
        vectors = labelled.labels.vectors.copy()
        vectors[row] = reworded(vectors[row], random)
        changed.append(_recalls(labelled, vectors, int(row)))
    yield _row(f"{labelled.name}: recall of a label that was reworded", changed)
    gains = [gain for week in range(WEEKS) for gain in week_of(labelled, week)]
    yield Row(
        what=f"{labelled.name}: random weeks, top-1 above plain",
        plain=0.0,
        goal=WORST,
        how=HOW_WEEKS,
        **of_draws(gains),
    )


def reworded(vector: FloatArray, random: np.random.Generator) -> FloatArray:
    """A vector of a cosine of 0.995 to another, float32 (d,)."""
    across = random.normal(size=vector.shape)
    across -= (across @ vector) * vector
    across /= np.linalg.norm(across)
    moved = COSINE * vector + np.sqrt(1 - COSINE**2) * across
    return normalise(moved[np.newaxis])[0]


def week_of(labelled: LabelledSet, seed: int) -> Iterator[float]:
    """How far above plain the top-1 is, day by day."""
    random, vectors, truth = (
        np.random.default_rng(seed),
        labelled.labels.vectors.copy(),
        labelled.truth.copy(),
    )
    occurring = np.unique(truth[truth >= 0])
    active = set(random.permutation(len(labelled.labels))[: len(labelled.labels) // 2].tolist())
    active |= set(occurring[: len(occurring) // 2].tolist())
    for _ in range(DAYS):
        there = random.permutation(sorted(active)).tolist()
        absent = [row for row in occurring.tolist() if row not in active]
        event = random.integers(4)
        if event == 0 and absent:
            active.add(int(random.choice(absent)))
        elif event == 1 and len(active) > 3:
            active.remove(there[0])
        elif event == 2 and len(active) > 3:
            vectors[there[0]] = normalise((vectors[there[0]] + vectors[there[1]])[np.newaxis])[0]
            truth[truth == there[1]] = there[0]
            active.remove(there[1])
        else:
            vectors[there[0]] = reworded(vectors[there[0]], random)
        ours, theirs = _right(labelled, vectors, np.array(sorted(active)), truth)
        if len(ours):
            yield float(ours.mean() - theirs.mean())


def _recalls(labelled: LabelledSet, vectors: FloatArray, row: int) -> tuple[float, float]:
    """Recall of a label, fitted and plain."""
    own = labelled.truth[labelled.known] == row
    ours, theirs = _right(labelled, vectors, np.arange(len(vectors)), labelled.truth)
    return float(ours[own].mean()), float(theirs[own].mean())


def _right(
    labelled: LabelledSet, vectors: FloatArray, active: IndexArray, truth: IndexArray
) -> tuple[BoolArray, BoolArray]:
    """Whether the items whose label is active get it: fitted, and plain."""
    labels = labelled.labels.subset([labelled.labels.labels[row].label_id for row in active])
    labels = replace(labels, vectors=vectors[active])
    known = np.flatnonzero(np.isin(truth, active))
    heads = (
        adapted(labels, fit(labelled.items, labels.vectors)),
        plain(labels, labelled.logit_scale),
    )
    ours, theirs = (
        active[rank(labelled.items[known], head, limit=1).labels[:, 0]] == truth[known]
        for head in heads
    )
    return ours, theirs


def _row(what: str, recalls: list[tuple[float, float]]) -> Row:
    ours, theirs = ([pair[place] for pair in recalls] for place in (0, 1))
    mean = float(np.mean(theirs))
    return Row(what=what, plain=mean, goal=mean + WORST, how=HOW, **of_draws(ours))
