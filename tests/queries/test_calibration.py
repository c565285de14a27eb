"""Thresholds from labelled items, and what becomes of a label."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from queries.deciding.calibration import (
    RIGHT_OF_ACCEPTED,
    STATUSES,
    UNCALIBRATED,
    Status,
    balanced_threshold,
    items_for_precision,
    lower_bound,
    status_codes,
    threshold_for_precision,
    unknown_threshold,
)


def test_the_bound_of_all_right_is_a_root_by_hand() -> None:
    """All of n: p**n = 0.1, so p = 0.1 ** (1 / n)."""
    assert lower_bound(45, 45) == pytest.approx(0.1 ** (1 / 45))


def test_the_bound_of_one_of_two_by_hand() -> None:
    """1 of 2: 1 - (1 - p)**2 = 0.1, so p = 1 - sqrt(0.9)."""
    assert lower_bound(1, 2) == pytest.approx(1 - math.sqrt(0.9))


def test_no_right_one_bounds_nothing() -> None:
    """0 of n: the share may be 0."""
    assert lower_bound(0, 7) == 0.0


def test_44_right_items_do_not_reach_095() -> None:
    """0.95**44 is 0.105, above 0.1."""
    assert threshold_for_precision(np.linspace(1, 0.5, 44), np.ones(44), 0.95) is None


def test_45_right_items_reach_095() -> None:
    """0.95**45 is 0.099, below 0.1; all items are accepted, from the lowest score on."""
    found = threshold_for_precision(np.linspace(1, 0.5, 45), np.ones(45), 0.95)
    assert found is not None
    assert (found.score, found.coverage, found.precision) == (0.5, 1.0, 1.0)


def test_the_threshold_stays_above_the_errors() -> None:
    """100 right ones above 100 wrong ones: the line is between them or a little below."""
    scores = np.linspace(1, 0, 200)
    found = threshold_for_precision(scores, np.arange(200) < 100, 0.9)
    assert found is not None
    assert 0.46 < found.score < 0.51
    assert found.lower_bound >= 0.9


def test_equal_scores_are_accepted_together() -> None:
    """Right ones do not come before wrong ones of the same score."""
    right = np.r_[np.ones(60), np.zeros(60)]
    assert threshold_for_precision(np.full(120, 0.7), right, 0.9) is None


def test_nothing_labelled_gives_no_threshold() -> None:
    """An empty list has no threshold."""
    assert threshold_for_precision([], [], 0.9) is None


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=80),
    st.floats(0.05, 0.95),
)
def test_what_is_found_keeps_its_promise(items: list[tuple[int, bool]], target: float) -> None:
    """The counts above the threshold are those that it reports, and their bound suffices."""
    scores = np.array([score / 10 for score, _ in items])
    right = np.array([hit for _, hit in items], dtype=bool)
    found = threshold_for_precision(scores, right, target)
    if found is None:
        return
    accepted = scores >= found.score
    assert found.precision == pytest.approx(right[accepted].mean())
    assert found.coverage == pytest.approx(accepted.mean())
    assert found.lower_bound == pytest.approx(
        lower_bound(int(right[accepted].sum()), int(accepted.sum()))
    )
    assert found.lower_bound >= target - 1e-9


@given(st.integers(1, 60), st.data())
def test_the_bound_lies_below_the_share(total: int, data: st.DataObject) -> None:
    """It is conservative: never above what was counted."""
    right = data.draw(st.integers(0, total))
    assert lower_bound(right, total) <= right / total


def test_the_unknown_threshold_by_hand() -> None:
    """19 known items and 0.95: the 19th of them, for 20 * 0.95 is 19."""
    assert unknown_threshold(np.arange(19.0)) == 18.0


def test_too_few_known_items_give_no_threshold() -> None:
    """With 18 items the 19th would be needed: nothing is unknown."""
    assert unknown_threshold(np.arange(18.0)) == math.inf


def test_statuses_by_hand() -> None:
    """The unknown score comes first, then the score."""
    found = status_codes([0.9, 0.9, 0.2], [0.0, 2.0, 0.0], min_score=0.5, unknown_above=1.0)
    statuses = [STATUSES[code] for code in found]
    assert statuses == [Status.ACCEPTED, Status.UNKNOWN, Status.REVIEW]


def test_thresholds_are_inclusive() -> None:
    """A score at the threshold is accepted; an unknown score at its own is known."""
    (code,) = status_codes([0.5], [1.0], min_score=0.5, unknown_above=1.0)
    assert STATUSES[code] == Status.ACCEPTED


def test_how_many_items_a_precision_takes_by_hand() -> None:
    """All right: 45 for .95, of which these are a half, so twice as many are labelled."""
    scores = np.linspace(1, 0, 40)
    right = np.arange(40) < 20
    assert items_for_precision(scores, right, 0.95) == 90
    assert threshold_for_precision(np.repeat(scores, 3), np.repeat(right, 3), 0.95) is not None


def test_no_number_of_items_makes_wrong_labels_right() -> None:
    """No score has a share of right ones above the target."""
    assert items_for_precision(np.linspace(1, 0, 40), np.arange(40) % 2 == 1, 0.95) is None


def test_unknown_and_known_items_part_where_errors_are_least() -> None:
    """Between .3 and .8: one known of four above it, no unknown below."""
    assert balanced_threshold([0.1, 0.2, 0.3, 0.9] * 10, [0.8, 0.95] * 10) == 0.3
    assert balanced_threshold([0.1] * 10, [0.2] * 10) == 0.1


def test_a_threshold_that_makes_more_errors_than_it_mends_is_none() -> None:
    """Half of the unknown lie above all but a quarter of four times as many known: 10 against 5."""
    known = np.repeat([0.1, 0.5], [30, 10])
    assert balanced_threshold(known, np.repeat([0.2, 0.6], [5, 5])) == 0.5
    assert balanced_threshold(known, np.repeat([0.2, 0.5], [5, 5])) == math.inf


def test_a_few_lucky_items_set_no_threshold() -> None:
    """Two unknown of two above all others may be chance: TRUST takes four of four."""
    known = np.repeat([0.1, 0.3], 20)
    assert balanced_threshold(known, np.repeat([0.2, 0.9], [8, 2])) == math.inf
    assert balanced_threshold(known, np.repeat([0.2, 0.9], [8, 4])) == 0.3


def test_what_accepted_is_worth_stands_in_the_docs() -> None:
    """The sentence and the page have the same mean and range, and the page every share."""
    shares = list(RIGHT_OF_ACCEPTED.values())
    range_told = f"from {min(shares):.0%} to {max(shares):.0%}"
    page = (Path(__file__).parents[2] / "docs" / "trust.md").read_text(encoding="utf-8")
    for text in (UNCALIBRATED, page):
        assert f"about {np.mean(shares):.0%} " in text
        assert range_told in text
    for share in shares:
        assert f"| {share:.1%} |" in page
