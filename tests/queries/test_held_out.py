"""Whether scores are probabilities, by draws that are known to be exact or off."""

from __future__ import annotations

import numpy as np

from indexer.core.records import BoolArray, DoubleArray
from queries.evaluation.metrics import expected_calibration_error
from queries.teaching.held_out import Slice, exact_errors, furthest_off

ITEMS = 400


def drawn(seed: int) -> tuple[DoubleArray, BoolArray]:
    """Scores, and labels that are right with exactly that probability."""
    random = np.random.default_rng(seed)
    scores = random.uniform(0.2, 1.0, ITEMS)
    return scores, random.random(ITEMS) < scores


def off_in(scores: DoubleArray, right: BoolArray, rows: BoolArray) -> Slice | None:
    """The slice that is named, of two halves."""
    return furthest_off(scores, right, iter([("in it", rows), ("outside", ~rows)]))


def test_exact_scores_are_within_what_chance_gives() -> None:
    """Of 40 draws of exact scores few have an error beyond the 97.5% of simulated ones."""
    beyond = 0
    for seed in range(40):
        scores, right = drawn(seed)
        limit = np.quantile(exact_errors(scores), 0.975)
        beyond += expected_calibration_error(scores, right) > limit
    assert beyond <= 4


def test_scores_that_are_too_sure_are_beyond_it() -> None:
    """15 points too sure, with 400 items."""
    scores, right = drawn(0)
    sure = np.minimum(scores + 0.15, 1.0)
    assert expected_calibration_error(sure, right) > np.quantile(exact_errors(sure), 0.975)


def test_a_slice_that_is_off_is_named() -> None:
    """Right ones of one half are called wrong; the other half is as it should be."""
    scores, right = drawn(1)
    half = np.arange(ITEMS) < ITEMS // 2
    spoiled = right & ~(half & (np.arange(ITEMS) % 3 == 0))
    found = off_in(scores, spoiled, half)
    assert found is not None
    assert (found.name, found.items) == ("in it", ITEMS // 2)
    assert found.mean_score - found.accuracy > 0.1


def test_no_slice_of_exact_scores_is_named() -> None:
    """In most draws: the level is 2.5%, shared by the slices."""
    half = np.arange(ITEMS) < ITEMS // 2
    named = sum(off_in(*drawn(seed), half) is not None for seed in range(60))
    assert named <= 5


def test_slices_of_few_items_are_not_named() -> None:
    """Nine wrong items of a score of .99 are no slice."""
    scores, right = drawn(2)
    few = np.arange(ITEMS) < 9
    scores[few], right[few] = 0.99, False
    assert furthest_off(scores, right, iter([("few", few)])) is None
