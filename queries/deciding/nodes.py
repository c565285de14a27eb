"""Rankings of the taxonomy's nodes: at a level, and backed off until they are sure enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from indexer.core.records import BoolArray, DoubleArray, FloatArray, IndexArray
from indexer.labels.sets import LabelSet
from queries.deciding.rollup import NO_NODE, Tree, back_off, is_sure, level, roll_up
from queries.deciding.settings import Settings
from queries.scoring.ranking import Ranking, highest_columns
from queries.scoring.scan import cosines_of

NEAR = 1e-4
"""Bound on the error of scores in single precision: 6e-6 at most over 10,000 labels."""


@dataclass(frozen=True, kw_only=True)
class NodeRanker:
    """Ranks nodes by the probabilities of the active labels below them.

    Attributes:
        labels: all labels of the taxonomy, a row for each node.
        tree: of these.
        active: int64 (k,), rows of the active labels.
        settings: with a level, a back-off, or both.
        nodes: int64 (g,), nodes that probabilities are summed for: those of the level, or the
            parents of the active labels.
        groups: int64 (k,), the place of each active label's node among ``nodes``.
    """

    labels: LabelSet
    tree: Tree
    active: IndexArray
    settings: Settings
    nodes: IndexArray
    groups: IndexArray

    @classmethod
    def of(cls, labels: LabelSet, active: IndexArray, settings: Settings) -> Self | None:
        """The ranker of some active labels; None where the settings ask for them alone."""
        tree = Tree.of(labels.labels)
        if settings.level is not None:
            nodes = level(tree, active, settings.level - 1)
        elif settings.back_off is not None:
            # Sums of siblings are enough: nodes above are sums of these, and the labels themselves
            # have scores of their own.
            parents = tree.parents[active]
            nodes = np.where(parents < 0, active, parents)
        else:
            return None
        names, groups = np.unique(nodes, return_inverse=True)
        return cls(
            labels=labels,
            tree=tree,
            active=active,
            settings=settings,
            nodes=names,
            groups=groups.astype(np.int64),
        )

    def rank(
        self, vectors: FloatArray, ranking: Ranking, probabilities: DoubleArray, limit: int
    ) -> tuple[Ranking, BoolArray]:
        """The ranking at the level, and backed off, where these are asked for.

        Args:
            vectors: float32 (n, d), rows of length 1.
            ranking: of the active labels.
            probabilities: float64 (n, g), of ``nodes``.
            limit: nodes for each vector.

        Returns:
            The ranking of nodes, and bool (n,), where rounding may have chosen the node.
        """
        threshold = self.settings.back_off
        if self.settings.level is not None:
            best = highest_columns(probabilities, limit)
            scores = np.take_along_axis(probabilities, best, axis=1)
            ranking = ranking_of(self.labels, vectors, self.nodes[best], scores, scores)
        if threshold is None:
            return ranking, np.zeros(len(vectors), dtype=bool)
        totals, best_scores = roll_up(self.tree, self.nodes, probabilities), ranking.scores[:, 0]
        active = self.active if self.settings.level is None else self.nodes
        backed_off = back_off(self.tree, active, totals, threshold)
        highest_root = totals[self.tree.parents < 0].max(axis=0, initial=0.0)
        score = np.where(
            backed_off == NO_NODE, highest_root, totals[backed_off, np.arange(len(backed_off))]
        )
        # An active label that is sure enough is narrower than all nodes above it.
        sure = is_sure(best_scores, threshold)
        backed_off = np.where(sure, ranking.labels[:, 0], backed_off)
        score = np.where(sure, best_scores, score)
        near = np.abs(totals - threshold).min(axis=0) < NEAR
        near = (near & ~sure) | (np.abs(best_scores - threshold) < NEAR)
        return self._with_first(vectors, backed_off, score, ranking), near

    def _with_first(
        self, vectors: FloatArray, nodes: IndexArray, scores: DoubleArray, ranking: Ranking
    ) -> Ranking:
        """Nodes int64 (n,) first, and then the best of a ranking that are not that node."""
        limit = ranking.labels.shape[1]
        # The node itself goes to the end of the others, and its place is dropped.
        others = ranking.labels != nodes[:, np.newaxis]
        order = np.argsort(~others, axis=1, kind="stable")[:, : limit - 1]
        labels = np.column_stack([nodes, np.take_along_axis(ranking.labels, order, axis=1)])
        all_scores = np.column_stack([scores, np.take_along_axis(ranking.scores, order, axis=1)])
        return ranking_of(self.labels, vectors, labels, all_scores, all_scores)


def ranking_of(
    labels: LabelSet,
    vectors: FloatArray,
    nodes: IndexArray,
    products: DoubleArray,
    scores: DoubleArray,
) -> Ranking:
    """A ranking of nodes, with the cosines of their own vectors; nan for ``NO_NODE``.

    Args:
        labels: all labels of the taxonomy.
        vectors: float32 (n, d), rows of length 1.
        nodes: int64 (n, k), rows of ``labels``.
        products: float64 (n, k), what they are ordered by.
        scores: float64 (n, k).
    """
    similarities = cosines_of(vectors, labels.vectors, np.maximum(nodes, 0))
    similarities[nodes == NO_NODE] = np.nan
    return Ranking(nodes, products, similarities, np.minimum(scores, 1.0))
