"""The benchmarks run on any labelled set, and measure what they say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import quality
from benchmarks.sets import LabelledSet, label_set
from indexer.vectors import normalise


@pytest.fixture(scope="module")
def drawn() -> LabelledSet:
    """300 items of 10 classes around their labels, some without a truth."""
    random = np.random.default_rng(0)
    labels = random.normal(size=(10, 16))
    truth = random.integers(10, size=300)
    items = normalise(labels[truth] + 0.8 * random.normal(size=(300, 16)))
    truth[:20] = -1
    return LabelledSet(
        name="drawn",
        items=items,
        labels=label_set([f"l{n}" for n in range(10)], normalise(labels)),
        truth=truth,
        logit_scale=20.0,
        model="none",
    )


def test_figures_are_those_of_the_items_with_a_truth(drawn: LabelledSet) -> None:
    """Plain top-1 is numpy's; the surest are not worse than all."""
    row = quality.measure(drawn)
    known = drawn.truth >= 0
    best = (drawn.items @ drawn.labels.vectors.T).argmax(axis=1)
    assert row["items"] == 280
    assert row["plain"] == pytest.approx((best == drawn.truth)[known].mean())
    for name in ("plain", "centred", "adapted"):
        assert row[f"{name}_surest"] >= row[name] > 0.5
    assert quality.halves(drawn)["items"] < 200


def test_the_stress_draws_what_it_says(drawn: LabelledSet) -> None:
    """Numbers of items and of classes."""
    random = np.random.default_rng(1)
    sizes = {name: draw(drawn, random) for name, draw in quality.STRESS.items()}
    assert len(sizes["16 items"]) == 16
    assert len(np.unique(drawn.truth[sizes["3 classes"]])) == 3
    main = np.bincount(drawn.truth[sizes["90% one class"]]).max()
    assert main / len(sizes["90% one class"]) == pytest.approx(0.9, abs=0.02)
    assert len(np.unique(drawn.truth[sizes["power law"]])) == 10
    rows = list(quality.stress(drawn, 2))
    assert [row["draw"] for row in rows] == list(quality.STRESS)


def test_everything_is_shown(drawn: LabelledSet, capsys: pytest.CaptureFixture[str]) -> None:
    """Every set, and how each setting was chosen."""
    quality.show([quality.measure(drawn)], list(quality.stress(drawn, 1)))
    shown = capsys.readouterr().out
    assert "drawn" in shown
    for name in quality.CHOICES:
        assert name in shown
