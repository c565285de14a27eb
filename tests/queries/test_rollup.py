"""From labels to every node of the tree, and down to one."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.records import Label
from queries.deciding.rollup import NO_NODE, Tree, back_off, level, roll_up, sum_by

# 0 clothing > 1 tops > 3 shirt, 4 blouse; 0 clothing > 2 hat; 5 food > 6 apple
BY_HAND = Tree(np.array([-1, 0, 0, 1, 1, -1, 5]), np.array([0, 1, 1, 2, 2, 0, 1]))
LEAVES = np.array([2, 3, 4, 6])
SHARES = np.array([[0.1, 0.35, 0.3, 0.25]])


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Up to 30 nodes; a parent stands anywhere in the order."""
    size = draw(st.integers(1, 30))
    parents = [draw(st.integers(-1, row - 1)) for row in range(size)]
    depths = [0] * size
    for row, parent in enumerate(parents):
        depths[row] = depths[parent] + 1 if parent >= 0 else 0
    mixed = np.array(draw(st.permutations(range(size))))
    shuffled = np.full(size, -1)
    for row, parent in enumerate(parents):
        shuffled[mixed[row]] = mixed[parent] if parent >= 0 else -1
    return Tree(shuffled, np.array(depths)[np.argsort(mixed)])


def some_shares(tree: Tree, seed: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The leaves of a tree, and shares of three items among them."""
    leaves = np.setdiff1d(np.arange(len(tree)), tree.parents)
    shares = np.random.default_rng(seed).dirichlet(np.full(len(leaves), 0.3), size=3)
    return leaves, shares


def test_a_parent_is_the_sum_of_its_children_by_hand() -> None:
    """Tops are shirts and blouses; clothing is tops and hats."""
    totals = roll_up(BY_HAND, LEAVES, SHARES)[:, 0]
    assert totals.tolist() == pytest.approx([0.75, 0.65, 0.1, 0.35, 0.3, 0.25, 0.25])


def test_an_active_inner_label_adds_its_own() -> None:
    """Where a parent is an active label, it is at least the sum of its children."""
    totals = roll_up(BY_HAND, np.array([1, 3, 6]), np.array([[0.5, 0.2, 0.3]]))[:, 0]
    assert totals.tolist() == pytest.approx([0.7, 0.7, 0, 0.2, 0, 0.3, 0.3])


def test_labels_become_a_tree() -> None:
    """Parents are found by id, in any order."""
    labels = [
        Label(label_id="b", name="mug", path=("kitchen", "mug"), parent_id="a"),
        Label(label_id="a", name="kitchen", path=("kitchen",)),
    ]
    tree = Tree.of(labels)
    assert (tree.parents.tolist(), tree.depths.tolist()) == ([1, -1], [1, 0])


@given(trees(), st.integers(0, 9))
def test_every_parent_equals_the_sum_of_its_children(tree: Tree, seed: int) -> None:
    """And is never below one of them, to the last bit."""
    leaves, shares = some_shares(tree, seed)
    totals = roll_up(tree, leaves, shares)
    for row in range(len(tree)):
        children = np.flatnonzero(tree.parents == row)
        if children.size:
            assert totals[row] == pytest.approx(totals[children].sum(axis=0), abs=1e-15)
            assert (totals[row] >= totals[children]).all()


@given(trees(), st.integers(0, 9))
def test_the_roots_share_all(tree: Tree, seed: int) -> None:
    """The roots' probabilities sum to 1."""
    leaves, shares = some_shares(tree, seed)
    totals = roll_up(tree, leaves, shares)
    assert totals[tree.parents < 0].sum(axis=0) == pytest.approx(np.ones(3))


def test_a_level_by_hand() -> None:
    """At the second level shirts and blouses are tops; hats and apples stay."""
    assert level(BY_HAND, LEAVES, 1).tolist() == [2, 1, 1, 6]
    assert level(BY_HAND, LEAVES, 0).tolist() == [0, 0, 0, 5]


def test_a_branch_that_ends_above_the_level_stands_for_itself() -> None:
    """There is no third level below hats."""
    assert level(BY_HAND, LEAVES, 9).tolist() == LEAVES.tolist()


def test_shares_add_up_by_group() -> None:
    """Groups come in order, whatever the order of the columns."""
    groups, shares = sum_by(np.array([7, 2, 7, 2]), SHARES)
    assert groups.tolist() == [2, 7]
    assert shares[0].tolist() == pytest.approx([0.6, 0.4])


@given(trees(), st.integers(0, 9), st.integers(0, 5))
def test_a_level_agrees_with_the_roll_up(tree: Tree, seed: int, depth: int) -> None:
    """The sum of a level's labels is the node's total, and the level sums to 1."""
    leaves, shares = some_shares(tree, seed)
    groups, summed = sum_by(level(tree, leaves, depth), shares)
    assert roll_up(tree, leaves, shares)[groups] == pytest.approx(summed.T)
    assert summed.sum(axis=1) == pytest.approx(np.ones(3))


@pytest.mark.parametrize(
    ("threshold", "node"), [(0.0, 3), (0.35, 3), (0.36, 1), (0.65, 1), (0.7, 0), (0.8, NO_NODE)]
)
def test_back_off_by_hand(threshold: float, node: int) -> None:
    """From the shirt to tops, to clothing, to nothing at all."""
    totals = roll_up(BY_HAND, LEAVES, SHARES)
    assert back_off(BY_HAND, LEAVES, totals, threshold).tolist() == [node]


def test_a_likely_shallow_leaf_beats_an_unlikely_deep_one() -> None:
    """Below one half several branches may be sure enough: specific, then probable."""
    shares = np.array([[0.6, 0.2, 0.1, 0.1]])
    totals = roll_up(BY_HAND, LEAVES, shares)
    assert back_off(BY_HAND, LEAVES, totals, 0.15).tolist() == [2]


@given(trees(), st.integers(0, 9), st.floats(0.51, 1.0))
def test_above_one_half_it_is_the_deepest_sure_node(
    tree: Tree, seed: int, threshold: float
) -> None:
    """The nodes that are sure enough lie on one path, and the lowest of them is taken."""
    leaves, shares = some_shares(tree, seed)
    totals = roll_up(tree, leaves, shares)
    for item, node in enumerate(back_off(tree, leaves, totals, threshold)):
        sure = np.flatnonzero(totals[:, item] >= threshold - 1e-9)
        if sure.size:
            assert tree.depths[node] == tree.depths[sure].max()
            assert node in sure
        else:
            assert node == NO_NODE


def test_twenty_thousand_labels_are_added_up_at_once() -> None:
    """10 levels, 20,000 nodes, 256 items: far below a second."""
    size = 20_000
    depths = np.arange(size) * 10 // size
    parents = np.where(depths > 0, np.arange(size) - size // 10, -1)
    leaves = np.flatnonzero(depths == 9)
    shares = np.full((256, len(leaves)), 1 / len(leaves))
    started = time.thread_time()
    totals = roll_up(Tree(parents, depths), leaves, shares)
    assert time.thread_time() - started < 10
    assert totals[depths == 0].sum(axis=0) == pytest.approx(np.ones(256))
