"""From probabilities of labels to every node of their tree, and down to one; pure numpy.

A block is node-major, float64 (m, n): m nodes by n items, so that a level of the tree is
added up by whole rows. 12,000 nodes by 256 items are 25 MB; callers cut their items into
such blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from indexer.core.records import DoubleArray, IndexArray, Label

NO_NODE = -1
"""Stands where no node of the tree is sure enough."""

_SLACK = 1e-9
"""Sums of probabilities may miss a threshold by rounding alone."""


@dataclass(frozen=True)
class Tree:
    """A label set as rows that point at their parents' rows.

    Attributes:
        parents: int64 (m,), -1 for a root; any order, any number of roots.
        depths: int64 (m,), 0 for a root.
    """

    parents: IndexArray
    depths: IndexArray

    @classmethod
    def of(cls, labels: Sequence[Label]) -> Tree:
        """The tree of checked labels: a row for each, in order."""
        places = {label.label_id: row for row, label in enumerate(labels)}
        return cls(
            parents=np.array([places.get(label.parent_id, -1) for label in labels], dtype=np.int64),
            depths=np.array([label.depth for label in labels], dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.parents)

    @cached_property
    def _steps(self) -> tuple[tuple[IndexArray, IndexArray, IndexArray], ...]:
        """For each level from the lowest up: children by parent, first child, parent."""
        steps = []
        for depth in range(int(self.depths.max(initial=0)), 0, -1):
            children = np.flatnonzero((self.depths == depth) & (self.parents >= 0))
            children = children[np.argsort(self.parents[children], kind="stable")]
            parents, starts = np.unique(self.parents[children], return_index=True)
            if parents.size:
                steps.append((children, starts, parents))
        return tuple(steps)

    def ancestors_at(self, depth: int) -> IndexArray:
        """int64 (m,): each row's ancestor of that depth, or itself where it is not deeper."""
        ancestors = np.arange(len(self))
        for level in range(int(self.depths.max(initial=0)), depth, -1):
            deeper = self.depths[ancestors] == level
            ancestors[deeper] = self.parents[ancestors[deeper]]
        return ancestors

    def add_up(self, totals: DoubleArray) -> DoubleArray:
        """Every node's total: what is its own, and the totals of its children.

        A parent is the sum of its children, exactly as floating point adds them, so it is
        never below any of them. Linear in the nodes for each item.

        Args:
            totals: float64 (m, n), not negative; taken over and changed.

        Returns:
            The same array.
        """
        for children, starts, parents in self._steps:
            totals[parents] += np.add.reduceat(totals[children], starts, axis=0)
        return totals


def roll_up(tree: Tree, places: IndexArray, probabilities: DoubleArray) -> DoubleArray:
    """Probabilities of all nodes from those of the active labels.

    Args:
        tree: m nodes.
        places: int64 (k,), the node of each active label: the leaves, or any others.
        probabilities: float64 (n, k), rows sum to 1.

    Returns:
        float64 (m, n), node-major.
    """
    node_probabilities = np.zeros((len(tree), len(probabilities)))
    node_probabilities[places] = probabilities.T
    return tree.add_up(node_probabilities)


def level(tree: Tree, places: IndexArray, depth: int) -> IndexArray:
    """The nodes that active labels become at one level of the tree.

    A branch that ends above the level stands for itself, so that the probabilities of
    the level still sum to 1.

    Args:
        places: int64 (k,), the node of each active label.
        depth: 0 is the roots'.

    Returns:
        int64 (k,), nodes.
    """
    return tree.ancestors_at(depth)[places]


def sum_by(groups: IndexArray, probabilities: DoubleArray) -> tuple[IndexArray, DoubleArray]:
    """Probabilities added up by group.

    Args:
        groups: int64 (k,), the group of each column.
        probabilities: float64 (n, k).

    Returns:
        int64 (g,), the groups in order, and float64 (n, g).
    """
    order = np.argsort(groups, kind="stable")
    names, starts = np.unique(groups[order], return_index=True)
    return names, np.add.reduceat(probabilities[:, order], starts, axis=1)


def is_sure(probabilities: DoubleArray, threshold: float) -> npt.NDArray[np.bool_]:
    """Whether probabilities reach a threshold, but for rounding."""
    return probabilities >= threshold - _SLACK


def back_off(tree: Tree, places: IndexArray, totals: DoubleArray, threshold: float) -> IndexArray:
    """The most specific node that is sure enough, for each item.

    Of the nodes whose probability reaches the threshold, the one of most information (of
    fewest active labels below it), then the more probable, then the deeper, then the
    first. Above one half such nodes lie on one path, and this is the deepest of them; at 0
    it is the best leaf. The trade of specificity for accuracy, and information gain as its
    measure, are from Deng et al. 2012, "Hedging Your Bets: Optimizing
    Accuracy-Specificity Trade-Offs in Large Scale Visual Recognition", CVPR; theirs
    searches a dual variable for a wanted accuracy, here the threshold is on the node's
    own (calibrated) probability.

    Args:
        places: int64 (k,), the node of each active label.
        totals: float64 (m, n), as ``roll_up`` gives them.
        threshold: 0 to 1.

    Returns:
        int64 (n,), nodes; ``NO_NODE`` where not even a root is sure enough.
    """
    covered = np.zeros((len(tree), 1))
    covered[places] = 1
    below = tree.add_up(covered)[:, 0]
    candidates = np.flatnonzero(below > 0)
    candidates = candidates[np.argsort(-tree.depths[candidates], kind="stable")]
    sure = is_sure(totals[candidates], threshold)
    width = np.where(sure, below[candidates, np.newaxis], np.inf)
    narrowest = sure & (width == width.min(axis=0))
    best = np.where(narrowest, totals[candidates], -1.0).argmax(axis=0)
    return np.asarray(np.where(sure.any(axis=0), candidates[best], NO_NODE))
