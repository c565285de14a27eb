"""The benchmark of titles measures both ends and what lies between."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality.sets import label_set
from benchmarks.quality.titles import WEIGHTS, chosen, measure
from indexer.core.vectors import normalise


def test_the_ends_are_pictures_and_titles_alone() -> None:
    """Pictures of noise are right by chance, titles that name the label always."""
    random = np.random.default_rng(2)
    labels = label_set("abcd", normalise(random.normal(size=(4, 32))))
    truth = random.integers(4, size=200)
    truth[:5] = -1
    pictures = normalise(random.normal(size=(200, 32)))
    found = measure(pictures, labels.vectors[truth], labels, truth, 10.0)
    chance = ((pictures @ labels.vectors.T).argmax(axis=1) == truth)[5:].mean()
    assert found["plain"][0] == pytest.approx(chance)
    assert found["plain"][-1] == 1.0
    assert len(found["adapted"]) == len(WEIGHTS)


def test_the_weight_is_that_of_the_best_mean() -> None:
    """By hand: a curve that is best at 0.2 by little, and one that is best at 0.7 by much."""
    flat, steep = [0.5] * len(WEIGHTS), [0.1] * len(WEIGHTS)
    flat[2], steep[7] = 0.6, 0.9
    assert chosen([{"plain": flat}]) == 0.2
    assert chosen([{"plain": flat, "adapted": flat}, {"plain": steep}]) == 0.7
