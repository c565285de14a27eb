"""Softmax, log loss and temperature."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.softmax import (
    CONFIDENCE_DEVIATION,
    fit_confidence_temperature,
    fit_temperature,
    log_losses,
    log_sum_exp,
    softmax,
)


def test_softmax_by_hand() -> None:
    """Odds of 3 to 1."""
    assert softmax(np.array([[np.log(3), 0.0]]), 1.0)[0].tolist() == pytest.approx([0.75, 0.25])


def test_a_low_temperature_decides() -> None:
    """No overflow at scores a thousand temperatures apart."""
    assert softmax(np.array([[2.0, 1.0]]), 1e-3)[0].tolist() == pytest.approx([1.0, 0.0])


def test_the_soft_maximum_by_hand() -> None:
    """Two equal scores at temperature 2: the score and 2 log 2."""
    assert log_sum_exp(np.array([[5.0, 5.0]]), 2.0)[0] == pytest.approx(5 + 2 * np.log(2))


def test_log_loss_by_hand() -> None:
    """The true column has a probability of a quarter."""
    loss = log_losses(np.array([[np.log(3), 0.0]]), np.array([1]), 1.0)
    assert loss[0] == pytest.approx(np.log(4))


def test_the_temperature_by_hand() -> None:
    """Three of four rows are right, one point ahead: odds of 3, so T is 1 / log 3."""
    scores = np.tile([1.0, 0.0], (4, 1))
    assert fit_temperature(scores, np.array([0, 0, 0, 1])) == pytest.approx(1 / np.log(3))


def test_rows_that_are_all_right_give_the_lowest_temperature() -> None:
    """The best would be 0; the range's end stands for it."""
    scores = np.tile([1.0, 0.0], (3, 1))
    assert fit_temperature(scores, np.zeros(3, dtype=np.int64)) == pytest.approx(np.exp(-4.0))


@given(st.integers(0, 50), st.floats(0.3, 3))
def test_the_fitted_temperature_loses_least(seed: int, factor: float) -> None:
    """No other temperature has a lower log loss."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=(30, 4))
    truth = np.where(generator.random(30) < 0.6, scores.argmax(axis=1), generator.integers(4))
    fitted = fit_temperature(scores, truth)
    best = log_losses(scores, truth, fitted).mean()
    assert best <= log_losses(scores, truth, fitted * factor).mean() + 1e-9


def test_the_temperature_by_confidence_heeds_how_often_the_best_is_right() -> None:
    """A few truths far down make log loss far too cautious; nine of ten are right."""
    scores = np.tile([2.0, 0.0, -40.0], (1000, 1))
    truth = np.where(np.arange(1000) % 10, 0, 2)
    cautious, fitted = fit_temperature(scores, truth), fit_confidence_temperature(scores, truth)
    share = softmax(scores[:1], fitted)[0, 0]
    assert fitted < cautious
    assert abs(share - 0.9) < abs(softmax(scores[:1], cautious)[0, 0] - 0.9)


def test_where_both_temperatures_agree_nothing_changes() -> None:
    """Two labels: log loss counts nothing but the best one being right."""
    scores = np.tile([1.0, 0.0], (400, 1))
    truth = (np.arange(400) % 4 == 0).astype(np.int64)
    fitted = fit_confidence_temperature(scores, truth)
    assert fitted == pytest.approx(1 / np.log(3), rel=0.02)


def test_few_items_leave_the_temperature_near_the_prior() -> None:
    """One item moves log T by less than its expected deviation."""
    scores, truth = np.array([[1.0, 0.0, -3.0]]), np.array([2])
    moved = np.log(fit_confidence_temperature(scores, truth) / fit_temperature(scores, truth))
    assert abs(moved) < CONFIDENCE_DEVIATION


@pytest.mark.parametrize("right", [True, False])
def test_items_that_are_all_alike_give_a_finite_temperature(right: bool) -> None:
    """All right, or all wrong."""
    scores = np.tile([1.0, 0.0], (20, 1))
    fitted = fit_confidence_temperature(scores, np.full(20, 0 if right else 1))
    assert np.isfinite(fitted)
    assert fitted > 0
