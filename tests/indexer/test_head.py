"""The head: one inner product for plain and for adapted labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.core.records import FloatArray, Label
from indexer.core.vectors import normalise
from indexer.labels.adaptation import TEMPERATURE, fit
from indexer.labels.head import adapted, plain, stored_rows, stored_version
from indexer.labels.sets import LabelSet


def unit(count: int, seed: int = 0, width: int = 12) -> FloatArray:
    """float32 (count, width), rows of length 1."""
    return normalise(np.random.default_rng(seed).normal(size=(count, width)) + 0.4)


def label_set(vectors: FloatArray, parents: tuple[str, ...] = ()) -> LabelSet:
    """Labels ``l0``, ``l1``, ...; the first ones may have parents."""
    known = [*parents, *[""] * (len(vectors) - len(parents))]
    return LabelSet(
        labels=tuple(
            Label(label_id=f"l{row}", name=f"l{row}", path=(f"l{row}",), parent_id=parent)
            for row, parent in enumerate(known)
        ),
        definitions=tuple(f"h{row}" for row in range(len(vectors))),
        vectors=vectors,
    )


def test_the_plain_head_is_the_cosine() -> None:
    """No bias, the vectors as they are, the model's scale."""
    labels, items = label_set(unit(5)), unit(20, seed=1)
    head = plain(labels, 100.0)
    assert (len(head), head.scale, head.is_adapted) == (5, 100.0, False)
    assert head.version == labels.version
    np.testing.assert_array_equal(head.queries(items)[:, :-1], items)
    np.testing.assert_allclose(
        head.queries(items) @ head.matrix.T, items @ labels.vectors.T, atol=1e-6
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 9))
def test_folding_changes_no_score(seed: int, count: int) -> None:
    """One inner product with a bias gives what transform, product and addition give."""
    labels, items = label_set(unit(count, seed)), unit(40, seed + 1)
    found = fit(items, labels.vectors)
    head = adapted(labels, found)
    by_formula = found.queries(items) @ found.vectors.T + found.biases
    folded = head.queries(items) @ head.matrix.T
    np.testing.assert_allclose(folded, by_formula, atol=1e-5)
    assert head.scale == pytest.approx(1 / (TEMPERATURE * found.spread))
    clear = np.sort(by_formula, axis=1)
    sure = clear[:, -1] - clear[:, -2] > 1e-4
    assert (folded.argmax(axis=1) == by_formula.argmax(axis=1))[sure].all()


def test_an_item_is_decided_alike_alone_and_among_others() -> None:
    """The query does not depend on the batch, bit for bit."""
    labels, items = label_set(unit(4)), unit(50, seed=1)
    head = adapted(labels, fit(items, labels.vectors))
    together = head.queries(items)
    for row in range(len(items)):
        np.testing.assert_array_equal(head.queries(items[row : row + 1])[0], together[row])


def test_versions_cover_labels_and_adaptation() -> None:
    """Another adaptation of the same labels is another head."""
    labels, items = label_set(unit(4)), unit(50, seed=1)
    one, other = (fit(items[:rows], labels.vectors) for rows in (50, 40))
    versions = {
        plain(labels, 1.0).version,
        adapted(labels, one).version,
        adapted(labels, other).version,
        stored_version(label_set(unit(4, seed=3)), one),
    }
    assert len(versions) == 4
    assert stored_version(labels, one) == adapted(labels, one).version
    assert stored_version(labels, None) == labels.version


def test_inner_labels_are_stored_plain() -> None:
    """Only leaves are adapted; a parent keeps its own vector and no bias."""
    labels = label_set(unit(5), parents=("l4", "l4"))
    assert [one.label_id for one in labels.leaves.labels] == ["l0", "l1", "l2", "l3"]
    items = unit(50, seed=1)
    found = fit(items, labels.leaves.vectors)
    rows = stored_rows(labels, found)
    np.testing.assert_array_equal(rows[4], np.append(labels.vectors[4], np.float32(0)))
    np.testing.assert_array_equal(rows[:4], adapted(labels.leaves, found).matrix)
    np.testing.assert_array_equal(stored_rows(labels, None)[:, :-1], labels.vectors)
