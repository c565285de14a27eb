"""Labels adapted to a catalog: small cases by hand, invariances, and real vectors."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.labels.adaptation import (
    MIN_ITEMS,
    SEVERAL_LABELS,
    Adaptation,
    fit,
    shrinkage,
)
from indexer.labels.soft_assignments import Products

pytestmark = pytest.mark.usefixtures("two_threads")


def scores(adaptation: Adaptation, vectors: FloatArray) -> npt.NDArray[np.float64]:
    """float64 (n, m): what decides, as the formula has it."""
    queries = adaptation.queries(vectors).astype(np.float64)
    return queries @ adaptation.vectors.T.astype(np.float64) + adaptation.biases


def shop(
    classes: int = 8, items: int = 200, *, gap: float = 1.0, seed: int = 0, width: int = 24
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.int64]]:
    """Pictures and labels on two sides of a gap: items, labels, truth."""
    random = np.random.default_rng(seed)
    concepts = random.normal(size=(classes, width))
    away = gap * np.sqrt(width) * normalise(random.normal(size=width))
    truth = random.integers(classes, size=items)
    pictures = concepts[truth] + away + random.normal(size=(items, width))
    return normalise(pictures), normalise(concepts - 0.3 * away), truth


def test_a_case_worked_by_hand() -> None:
    """Two labels, e1 and e2, five pictures at (.8, 0, .6) and five at (0, .8, -.6).

    Centred labels are u and -u with u = (1, -1, 0) / sqrt 2. Two classes are never
    centred by direction (trust 0). By symmetry the offset is the pictures' mean,
    (.4, .4, 0), and no label has a bias. Queries are q and -q with
    q = (.4, -.4, .6) / sqrt .68, so u.q = .6860, which is the spread. Each label's
    pictures point along q: far = 1 - .6860 = .3140, step = .3 * .3140 * 5 / (5 + 5) =
    .0471, and (1 - .0471) u + .0471 q at length 1 is (.7067, -.7067, .0348). Frequencies
    are alike: both biases are .3140 * .5 * .6860 * ln(6 / 12) = -.0747.
    """
    items = np.array([[0.8, 0, 0.6], [0, 0.8, -0.6]] * 5, dtype=np.float32)
    found = fit(items, np.eye(2, 3, dtype=np.float32))
    assert (found.trust, found.gate, found.items) == (0.0, pytest.approx(1.0), 10)
    assert found.effective_labels == pytest.approx(2, abs=1e-4)
    assert found.radius == pytest.approx(np.sqrt(0.68), abs=1e-6)
    np.testing.assert_allclose(found.offset, [0.4, 0.4, 0], atol=1e-6)
    moved = np.array([0.70668, -0.70668, 0.03476])
    np.testing.assert_allclose(found.vectors, [moved, -moved], atol=2e-5)
    np.testing.assert_allclose(found.biases, [-0.07465, -0.07465], atol=2e-5)
    along = moved @ np.array([0.4, -0.4, 0.6]) / np.sqrt(0.68)
    assert found.spread == pytest.approx(along, abs=1e-5)


@pytest.mark.parametrize(
    ("spread", "effective", "variance", "expected"),
    [
        (2.0, 6.0, 4.0, 0.75),  # 1 - 4 / (4 * 4)
        (1.0, 4.0, 0.25, 0.0),  # 1 - 1 / (2 * .25) is below 0
        (1.0, 2.0, 100.0, 0.0),
        (1.0, 1.0, 100.0, 0.0),
    ],
)
def test_trust_worked_by_hand(
    spread: float, effective: float, variance: float, expected: float
) -> None:
    """The positive-part James-Stein factor; never with two effective classes or fewer."""
    assert shrinkage(spread, effective, variance) == pytest.approx(expected)


def test_finds_what_the_gap_hides() -> None:
    """Where plain cosine follows the gap, adapted labels are right far more often."""
    items, labels, truth = shop(classes=60, items=600, gap=1.2)
    plain = float(((items @ labels.T).argmax(axis=1) == truth).mean())
    found = fit(items, labels)
    adapted = float((scores(found, items).argmax(axis=1) == truth).mean())
    assert found.trust > 0.5
    assert adapted > plain + 0.1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12), st.floats(0, 3))
def test_the_order_of_items_does_not_matter(seed: int, classes: int, gap: float) -> None:
    """Sums are sums."""
    items, labels, _ = shop(classes, 60, gap=gap, seed=seed)
    one = fit(items, labels)
    order = np.random.default_rng(seed).permutation(len(items))
    other = fit(items[order], labels)
    assert other.trust == pytest.approx(one.trust, abs=1e-3)
    difference = scores(one, items) / one.spread - scores(other, items) / other.spread
    np.testing.assert_allclose(difference - difference.mean(axis=1, keepdims=True), 0, atol=5e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 12))
def test_without_trust_plain_order_is_kept(seed: int, classes: int) -> None:
    """Trust 0 and labels that stay: every item's labels come in the order of their cosines."""
    items, labels, truth = shop(classes, 80, gap=4.0, seed=seed)
    one_class = items[truth == truth[0]]
    assume(len(one_class) >= MIN_ITEMS)
    found = fit(one_class, labels)
    # Of 1,576 such catalogs 12 of some ten items lay by as many as seven labels: trusted rightly.
    assume(found.trust == 0.0)
    if found.gate > 0:
        return
    exact = items.astype(np.float64) @ labels.T.astype(np.float64)
    centred = exact - exact.mean(axis=1, keepdims=True)
    ours = scores(found, items)
    ours -= ours.mean(axis=1, keepdims=True)
    factor = float((ours * centred).sum() / (centred**2).sum())
    assert factor > 0
    np.testing.assert_allclose(ours / factor, centred, atol=1e-5)


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_an_offset_of_one_class_is_not_trusted(seed: int) -> None:
    """A catalog of one class has a mean that is the class: it is not taken off."""
    items, labels, truth = shop(6, 120, seed=seed)
    clear = items[truth == 0]
    if ((clear @ labels.T).argmax(axis=1) == 0).mean() > 0.9 and len(clear):
        assert fit(clear, labels).trust == 0.0


def test_a_large_block_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads assign some items each; nothing changes."""
    items, labels, _ = shop()
    whole = fit(items, labels)
    monkeypatch.setattr("indexer.labels.soft_assignments._PIECE_BYTES", 4 * len(labels) * 3)
    np.testing.assert_allclose(fit(items, labels).vectors, whole.vectors, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, MIN_ITEMS])
def test_equal_items_and_equal_labels_do_no_harm(count: int) -> None:
    """No division by zero, nothing but finite numbers."""
    items, labels, _ = shop()
    for some, those in (
        (items[[0] * count], labels),
        (items[:count], labels[[0, 0]]),
        (items[:count], labels[:1]),
    ):
        found = fit(some, those)
        assert np.isfinite(scores(found, items)).all()
        assert found.spread > 0


def test_nothing_to_adapt_is_refused() -> None:
    """Neither without items nor without labels."""
    items, labels, _ = shop()
    with pytest.raises(ValueError, match="no item"):
        fit(items[:0], labels)
    with pytest.raises(ValueError, match="no label"):
        fit(items, labels[:0])


def test_versions_tell_adaptations_apart() -> None:
    """Equal ones have one version; another catalog gives another."""
    items, labels, _ = shop()
    one, same = fit(items, labels), fit(items, labels)
    assert one.version == same.version != fit(items[1:], labels).version


class Fashion(NamedTuple):
    """Real CLIP vectors: items, all labels, the rows of those that occur, truth (-1 for none)."""

    items: FloatArray
    labels: FloatArray
    occurring: list[int]
    truth: npt.NDArray[np.int64]

    def top1(self, rows: npt.NDArray[np.int64], chosen: list[int]) -> tuple[float, float]:
        """Plain and adapted top-1 of a catalog of these items over these labels."""
        labels = self.labels[chosen]
        truth = np.array([chosen.index(one) if one in chosen else -1 for one in self.truth[rows]])
        items = self.items[rows]
        adapted = scores(fit(items, labels), items).argmax(axis=1)
        known = truth >= 0
        plain = (items @ labels.T).argmax(axis=1)
        return (
            float((plain == truth)[known].mean()),
            float((adapted == truth)[known].mean()),
        )


@pytest.fixture(scope="module")
def fashion(shared_data: Path) -> Fashion:
    """1,000 product photos and LVIS' labels."""
    with (shared_data / "lvis" / "labels.csv").open(encoding="utf-8") as stream:
        ids = [row["id"] for row in csv.DictReader(stream)]
    with (shared_data / "fashion" / "products.csv").open(encoding="utf-8") as stream:
        truth = [row["truth"] for row in csv.DictReader(stream)]
    subset = set((shared_data / "lvis" / "fashion_subset.txt").read_text().split())
    return Fashion(
        np.load(shared_data / "fashion" / "clip_vit_b32.npy"),
        np.load(shared_data / "lvis" / "clip_vit_b32.npy"),
        [row for row, label in enumerate(ids) if label in subset],
        np.array([ids.index(one) if one else -1 for one in truth]),
    )


def test_real_products(fashion: Fashion) -> None:
    """Top-1 of 743 products, plain and adapted: over 1,203 labels, and over 32."""
    everything = np.arange(1000)
    plain, adapted = fashion.top1(everything, list(range(1203)))
    assert (round(plain, 4), adapted > 0.775) == (0.2275, True)
    plain, adapted = fashion.top1(everything, fashion.occurring)
    assert (round(plain, 4), adapted > 0.9) == (0.7201, True)


@pytest.mark.parametrize(
    "kind", ["eight", "sixteen", "one class", "two classes", "three", "nine in ten"]
)
def test_skewed_and_small_catalogs_do_not_lose(fashion: Fashion, kind: str) -> None:
    """Mean top-1 over eight draws is not a point below plain cosine, however skewed."""
    random = np.random.default_rng(5)
    known = np.flatnonzero(fashion.truth >= 0)
    counts = np.bincount(fashion.truth[known])
    large = np.flatnonzero(counts >= 20)
    gains = []
    for _ in range(8):
        if kind in ("eight", "sixteen"):
            count = {"eight": MIN_ITEMS, "sixteen": 16}[kind]
            rows = random.choice(known, count, replace=False)
        elif kind == "nine in ten":
            main = known[fashion.truth[known] == random.choice(large)]
            rest = random.choice(known, max(1, len(main) // 9), replace=False)
            rows = np.concatenate([main, rest])
        else:
            number = {"one class": 1, "two classes": 2, "three": 3}[kind]
            present = random.choice(large, number, replace=False)
            rows = known[np.isin(fashion.truth[known], present)]
        plain, adapted = fashion.top1(rows, fashion.occurring)
        gains.append(adapted - plain)
    assert np.mean(gains) > -0.01


def test_small_catalogs_gain_as_much_as_by_centring(fashion: Fashion) -> None:
    """32 items of many classes: mean top-1 over 20 draws is a tenth above plain cosine."""
    random, known = np.random.default_rng(5), np.flatnonzero(fashion.truth >= 0)
    draws = [random.choice(known, 32, replace=False) for _ in range(20)]
    plain, adapted = np.mean([fashion.top1(rows, fashion.occurring) for rows in draws], axis=0)
    assert adapted > plain + 0.1


def test_centred_scores_count_no_labels_where_cosine_sees_few() -> None:
    """One class, whose centred scores point at every label: the count by plain cosine stays."""
    items, labels, truth = shop(12, 400, gap=3.0)
    one_class = items[truth == truth[0]]
    assert fit(one_class, labels).effective_labels < SEVERAL_LABELS
    assert fit(items, labels).effective_labels > SEVERAL_LABELS


@pytest.mark.parametrize(("sure", "expected"), [(20.0, np.log(2)), (0.0, 0.0)])
def test_information_worked_by_hand(sure: float, expected: float) -> None:
    """Two items, each surely of another label, say which label by one bit; equal scores nothing."""
    products = Products(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32))
    found = products.information(np.full(2, sure), np.zeros(2), 1.0)
    assert found == pytest.approx(expected, abs=1e-6)
