"""The measures, on small cases worked by hand and against scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, roc_auc_score

from indexer.core.records import DoubleArray
from queries.evaluation import metrics


def test_top_accuracy_counts_places_up_to_k() -> None:
    """Of four truths one is first, one third, one sixth and one not there."""
    ranks = [1, 3, 6, 0]
    assert metrics.top_accuracy(ranks, 1) == 0.25
    assert metrics.top_accuracy(ranks, 5) == 0.5


def test_no_items_measure_nothing() -> None:
    """A mean of nothing is nan, not an error and not 0."""
    assert math.isnan(metrics.top_accuracy([], 1))
    assert math.isnan(metrics.mean_per_class_recall([], []))
    assert math.isnan(metrics.expected_calibration_error([], []))
    assert np.isnan(metrics.selective_accuracy([], [], [0.5, 1.0])).all()


def test_mean_per_class_recall_weighs_classes_alike() -> None:
    """Three of four a's and no b: (3/4 + 0/1) / 2."""
    assert metrics.mean_per_class_recall([*"aaaab"], [1, 1, 1, 0, 0]) == 0.375


def test_mean_per_class_recall_is_balanced_accuracy() -> None:
    """The same as scikit-learn's, where every predicted class occurs."""
    generator = np.random.default_rng(0)
    truths, predicted = generator.integers(0, 5, (2, 200))
    expected = balanced_accuracy_score(truths, predicted)
    assert metrics.mean_per_class_recall(truths, truths == predicted) == pytest.approx(expected)


def test_hierarchical_precision_and_recall_share_ancestors() -> None:
    """As Kiritchenko et al. define them, without the root, in sums over two items.

    True clothes > tops > shirt, given clothes > trousers: 1 of 2 given is true, 1 of 3
    true is given. The second is right at depth 2. Sums: 3 of 4, and 3 of 5.
    """
    shared, given_sizes, true_sizes = [1, 2], [2, 2], [3, 2]
    assert metrics.hierarchical_precision(shared, given_sizes) == 0.75
    assert metrics.hierarchical_recall(shared, true_sizes) == 0.6
    assert metrics.harmonic_mean(0.75, 0.6) == pytest.approx(2 / 3)


def test_calibration_error_is_the_weighted_gap() -> None:
    """Two bins: two items at 0.3 of which one is right, two at 0.9 that both are.

    Gaps 0.2 and 0.1, half of the items each: 0.15.
    """
    error = metrics.expected_calibration_error([0.3, 0.3, 0.9, 0.9], [1, 0, 1, 1], bins=2)
    assert error == pytest.approx(0.15)


def test_bins_hold_their_upper_end() -> None:
    """Guo et al. cut at (0, 1/2] and (1/2, 1]; a score of 0 is in the first."""
    found = metrics.reliability([0.0, 0.5, 0.51, 1.0], [0, 1, 1, 1], bins=2)
    assert found.counts.tolist() == [2, 2]
    assert found.confidence == pytest.approx([0.25, 0.755])
    assert found.accuracy == pytest.approx([0.5, 1.0])


def test_empty_bins_are_nan() -> None:
    """A bin without items has no accuracy."""
    found = metrics.reliability([0.9], [1], bins=2)
    assert np.isnan(found.accuracy).tolist() == [True, False]


def test_the_sweep_stops_before_accuracy_falls() -> None:
    """One bin: no gap. Two: .5 right at .3 and at .7, gaps of .2. Three: 0, 1, .5 falls."""
    error = metrics.sweep_calibration_error([0.8, 0.2, 0.6, 0.4], [1, 0, 0, 1])
    assert error == pytest.approx(0.2)
    assert math.isnan(metrics.sweep_calibration_error([], []))


def test_the_sweep_takes_less_of_chance_and_keeps_what_is_real() -> None:
    """300 items: exact scores look miscalibrated by .07 to the plain error, less to the sweep."""
    random = np.random.default_rng(0)
    chances = random.beta(1.5, 1.5, size=(40, 300))
    right = random.random(chances.shape) < chances

    def mean_of(measure: Callable[..., float], scores: DoubleArray) -> float:
        return float(np.mean([measure(*pair) for pair in zip(scores, right, strict=True)]))

    plain, sweep = metrics.expected_calibration_error, metrics.sweep_calibration_error
    assert mean_of(sweep, chances) < 0.75 * mean_of(plain, chances)
    too_sure = 1 / (1 + (1 / chances - 1) * np.exp(-1))
    real = float(np.mean(np.abs(too_sure - chances)))
    assert abs(mean_of(sweep, too_sure) - real) < 0.01


@pytest.mark.parametrize("right", [True, False])
def test_the_sweep_of_equal_outcomes_is_one_gap(
    monkeypatch: pytest.MonkeyPatch, right: bool
) -> None:
    """All right or none: no bins are tried, which would be as many as items."""
    monkeypatch.setattr(np, "linspace", None)
    error = metrics.sweep_calibration_error([0.7, 0.9, 0.8], [right] * 3)
    assert error == pytest.approx(0.2 if right else 0.8)


def test_the_sweep_tries_a_bounded_number_of_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores that part right from wrong let accuracy rise through any number of bins."""
    tried, cut = [], np.linspace

    def counted(start: float, stop: float, number: int) -> DoubleArray:
        tried.append(number)
        return cut(start, stop, number)

    monkeypatch.setattr(np, "linspace", counted)
    scores = (np.arange(1000) + 0.5) / 1000
    error = metrics.sweep_calibration_error(scores, scores > 0.5)
    assert len(tried) < metrics.MOST_SWEPT
    assert error == pytest.approx(0.25)


def test_selective_accuracy_takes_the_surest_first() -> None:
    """Right, right, wrong, right by score: 1 of 1, 2 of 2, 2 of 3, 3 of 4."""
    found = metrics.selective_accuracy([0.6, 0.9, 0.7, 0.8], [1, 1, 0, 1], [0.25, 0.5, 0.75, 1.0])
    assert found == pytest.approx([1, 1, 2 / 3, 3 / 4])


def test_selective_accuracy_shares_ties() -> None:
    """Four equal scores, one right: half of them hold half a right one."""
    for order in ([1, 0, 0, 0], [0, 0, 0, 1]):
        assert metrics.selective_accuracy([0.5] * 4, order, [0.5]) == pytest.approx([0.25])


def test_selective_accuracy_takes_at_least_one() -> None:
    """A share of less than an item is the surest one."""
    assert metrics.selective_accuracy([0.2, 0.9], [0, 1], [0.01]) == pytest.approx([1.0])


def test_auroc_counts_ties_half() -> None:
    """Positives 3, 1 against negatives 2, 1: of four pairs two are above, one is equal."""
    assert metrics.auroc([3, 1, 2, 1], [1, 1, 0, 0]) == 0.625


def test_auroc_needs_both_kinds() -> None:
    """Without unknowns, or with nothing else, there is no figure."""
    assert math.isnan(metrics.auroc([0.1, 0.2], [0, 0]))
    assert math.isnan(metrics.auroc([0.1, 0.2], [1, 1]))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auroc_is_scikit_learns(pairs: list[tuple[int, bool]]) -> None:
    """Few different scores, so that many are tied."""
    scores, positive = zip(*pairs, strict=True)
    if len(set(positive)) == 2:
        expected = roc_auc_score(positive, scores)
        assert metrics.auroc(scores, positive) == pytest.approx(expected)


def test_confusion_counts_have_truths_in_rows() -> None:
    """Two 0s, one called 1; one 1, called 1."""
    found = metrics.confusion_counts(np.array([0, 0, 1]), np.array([0, 1, 1]), size=3)
    assert found.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_confusion_counts_are_scikit_learns() -> None:
    """The same on random classes."""
    truths, predicted = np.random.default_rng(1).integers(0, 6, (2, 300))
    expected = confusion_matrix(truths, predicted, labels=range(6))
    assert (metrics.confusion_counts(truths, predicted, size=6) == expected).all()


def test_wilson_interval_of_a_known_case() -> None:
    """8 of 10: centre (0.8 + z2/20)/(1 + z2/10) = 0.7167, half-width 0.2266."""
    assert metrics.wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_wilson_interval_stays_within_0_and_1() -> None:
    """Nothing and everything right have one-sided intervals; no items have none."""
    low, high = metrics.wilson_interval(0, 5)
    assert low == 0.0
    assert 0.4 < high < 0.5
    assert metrics.wilson_interval(5, 5)[1] == 1.0
    assert math.isnan(metrics.wilson_interval(0, 0)[0])


def difference(first: list[int], second: list[int], **settings: int) -> metrics.Interval:
    """The bootstrap of two accuracies."""
    one, two = np.array(first), np.array(second)
    return metrics.bootstrap_difference(
        lambda rows: float(one[rows].mean()),
        lambda rows: float(two[rows].mean()),
        items=len(one),
        **settings,
    )


def test_a_paired_constant_difference_has_no_spread() -> None:
    """Every item of the second is right and of the first wrong: always 1 apart."""
    assert difference([0] * 20, [1] * 20) == metrics.Interval(1.0, 1.0, 1.0)


def test_bootstrap_interval_is_near_the_normal_one() -> None:
    """40 of 200 items got better, none worse: 0.2 with a standard error of 0.0283."""
    found = difference([0] * 200, [1] * 40 + [0] * 160, resamples=4000)
    assert found.difference == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - 1.96 * 0.0283, abs=0.008)
    assert found.high == pytest.approx(0.2 + 1.96 * 0.0283, abs=0.008)


def test_bootstrap_is_seeded() -> None:
    """The same seed draws the same items, another one others."""
    right = [1, 0] * 10
    shifted = [0, 1, 1, 1] * 5
    assert difference(right, shifted) == difference(right, shifted)
    assert difference(right, shifted, resamples=50) != difference(
        right, shifted, resamples=50, seed=1
    )


def test_bootstrap_leaves_out_draws_that_say_nothing() -> None:
    """Where a measure is nan on a draw, the others make the interval."""
    found = metrics.bootstrap_difference(
        lambda _: 0.0,
        lambda rows: 1.0 if 0 in rows else math.nan,
        items=3,
        resamples=50,
    )
    assert found == metrics.Interval(1.0, 1.0, 1.0)
