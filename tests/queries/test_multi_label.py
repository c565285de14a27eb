"""Labels that are scored on their own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from queries.deciding.multi_label import independent_scores, neutral_fallback


def test_scores_by_hand() -> None:
    """A gap of log 3 in logits is odds of 3 to 1."""
    scores = independent_scores(
        np.array([[0.2 + np.log(3) / 10, 0.2]]), np.array([[0.2]]), logit_scale=10
    )
    assert scores[0].tolist() == pytest.approx([0.75, 0.5])


def test_the_neutral_side_is_a_mean_likelihood() -> None:
    """exp(0) and exp(log 3) have the mean 2: a label of likelihood 2 has even odds."""
    scores = independent_scores(
        np.array([[np.log(2.0)]]), np.array([[0.0, np.log(3.0)]]), logit_scale=1
    )
    assert scores[0, 0] == pytest.approx(0.5)


def test_two_labels_may_both_hold() -> None:
    """Scores are no shares: both are near 1."""
    scores = independent_scores(np.array([[0.4, 0.4]]), np.array([[0.2]]), logit_scale=100)
    assert (scores > 0.99).all()


def test_a_great_scale_does_not_overflow() -> None:
    """Gaps of a thousand logits are 0 and 1."""
    scores = independent_scores(np.array([[1.0, -1.0]]), np.array([[0.0]]), logit_scale=1e4)
    assert scores[0].tolist() == [1.0, 0.0]


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=5), st.floats(-1, 1), st.integers(1, 4))
def test_a_label_does_not_see_the_others(
    similarities: list[float], neutral: float, repeats: int
) -> None:
    """Alone or among others, and however often a neutral prompt is said: the same score."""
    together = independent_scores(
        np.array([similarities]), np.full((1, repeats), neutral), logit_scale=20
    )
    alone = [
        independent_scores(np.array([[one]]), np.array([[neutral]]), logit_scale=20)[0, 0]
        for one in similarities
    ]
    assert together[0].tolist() == pytest.approx(alone)


def test_without_prompts_the_mean_label_is_neutral() -> None:
    """Two orthogonal labels: their mean, at length 1."""
    mean = neutral_fallback(np.eye(2, dtype=np.float32))
    assert mean.tolist() == [pytest.approx([0.5**0.5, 0.5**0.5])]
