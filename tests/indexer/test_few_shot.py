"""What labelled examples add, and that they never take away."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.labels import kernel_ridge
from indexer.labels.few_shot import (
    FewShot,
    StrengthChoice,
    cache,
    discriminant,
    frequencies_of,
    keep_untaught_share,
)
from indexer.labels.strengths import FOLDS, choose_strengths, folds_of

Exact = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
EVEN = np.full(3, 1 / 3)


def clusters(examples: int, *, noise: float, seed: int = 0) -> tuple[FloatArray, Rows]:
    """Three labels in 8 dimensions, as many examples each."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(3), examples)
    centres = generator.normal(size=(3, 8))
    return normalise(centres[truth] + noise * generator.normal(size=(len(truth), 8))), truth


def test_the_discriminant_by_hand() -> None:
    """One dimension, labels at 0 and 2, each by two examples 1 apart from the mean.

    Means 0 and 2, common mean 1, variance within 4 * 1 / (4 - 2) = 2. Shrunk by one
    example at 1: 1/3 and 5/3. d / (d + e) is 1/5 of the same variance: no change. So the
    vectors are -+(2/3) / 2 = -+1/3 and the biases -(2/3)(1/3)/2 -+(-1/3) = -1/9 +- 1/3.
    """
    found = discriminant(np.array([[-1.0], [1.0], [1.0], [3.0]]), np.array([0, 0, 1, 1]), 2)
    assert found.vectors[:, 0].tolist() == pytest.approx([-1 / 3, 1 / 3])
    assert found.biases.tolist() == pytest.approx([-1 / 9 + 1 / 3, -1 / 9 - 1 / 3])


def test_a_label_without_examples_adds_nothing() -> None:
    """Its shrunk mean is the common mean."""
    queries, truth = clusters(4, noise=0.1)
    found = discriminant(queries, truth, 5)
    assert not found.vectors[3:].any()
    assert not found.biases[3:].any()


def test_one_example_each_is_enough_for_a_discriminant() -> None:
    """Nothing is known of the variance inside a label; the scores are finite all the same."""
    queries, truth = clusters(1, noise=0.1)
    assert np.isfinite(discriminant(queries, truth, 3).scores(queries)).all()


def test_the_cache_by_hand() -> None:
    """An example at the query counts 1; one at right angles exp(-5.5)."""
    examples = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    found = cache(np.array([[1.0, 0.0]]), examples, np.array([2, 2, 0]), 3)
    assert found[0].tolist() == pytest.approx([1.0, 0.0, 1.0 + np.exp(-5.5)])


def test_folds_spread_each_label() -> None:
    """Ten examples of a label: two in each of five folds."""
    truth = np.repeat(np.arange(3), 10)
    fold = folds_of(truth, seed=1)
    for label in range(3):
        assert np.bincount(fold[truth == label], minlength=FOLDS).tolist() == [2] * FOLDS


def test_frequencies_by_hand() -> None:
    """Two items, each sure of another label: half each, and one half of an item more."""
    found = frequencies_of(np.array([[50.0, 0.0], [0.0, 50.0]]), 1.0)
    assert found.tolist() == pytest.approx([1.0, 1.0])


def test_examples_mend_bad_zero_shot_scores() -> None:
    """Scores of chance, examples in clear clusters: the blend is right."""
    queries, truth = clusters(10, noise=0.3)
    scores = np.random.default_rng(1).normal(size=(30, 3))
    found = FewShot.of(
        queries, scores, truth, choose_strengths(queries, scores, truth, EVEN, 1.0), 1.0
    )
    new_scores = np.random.default_rng(2).normal(size=(30, 3))
    assert found.choice.helps
    assert (found.blend(queries, new_scores).argmax(axis=1) == truth).mean() > 0.9


def test_examples_that_say_nothing_change_nothing() -> None:
    """Good zero-shot scores, vectors of chance: exactly the zero-shot scores."""
    generator = np.random.default_rng(3)
    truth = np.repeat(np.arange(3), 10)
    queries = normalise(generator.normal(size=(30, 8)))
    scores = 3 * np.eye(3)[truth] + generator.normal(size=(30, 3))
    found = FewShot.of(
        queries, scores, truth, choose_strengths(queries, scores, truth, EVEN, 1.0), 1.0
    )
    assert not found.choice.helps
    assert found.blend(queries, scores) is scores


def test_what_titles_say_already_is_not_learnt_again() -> None:
    """Examples mend bad scores, but not where titles decide rightly without them."""
    queries, truth = clusters(10, noise=0.3)
    scores = np.random.default_rng(1).normal(size=(30, 3))
    alone = choose_strengths(queries, scores, truth, EVEN, 1.0)
    titled = choose_strengths(
        queries, scores, truth, EVEN, 1.0, decided=lambda _, rows: 50 * np.eye(3)[truth[rows]]
    )
    assert alone.helps
    assert not titled.helps
    assert titled.zero_shot_log_loss < 1e-9 < alone.zero_shot_log_loss


def test_what_helps_with_titles_only_is_not_used() -> None:
    """Inputs without a title must not lose: here the vectors say nothing of the labels.

    What is decided is made surer of the truth the more the scores move away from the
    zero-shot ones, so any strength would gain there.
    """
    generator = np.random.default_rng(3)
    truth = np.repeat(np.arange(3), 10)
    queries = normalise(generator.normal(size=(30, 8)))
    scores = 3 * np.eye(3)[truth] + generator.normal(size=(30, 3))

    def decided(given: Exact, rows: Rows) -> Exact:
        moved = np.abs(given - scores[rows]).sum(axis=1, keepdims=True)
        return np.where(moved > 0, np.eye(3)[truth[rows]], scores[rows])

    assert not choose_strengths(queries, scores, truth, EVEN, 1.0, decided=decided).helps


def test_the_kernel_ridge_by_hand() -> None:
    """One example at the query: what is missing of its label, times 1 / (1 + penalty)."""
    example = np.array([[1.0, 0.0]], dtype=np.float32)
    found = kernel_ridge.fit(example, np.zeros((1, 2)), np.array([1]), 1.0).scores(example)
    assert found[0].tolist() == pytest.approx([-0.5 / 1.1, 0.5 / 1.1])


def test_more_examples_than_fit_get_no_kernel_ridge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cost is of the third power: the others are tried all the same."""
    queries, truth = clusters(10, noise=0.3)
    scores = np.random.default_rng(1).normal(size=(30, 3))
    monkeypatch.setattr(kernel_ridge, "MOST_EXAMPLES", 29)
    monkeypatch.setattr(kernel_ridge, "fit", None)
    found = choose_strengths(queries, scores, truth, EVEN, 1.0)
    assert found.helps
    assert not found.kernel_strength


def test_examples_of_one_label_change_nothing() -> None:
    """They can't show what they do to items of other labels."""
    queries, _ = clusters(10, noise=0.3)
    scores = np.random.default_rng(1).normal(size=(30, 3))
    assert not choose_strengths(queries, scores, np.zeros(30, dtype=np.int64), EVEN, 1.0).helps


@given(st.integers(0, 1000), st.floats(0.1, 3), st.integers(1, 4))
def test_labels_without_examples_keep_their_share(seed: int, unit: float, taught: int) -> None:
    """Their scores stay, and the soft maximum of the others does, however much was added."""
    generator = np.random.default_rng(seed)
    scores, added = generator.normal(size=(6, 5)), 9 * generator.normal(size=(6, 5))
    mine = np.arange(5) < taught
    found = keep_untaught_share(scores, scores + added, mine, unit)
    assert np.array_equal(found[:, ~mine], scores[:, ~mine])
    sharp = unit / 2
    before, after = (np.exp(one[:, mine] / sharp).sum(axis=1) for one in (scores, found))
    assert np.allclose(before, after)


def test_items_of_untaught_labels_are_not_drawn_away() -> None:
    """Labels of pairs that look alike, one of each pair taught: items of the other stay."""
    generator = np.random.default_rng(4)
    truth = np.repeat(np.arange(8), 20)
    pairs = generator.normal(size=(4, 16))[truth // 2]
    queries = normalise(pairs + 0.2 * generator.normal(size=(160, 16)))
    scores = 2 * np.eye(8)[truth] + generator.normal(size=(160, 8))
    mine = np.flatnonzero(truth % 2 == 0)
    given = queries[mine], scores[mine], truth[mine]
    choice = choose_strengths(*given, np.full(8, 1 / 8), 1.0)
    assert choice.helps
    blended = FewShot.of(*given, choice, 1.0).blend(queries, scores)
    other = truth % 2 == 1
    before, after = (one.argmax(axis=1)[other] == truth[other] for one in (scores, blended))
    assert after.mean() >= before.mean() - 0.01


def test_one_example_each_changes_nothing() -> None:
    """Nothing can be held out of one example: zero-shot."""
    queries, truth = clusters(1, noise=0.1)
    found = choose_strengths(queries, np.zeros((3, 3)), truth, EVEN, 1.0)
    assert found.strengths == (0, 0, 0)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.integers(1, 6), st.floats(0, 3))
def test_never_worse_by_its_own_cross_validation(seed: int, examples: int, signal: float) -> None:
    """The held-out log loss is zero-shot's or less, and less where the examples are used."""
    queries, truth = clusters(examples, noise=1.0, seed=seed)
    noise = np.random.default_rng(seed).normal(size=(len(truth), 3))
    found = choose_strengths(queries, signal * np.eye(3)[truth] + noise, truth, EVEN, 1.0)
    if found.helps:
        assert found.log_loss < found.zero_shot_log_loss
    else:
        assert found.log_loss == found.zero_shot_log_loss


def test_more_scores_than_fit_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """With many labels only a sample of the examples is held out, and all are learnt from."""
    monkeypatch.setattr("indexer.labels.strengths._SCORES_AT_ONCE", 45)
    queries, truth = clusters(10, noise=0.3)
    scores = np.random.default_rng(1).normal(size=(30, 3))
    assert len(choose_strengths(queries, scores, truth, EVEN, 1.0).confidences) == 15


def test_what_was_seen_is_told() -> None:
    """Two rows of odds 3 to 1, one of them right: no temperature makes them sure."""
    scores = np.array([[1.0, 0.0], [1.0, 0.0]])
    found = choose_strengths(
        np.eye(2, dtype=np.float32), scores, np.array([0, 1]), np.full(2, 0.5), 1.0
    )
    assert isinstance(found, StrengthChoice)
    assert found.right == (True, False)
    assert found.log_loss == pytest.approx(np.log(2), abs=1e-3)
