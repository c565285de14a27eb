"""One decision of an item, whoever asks: ties between labels, and scores at the threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_sets import drawn, labels_of

from indexer.core.records import FloatArray
from indexer.labels.head import plain
from queries.deciding.calibration import MIN_SCORE
from queries.deciding.predictor import Predictor
from queries.deciding.scorer import Scorer
from queries.deciding.settings import Settings
from queries.scoring.ranking import highest_columns

WIDTH = 24


def predictor_of(labels: FloatArray, scale: float, **more: Any) -> Predictor:
    """A predictor by plain labels; some of them may be alike."""
    head = plain(labels_of(labels), scale)
    return Predictor(
        labels=head.labels,
        scorer=Scorer(head=head, unit=1.0, temperature=1.0),
        settings=Settings(),
        logit_scale=scale,
        **more,
    )


def decided(predictor: Predictor, items: FloatArray, step: int, *, double: bool) -> list[Any]:
    """Labels and statuses, so many items at a time, by either arithmetic."""
    answers: list[Any] = []
    for start in range(0, len(items), step):
        block = items[start : start + step]
        if double:
            found = predictor.decide(block, predictor._rank_exactly(block, None, 3))
        else:
            found = predictor.predict(block, limit=3)
        answers += zip(found.ranking.labels.tolist(), found.statuses, strict=True)
    return answers


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 60),
    st.integers(2, 12),
    st.sampled_from([20.0, 100.0]),
    st.sampled_from([1, 7, 64]),
)
def test_whoever_asks_gets_one_decision(
    seed: int, count: int, copies: int, scale: float, step: int
) -> None:
    """Labels that stand there several times tie: two share a score of exactly a half."""
    random = np.random.default_rng(seed)
    own = drawn(count, WIDTH, seed)
    labels = np.repeat(own, random.integers(1, copies + 1, count), axis=0)
    labels = labels[random.permutation(len(labels))]
    items = np.concatenate([own, drawn(60, WIDTH, seed + 1)])
    predictor = predictor_of(labels, scale)
    wanted = decided(predictor, items, len(items), double=False)
    assert decided(predictor, items, step, double=False) == wanted
    assert decided(predictor, items, step, double=True) == wanted


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 300), st.sampled_from([1, 7, 64]))
def test_a_threshold_that_is_an_items_own_score_accepts_it(
    seed: int, count: int, step: int
) -> None:
    """Each time, whatever items are asked for beside it."""
    labels, items = drawn(count, WIDTH, seed), drawn(80, WIDTH, seed + 1)
    predictor = predictor_of(labels, 20.0)
    scores = predictor.rank_best(items).scores[:, 0]
    for row in (0, 17, 79):
        at_item = predictor_of(labels, 20.0, min_score=float(scores[row]))
        for double in (False, True):
            found = decided(at_item, items, step, double=double)
            assert found[row][1][0] == "accepted"
        assert found == decided(at_item, items, 80, double=False)


def test_two_labels_alike_are_accepted_both() -> None:
    """A half is not below a half, in single precision either."""
    labels = np.repeat(drawn(1, WIDTH, 3), 2, axis=0)
    found = predictor_of(labels, 100.0).predict(drawn(500, WIDTH, 4), limit=2)
    assert (found.ranking.labels == [0, 1]).all()
    np.testing.assert_allclose(found.ranking.scores, MIN_SCORE, atol=1e-12)
    assert {status for row in found.statuses for status in row} == {"accepted"}


@pytest.mark.parametrize("limit", [1, 5])
def test_ties_beyond_the_candidates_come_in_order(limit: int) -> None:
    """More labels alike than are looked at, differing by rounding only."""
    products = np.full((3, 40), 0.7) + 1e-16 * np.random.default_rng(0).normal(size=(3, 40))
    products[1, 20] = 0.9
    found = highest_columns(products, limit)
    assert found[0].tolist() == list(range(limit))
    assert found[1].tolist() == [20, *range(limit - 1)]
