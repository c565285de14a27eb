"""A mapping compared with a published one: how many are right, by score; pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.core.records import BoolArray, DoubleArray, IndexArray
from indexer.labels.mapping_files import ResolvedMapping
from queries.mapping.mapper import MappingStatus
from queries.mapping.mapping import TaxonomyMapping
from queries.mapping.trees import LabelTree

BANDS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)
"""Lower ends of the bands of scores."""

TARGET_PRECISION = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Labels whose score is from ``start`` on, up to the next band."""

    start: float
    labels: int
    right: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MappingMeasures:
    """How well a mapping agrees with a published one.

    Attributes:
        labels: that the published mapping has a rule for.
        exact: share that is mapped to what the rule says.
        near: share that is mapped to that, or to its parent, a child or a sibling of it.
        accepted: share that is accepted, and the share of these that is exact.
        coverage: share of labels above the lowest score from which 95% are exact; 0 where none is.
    """

    labels: int
    exact: float
    near: float
    accepted: float
    accepted_exact: float
    coverage: float
    coverage_from: float
    bands: tuple[Band, ...]


def measure(
    mapping: TaxonomyMapping, truth: ResolvedMapping, only: Sequence[int] | None = None
) -> MappingMeasures:
    """Compare a mapping with rules.

    Args:
        truth: between the same taxonomies.
        only: places of the labels to count; None is all that have a rule.
    """
    target_places = {label.label_id: place for place, label in enumerate(mapping.target.labels)}
    counted = range(len(mapping.rows)) if only is None else only
    exact, near, scores, accepted = [], [], [], []
    for place in counted:
        label_id = mapping.source.labels[place].label_id
        if label_id not in truth.targets:
            continue
        target_rows = [target_places[target] for target in truth.targets[label_id]] or [-1]
        row = mapping.rows[place]
        exact.append(row.target in target_rows)
        near.append(any(_is_near(mapping.target, row.target, target) for target in target_rows))
        scores.append(row.score)
        accepted.append(row.status is MappingStatus.ACCEPTED)
    return _measures(
        np.array(exact, dtype=bool),
        np.array(near, dtype=bool),
        np.array(scores, dtype=np.float64),
        np.array(accepted, dtype=bool),
    )


def _measures(
    exact: BoolArray, near: BoolArray, scores: DoubleArray, accepted: BoolArray
) -> MappingMeasures:
    count = len(exact)
    start, coverage = _coverage(exact, scores)
    edges = (*BANDS, np.inf)
    bands = []
    for low, high in itertools.pairwise(edges):
        inside = (scores >= low) & (scores < high)
        bands.append(Band(start=low, labels=int(inside.sum()), right=_mean(exact[inside])))
    return MappingMeasures(
        labels=count,
        exact=_mean(exact),
        near=_mean(near),
        accepted=_mean(accepted),
        accepted_exact=_mean(exact[accepted]),
        coverage=coverage,
        coverage_from=start,
        bands=tuple(bands),
    )


def _coverage(exact: BoolArray, scores: DoubleArray) -> tuple[float, float]:
    """The lowest score from which the target precision is reached, and the share above it."""
    if not len(exact):
        return 1.0, 0.0
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    precision = np.cumsum(exact[order]) / np.arange(1, len(order) + 1)
    # Equal scores are accepted together.
    ends = np.append(ordered[1:] < ordered[:-1], True)
    reached: IndexArray = np.flatnonzero((precision >= TARGET_PRECISION) & ends)
    if not len(reached):
        return 1.0, 0.0
    last = int(reached[-1])
    return float(ordered[last]), (last + 1) / len(order)


def _is_near(tree: LabelTree, place: int, truth: int) -> bool:
    if place < 0 or truth < 0:
        return place == truth
    above, above_truth = int(tree.parents[place]), int(tree.parents[truth])
    return place in (truth, above_truth) or above in (truth, above_truth)


def _mean(values: BoolArray) -> float:
    return float(values.mean()) if len(values) else 0.0
