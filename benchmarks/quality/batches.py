"""Batches of few classes, and the worst tenth of runs beside the mean."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.quality.labels import heads
from benchmarks.quality.sets import LabelledSet
from benchmarks.quality.table import Row
from queries.scoring.ranking import rank

RUNS = 40
BATCH = 64
CLASSES = ((1, 4), (5, 25))
"""Classes a batch: very low and medium, by StatA."""

_HOW = (
    f"{RUNS} batches of up to {BATCH} items of so many classes, labels adapted to the batch alone "
    "(the protocol of StatA: Zanella et al. 2025, arXiv:2501.03729). plain: cosine. The worst "
    "tenth is the mean of the tenth of the runs with the lowest top-1 (expected tail accuracy: "
    "Fuchs et al. 2025, Online Gaussian Adaptation, arXiv:2501.04352)."
)


def rows(labelled: LabelledSet) -> Iterator[Row]:
    """Two rows for each range of classes that the set has."""
    present = np.unique(labelled.truth[labelled.known])
    for fewest, most in CLASSES:
        if len(present) < fewest:
            continue
        figures = []
        for seed in range(RUNS):
            random = np.random.default_rng(seed)
            count = int(random.integers(fewest, min(most, len(present)) + 1))
            chosen = random.choice(present, count, replace=False)
            batch = random.permutation(np.flatnonzero(np.isin(labelled.truth, chosen)))[:BATCH]
            items, truth = labelled.items[batch], labelled.truth[batch]
            by_name = heads(items, labelled)
            figures.append(
                [
                    float((rank(items, by_name[name], limit=1).labels[:, 0] == truth).mean())
                    for name in ("plain", "adapted")
                ]
            )
        plain, adapted = np.array(figures).T
        for measured, worst in (("mean", RUNS), ("worst tenth of runs", max(1, RUNS // 10))):
            before, reached = (float(np.sort(side)[:worst].mean()) for side in (plain, adapted))
            yield Row(
                what=f"{labelled.name}: top-1, {fewest} to {most} classes a batch, {measured}",
                plain=before,
                reached=reached,
                goal=before - 0.01,
                how=_HOW,
                low=float(adapted.min()),
                high=float(adapted.max()),
            )
