"""Small and skewed catalogs out of a set: the adaptation must not cost more than a point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.quality.labels import heads
from benchmarks.quality.sets import LabelledSet
from benchmarks.quality.table import Row
from indexer.core.records import IndexArray
from queries.scoring.ranking import rank

DRAWS = 25
WORST = -0.01
"""No more than a point below plain."""

Draw = Callable[[LabelledSet, np.random.Generator], IndexArray]


def few(count: int) -> Draw:
    """Some items, at random."""
    return lambda labelled, random: random.choice(labelled.known, count, replace=False)


def classes(count: int) -> Draw:
    """All items of some classes."""

    def draw(labelled: LabelledSet, random: np.random.Generator) -> IndexArray:
        chosen = random.choice(np.unique(labelled.truth[labelled.known]), count, replace=False)
        return np.flatnonzero(np.isin(labelled.truth, chosen))

    return draw


def mostly_one(labelled: LabelledSet, random: np.random.Generator) -> IndexArray:
    """Nine of ten items are of one class."""
    chosen = random.choice(np.unique(labelled.truth[labelled.known]))
    main = np.flatnonzero(labelled.truth == chosen)
    rest = labelled.known[labelled.truth[labelled.known] != chosen]
    return np.concatenate(
        [main, random.choice(rest, min(max(1, len(main) // 9), len(rest)), replace=False)]
    )


def power_law(labelled: LabelledSet, random: np.random.Generator) -> IndexArray:
    """The k-th class keeps a share k**-1.2 of its items."""
    parts = []
    for place, chosen in enumerate(random.permutation(np.unique(labelled.truth[labelled.known]))):
        rows = np.flatnonzero(labelled.truth == chosen)
        kept = max(1, round(len(rows) * (place + 1) ** -1.2))
        parts.append(random.choice(rows, kept, replace=False))
    return np.concatenate(parts)


STRESS: Mapping[str, Draw] = {
    "16 items": few(16),
    "50 items": few(50),
    "1 class": classes(1),
    "2 classes": classes(2),
    "3 classes": classes(3),
    "5 classes": classes(5),
    "90% one class": mostly_one,
    "power law": power_law,
}


def stress(labelled: LabelledSet, draws: int = DRAWS) -> Iterator[dict[str, Any]]:
    """Means of top-1 over draws of each kind."""
    for kind, draw in STRESS.items():
        figures = []
        for seed in range(draws):
            rows = draw(labelled, np.random.default_rng(900 + seed))
            by_name = heads(labelled.items[rows], labelled)
            right = [
                rank(labelled.items[rows], head, limit=1).labels[:, 0] == labelled.truth[rows]
                for head in by_name.values()
            ]
            figures.append([float(values.mean()) for values in right])
        block = np.array(figures)
        gains = block[:, 2] - block[:, 0]
        yield {
            "set": labelled.name,
            "draw": kind,
            **dict(zip(by_name, map(float, block.mean(axis=0)), strict=True)),
            "gain": float(gains.mean()),
            "standard_error": float(gains.std() / np.sqrt(draws)),
            "worst_draw": float(gains.min()),
        }


def worst(labelled: LabelledSet, draws: int = DRAWS) -> Row:
    """The kind of draw on which the adaptation gains least."""
    kinds = list(stress(labelled, draws))
    least = min(kinds, key=lambda row: float(row["gain"]))
    margin = 1.96 * least["standard_error"]
    return Row(
        what=f"{labelled.name}: least gain on 8 small or skewed kinds of catalog ({least['draw']})",
        plain=0.0,
        reached=least["gain"],
        goal=WORST,
        low=least["gain"] - margin,
        high=least["gain"] + margin,
        how=f"Top-1 less plain's, mean of {draws} draws of the worst of 8 kinds; 95% by its "
        "standard error. The gate was set with this stress in view, fashion of one class too.",
        more={"draws": kinds},
    )
