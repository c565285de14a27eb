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
from indexer.labels.corrections import ScoredItems, balance_of, fit, most_untaught
from indexer.labels.few_shot import (
    FewShot,
    StrengthChoice,
    cache,
    discriminant,
    frequencies_of,
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
    """One example at the query: what is missing of its label, times 1 / (1 + penalty).

    The other label has no example: its scores stay.
    """
    example = np.array([[1.0, 0.0]], dtype=np.float32)
    found = kernel_ridge.fit(example, np.zeros((1, 2)), np.array([1]), 1.0).scores(example)
    assert found[0].tolist() == pytest.approx([0.0, 0.5 / 1.1])


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


@given(st.integers(0, 1000), st.integers(2, 4), st.sampled_from(range(3)))
def test_labels_without_examples_keep_their_number_of_items(
    seed: int, taught: int, correction: int
) -> None:
    """However much was added to the others: as many of the catalog's items have such a label."""
    generator = np.random.default_rng(seed)
    catalog, examples = (
        ScoredItems(normalise(generator.normal(size=(n, 6))), generator.normal(size=(n, 5)))
        for n in (40, 12)
    )
    corrections = fit(examples, np.arange(12) % taught, 1.0)
    balance = balance_of(corrections, catalog)
    assert balance is not None
    first, second, third = (9.0 * (place == correction) for place in range(3))
    blended = catalog.scores.copy()
    blended[:, :taught] += 9.0 * corrections.added(catalog.queries)[correction]
    blended[:, :taught] -= balance.shift((first, second, third))
    before, after = ((one.argmax(axis=1) >= taught).sum() for one in (catalog.scores, blended))
    assert after == before


@pytest.mark.parametrize("others", [False, True])
def test_where_one_side_has_all_items_it_keeps_them(others: bool) -> None:
    """No border between the labels is known then: the shift is no larger than it must be."""
    queries, truth = clusters(4, noise=0.1)
    scores = np.zeros((12, 4))
    scores[:, 3] = 5.0 if others else -5.0
    items = ScoredItems(queries, scores)
    balance = balance_of(fit(items, truth, 1.0), items)
    assert balance is not None
    assert balance.shift((0.0, 0.0, 1.0)) == 0.0


def test_a_catalog_without_other_labels_gives_them_no_items() -> None:
    """Half of the items have a label that the catalog does not hold; the examples show it."""
    queries, truth = clusters(40, noise=0.1)
    scores = 3.0 * np.eye(6)[truth]
    scores[::2] = 3.0 * np.eye(6)[truth[::2] + 3]
    found = most_untaught(scores, scores, truth)
    assert found == pytest.approx(2 * np.sqrt(0.25 / 125) / 0.52, abs=0.05)
    items = ScoredItems(queries, scores)
    balance = balance_of(fit(items, truth, 1.0), items, 0.0)
    assert balance is not None
    moved = scores.copy()
    moved[:, :3] -= balance.shift((0.0, 0.0, 0.0))
    assert (moved.argmax(axis=1) < 3).all()


def test_labels_that_the_examples_do_not_lose_keep_their_items() -> None:
    """Zero-shot is right on all examples, and 30% of the catalog has another label."""
    _, truth = clusters(40, noise=0.1)
    scores = 3.0 * np.eye(6)[truth]
    catalog = 3.0 * np.eye(6)[[0, 1, 2, 0, 1, 2, 0, 3, 4, 5]]
    assert most_untaught(catalog, scores, truth) >= 0.3


def test_all_labels_with_examples_need_no_balance() -> None:
    """There is no other label whose share could change."""
    queries, truth = clusters(4, noise=0.1)
    examples = ScoredItems(queries, np.zeros((12, 3)))
    assert balance_of(fit(examples, truth, 1.0), examples) is None


def test_the_blend_leaves_labels_without_examples_alone() -> None:
    """To the last bit, with every correction at once and a shift."""
    queries, truth = clusters(10, noise=0.3)
    scores = np.random.default_rng(1).normal(size=(30, 5))
    choice = StrengthChoice(
        discriminant_strength=0.5,
        cache_strength=2.0,
        kernel_strength=4.0,
        temperature=1.0,
        zero_shot_log_loss=1.0,
        log_loss=0.5,
        confidences=(),
        right=(),
        shift=0.7,
    )
    few_shot = FewShot.of(queries, scores, truth, choice, 1.0)
    blended = few_shot.blend(queries, scores)
    assert np.array_equal(blended[:, 3:], scores[:, 3:])
    linear = few_shot.features(queries) @ few_shot.columns[:, :-1].T + few_shot.columns[:, -1]
    assert np.allclose(blended, scores + linear, atol=1e-5)


def pairs_that_look_alike(seed: int) -> tuple[FloatArray, Exact, Rows]:
    """Queries, scores and truth of 160 items; labels 0 and 1 look alike, 2 and 3, and so on."""
    generator = np.random.default_rng(seed)
    truth = np.repeat(np.arange(8), 20)
    pairs = generator.normal(size=(4, 16))[truth // 2]
    queries = normalise(pairs + 0.2 * generator.normal(size=(160, 16)))
    return queries, 2 * np.eye(8)[truth] + generator.normal(size=(160, 8)), truth


@pytest.mark.parametrize("seed", range(3, 7))
def test_items_of_untaught_labels_are_not_drawn_away(seed: int) -> None:
    """One label of each pair is taught: items of the other stay, within two in a hundred."""
    queries, scores, truth = pairs_that_look_alike(seed)
    mine = np.flatnonzero(truth % 2 == 0)
    given = queries[mine], scores[mine], truth[mine]
    catalog = ScoredItems(queries, scores)
    choice = choose_strengths(*given, np.full(8, 1 / 8), 1.0, catalog=catalog)
    blended = FewShot.of(*given, choice, 1.0).blend(queries, scores)
    other = truth % 2 == 1
    before, after = (one.argmax(axis=1)[other] == truth[other] for one in (scores, blended))
    assert after.mean() >= before.mean() - 0.02


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
