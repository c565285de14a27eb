"""Which items a label set applies to, by the category of each.

An accepted category decides: the set applies where it is in a branch of the set's gate. Where no
category is accepted, or one above a branch is, the probability of all categories in the branches
decides: the set applies from one half on. A category that a person has confirmed comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from indexer.core.records import BoolArray, FloatArray, IndexArray
from indexer.labels import taxonomy
from queries.deciding.calibration import STATUSES, Status
from queries.deciding.predictor import Predictions, Predictor
from queries.deciding.rollup import NO_NODE

LEAST_MASS = 0.5
"""Probability of the branches from which a set applies where the category is not sure: the more
likely of two answers."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The gate of one label set.

    Attributes:
        predictor: of the category.
        branches: ids of the categories that the set applies to, with all below them.
        reviewed: the category's id by the id of each item that a person has looked at; empty where
            no category fits it.
    """

    predictor: Predictor
    branches: tuple[str, ...]
    reviewed: Mapping[str, str]

    def applies(
        self,
        item_ids: Sequence[str],
        categories: Predictions,
        vectors: FloatArray,
        titles: FloatArray | None,
    ) -> BoolArray:
        """Whether the set applies to each item: bool (n,).

        Args:
            item_ids: n ids.
            categories: predictions of ``predictor`` for the items.
            vectors: float32 (n, d), rows of length 1.
            titles: float32 (n, d), as ``Predictor.predict`` takes them.
        """
        nodes = categories.ranking.labels[:, 0]
        is_accepted = categories.codes[:, 0] == STATUSES.index(Status.ACCEPTED)
        sure = is_accepted & (nodes != NO_NODE) & ~self._above[nodes]
        applies: BoolArray = self._inside[nodes] & sure
        unsure = np.flatnonzero(~sure)
        if unsure.size:
            unsure_titles = None if titles is None else titles[unsure]
            mass = self.predictor.mass(vectors[unsure], unsure_titles, self._active)
            applies[unsure] = mass >= LEAST_MASS
        places = self.predictor.labels.places
        for row, item_id in enumerate(item_ids) if self.reviewed else ():
            if (label_id := self.reviewed.get(item_id)) is not None:
                applies[row] = bool(label_id) and bool(self._inside[places[label_id]])
        return applies

    @cached_property
    def _inside(self) -> BoolArray:
        """Bool (m,): which of all categories are in a branch."""
        above = taxonomy.ancestors(self.predictor.labels.labels)
        branches = set(self.branches)
        return np.array(
            [not branches.isdisjoint((*ids, label_id)) for label_id, ids in above.items()]
        )

    @cached_property
    def _above(self) -> BoolArray:
        """Bool (m,): which of all categories are above a branch, so that they tell nothing."""
        ancestors = taxonomy.ancestors(self.predictor.labels.labels)
        above = {name for branch in self.branches for name in ancestors[branch]}
        return np.array([label_id in above for label_id in ancestors]) & ~self._inside

    @cached_property
    def _active(self) -> IndexArray:
        """int64 (k,): which of the active categories are in a branch."""
        labels = self.predictor.scorer.head.labels.labels
        places = self.predictor.labels.places
        inside = [bool(self._inside[places[label.label_id]]) for label in labels]
        return np.flatnonzero(inside)


def without_inapplicable(predictions: Predictions, applies: BoolArray) -> Predictions:
    """Predictions in which items that the set does not apply to have no label.

    Args:
        applies: bool (n,).
    """
    ranking, rows = predictions.ranking, ~applies
    labels, products, similarities, scores = (part.copy() for part in ranking.parts)
    labels[rows] = NO_NODE
    products[rows] = similarities[rows] = np.nan
    scores[rows] = 0.0
    codes = predictions.codes.copy()
    codes[rows] = STATUSES.index(Status.NOT_APPLICABLE)
    return Predictions(
        replace(
            ranking, labels=labels, products=products, similarities=similarities, scores=scores
        ),
        codes,
        predictions.unknown_scores,
    )
