"""Groups of look-alikes: no chains, any size, exact or by lists on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.records import FloatArray, IndexArray
from indexer.core.vectors import normalise
from queries.duplicates.leaders import NO_PARENT, lead
from queries.duplicates.leading_lists import lead_in_lists
from queries.duplicates.lists import Lists


def planted(groups: int, size: int, width: int = 64, noise: float = 0.02) -> FloatArray:
    """Groups of near-equal vectors, shuffled: float32 (groups * size, width)."""
    rng = np.random.default_rng(7)
    centres = rng.standard_normal((groups, width))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = np.repeat(centres, size, axis=0)
    vectors = vectors + noise * rng.standard_normal(vectors.shape)
    return normalise(rng.permutation(vectors))


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.99))
def test_members_are_near_their_leader_and_leaders_are_not_near_each_other(
    seed: int, threshold: float
) -> None:
    """Whatever the vectors: that is what forbids chains."""
    rng = np.random.default_rng(seed)
    vectors = normalise(rng.standard_normal((60, 4)))
    led = lead(vectors, threshold)
    assert (led.leaders[led.leaders] == led.leaders).all()
    assert (led.leaders <= np.arange(len(vectors))).all()
    cosines = (vectors * vectors[led.leaders]).sum(axis=1)
    np.testing.assert_allclose(led.similarities, cosines, atol=1e-5)
    assert (cosines >= threshold - 1e-5).all()
    leading = vectors[led.leads]
    between = leading @ leading.T - 2 * np.eye(len(leading))
    assert between.max(initial=-1) < threshold + 1e-5


def test_a_chain_is_cut() -> None:
    """Each vector is near the next, and the ends are far apart: three groups, not one."""
    angles = np.radians(np.arange(0, 60, 10))
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    led = lead(vectors, float(np.cos(np.radians(11))))
    assert led.leaders.tolist() == [0, 0, 2, 2, 4, 4]


def test_ten_thousand_equal_vectors_are_one_group() -> None:
    """No pair is kept, so the size of a group does not matter."""
    vectors = np.repeat(planted(1, 1), 10_000, axis=0)
    led = lead(vectors, 0.95)
    assert (led.leaders == 0).all()


def test_views_of_one_product_are_no_look_alikes() -> None:
    """Two pictures of one product do not join; those of two products do."""
    vectors = np.repeat(planted(1, 1), 4, axis=0)
    led = lead(vectors, 0.95, np.array([5, 5, NO_PARENT, 6]))
    assert led.leaders.tolist() == [0, 1, 0, 0]


def lists_of(vectors: FloatArray, file: object) -> Lists:
    """Lists of vectors that come in blocks."""

    def blocks() -> Iterator[tuple[IndexArray, FloatArray]]:
        for start in range(0, len(vectors), 700):
            rows = np.arange(start, min(start + 700, len(vectors)))
            yield rows, vectors[rows]

    return Lists(file, blocks, count=len(vectors), width=vectors.shape[1])


def test_lists_find_the_groups_that_exact_comparison_finds() -> None:
    """Planted groups in several lists: the same partition."""
    vectors = planted(1500, 3)
    exact = lead(vectors, 0.9)
    with tempfile.TemporaryFile() as file:
        lists = lists_of(vectors, file)
        assert len(lists) > 5
        probing = lists.choose_probes(0.9)
        led = lead_in_lists(lists, 0.9, probing.probes)
    assert probing.recall is not None
    assert probing.recall >= 0.99
    assert probing.sampled > 500
    same = led.leaders == exact.leaders
    assert same.mean() > 0.99
    cosines = (vectors * vectors[led.leaders]).sum(axis=1)
    assert cosines.min() >= 0.9 - 1e-5


def test_a_large_group_is_one_group_across_lists() -> None:
    """Thousands of near-equal vectors, between others."""
    vectors = np.concatenate([planted(1, 3000), planted(2000, 1)])
    with tempfile.TemporaryFile() as file:
        led = lead_in_lists(lists_of(vectors, file), 0.9, 2)
    assert (led.leaders[:3000] == led.leaders[0]).all()
    assert len(np.unique(led.leaders[3000:])) == 2000


def test_inactive_items_lead_nobody() -> None:
    """They stay alone, and no one joins them."""
    vectors = np.repeat(planted(1, 1), 1000, axis=0)
    active = np.arange(1000) % 2 == 1
    with tempfile.TemporaryFile() as file:
        led = lead_in_lists(lists_of(vectors, file), 0.9, 2, active=active)
    assert (led.leaders[active] == 1).all()
    assert (led.leaders[~active] == np.flatnonzero(~active)).all()


@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_leaders_of_lists_are_not_near_each_other(threshold: float) -> None:
    """Where all lists are compared, the result has no chain and no leader too many."""
    rng = np.random.default_rng(3)
    vectors = normalise(rng.standard_normal((2000, 6)))
    with tempfile.TemporaryFile() as file:
        lists = lists_of(vectors, file)
        led = lead_in_lists(lists, threshold, len(lists))
    assert (led.leaders[led.leaders] == led.leaders).all()
    leading = vectors[led.leads]
    assert (leading @ leading.T - 2 * np.eye(len(leading))).max() < threshold + 1e-5
