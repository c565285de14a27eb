"""How little an input looks like any label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.records import Label
from indexer.core.vectors import normalise
from queries.deciding.unknown import (
    background_score,
    expected_similarity_score,
    foreign_words,
    other_concepts,
    shares_world,
    word_weights,
)


def test_words_that_name_a_label_are_dropped() -> None:
    """By name and by synonym; plural, case and underscores are no difference."""
    labels = [
        Label(label_id="1", name="tank_top", path=("tank_top",), synonyms=("Singlet",)),
        Label(label_id="2", name="shoes", path=("shoes",)),
    ]
    words = ["tank tops", "mug", "singlet", "Shoe", "shoe rack"]
    assert foreign_words(words, labels).tolist() == [1, 4]


def test_words_with_a_labels_vector_are_dropped() -> None:
    """A word in a label's place is that label; one elsewhere stays."""
    labels = normalise([[1, 0, 0], [0, 1, 0]])
    words = normalise([[1, 0.01, 0], [0, 0, 1]])
    assert other_concepts(labels, words).tolist() == [1]


def test_a_word_beside_a_label_is_that_label() -> None:
    """A centred cosine above 0.8 is one concept, one below is another."""
    labels = normalise([[1, 0, 0, 0], [-1, 0, 0, 0]])
    words = normalise([[1, 0.5, 0, 0], [1, -0.5, 0, 0], [-1, 1, 0, 0], [-1, -1, 0, 0]])
    assert other_concepts(labels, words).tolist() == [2, 3]


def test_two_labels_of_five_with_a_nearer_word_are_enough() -> None:
    """A share of 0.4; one of five is too few."""
    axes = np.eye(10)
    labels = normalise(axes[0] + 0.5 * axes[1:6])
    beside = normalise(labels[:2] + 0.2 * axes[6:8])
    elsewhere = normalise(0.5 * axes[8:] - axes[0])
    assert shares_world(labels, np.concatenate([beside, elsewhere]))
    assert not shares_world(labels, np.concatenate([beside[:1], elsewhere]))


def test_no_words_are_no_background() -> None:
    """An empty list drops nothing and shares no world."""
    labels, none = normalise(np.eye(2)), np.empty((0, 2), dtype=np.float32)
    assert other_concepts(labels, none).tolist() == []
    assert not shares_world(labels, none)


def test_words_beside_the_labels_share_their_world() -> None:
    """Each label has a word that is nearer than the other label."""
    labels = normalise([[1, 0, 0, 0], [0, 1, 0, 0]])
    words = normalise([[1, 0, 0.5, 0], [0, 1, 0, 0.5]])
    assert shares_world(labels, words)


def test_words_far_from_the_labels_do_not() -> None:
    """Two labels side by side, and words elsewhere."""
    labels = normalise([[1, 0.1, 0], [1, -0.1, 0]])
    words = normalise([[0, 0, 1], [0, 0.5, 1]])
    assert not shares_world(labels, words)


def test_the_background_score_by_hand() -> None:
    """Two words of score 0 make log 2; one label of score 0 makes 0."""
    found = background_score(np.zeros((1, 1)), np.zeros((1, 2)), 1.0)
    assert found.tolist() == pytest.approx([np.log(2)])


def test_the_background_score_is_in_the_unit_of_the_scores() -> None:
    """At a low temperature: the best word less the best label."""
    found = background_score(np.array([[3.0, 1.0]]), np.array([[5.0, 4.0]]), 0.01)
    assert found.tolist() == pytest.approx([2.0])


def test_the_expected_similarity_by_hand() -> None:
    """Even odds of 0.2 and 0.4: 0.3."""
    found = expected_similarity_score(np.array([[0.2, 0.4]]), np.array([[0.5, 0.5]]))
    assert found.tolist() == pytest.approx([-0.3])


@given(st.integers(0, 99), st.floats(0.05, 5), st.floats(-3, 3))
def test_what_shifts_all_scores_shifts_no_unknown_score(
    seed: int, temperature: float, shift: float
) -> None:
    """Only differences between words and labels count."""
    generator = np.random.default_rng(seed)
    labels, words = generator.normal(size=(4, 3)), generator.normal(size=(4, 5))
    found = background_score(labels, words, temperature)
    assert background_score(labels + shift, words + shift, temperature) == pytest.approx(found)


def test_words_that_known_items_awaken_count_less() -> None:
    """Ten items of the label, near the first word; ten that no label fits, at the second."""
    labels = np.repeat([[4.0], [0.0]], 10, axis=0)
    words = np.repeat([[3.0, 0.0], [0.0, 4.0]], 10, axis=0)
    weights = word_weights(labels, words, 1.0)
    shares = np.exp([4.0, 3.0, 0.0]) / np.exp([4.0, 3.0, 0.0]).sum()
    assert weights.tolist() == pytest.approx((-np.log1p(shares[1:] / 2 / 1e-4)).tolist())
    assert weights[0] < weights[1] < 0


def test_words_that_nothing_awakens_count_in_full() -> None:
    """No item is surely of the labels: the weights are 1."""
    assert word_weights(np.zeros((3, 1)), np.ones((3, 2)), 1.0).tolist() == [0, 0]
