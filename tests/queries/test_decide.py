"""Ranking by a head: exact, ties by position, alike in bulk and from candidates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.core.records import FloatArray, Label
from indexer.core.vectors import normalise
from indexer.labels.adaptation import fit
from indexer.labels.head import Head, adapted, plain
from indexer.labels.sets import LabelSet
from queries.scoring.ranking import rank, rank_candidates

KINDS = ("plain", "adapted")


def unit(count: int, seed: int) -> FloatArray:
    """float32 (count, 10), rows of length 1."""
    return normalise(np.random.default_rng(seed).normal(size=(count, 10)) + 0.3)


def head_of(vectors: FloatArray, kind: str = "plain") -> Head:
    """A head of these labels, plain or adapted to some items."""
    labels = LabelSet(
        labels=tuple(Label(label_id=f"l{n}", name="", path=("",)) for n in range(len(vectors))),
        definitions=("",) * len(vectors),
        vectors=vectors,
    )
    if kind == "plain":
        return plain(labels, 20.0)
    items = unit(80, 7)
    return adapted(labels, fit(items, vectors))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 5))
def test_ranks_as_float64_does(kind: str, seed: int, count: int, limit: int) -> None:
    """Order, products, cosines and scores over all labels."""
    head, items = head_of(unit(count, seed), kind), unit(9, seed + 1)
    products = head.queries(items).astype(np.float64) @ head.matrix.T.astype(np.float64)
    found = rank(items, head, limit=limit)
    best = np.argsort(-products, axis=1, kind="stable")[:, :limit]
    np.testing.assert_array_equal(found.labels, best)
    np.testing.assert_allclose(found.products, np.take_along_axis(products, best, 1), atol=1e-12)
    cosines = items.astype(np.float64) @ head.labels.vectors.T.astype(np.float64)
    np.testing.assert_allclose(found.similarities, np.take_along_axis(cosines, best, 1), atol=1e-12)
    shares = np.exp(head.scale * (products - products.max(axis=1, keepdims=True)))
    shares /= shares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.scores, np.take_along_axis(shares, best, 1), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_candidates_give_what_the_bulk_gives(kind: str) -> None:
    """As long as the best are among them."""
    head, items = head_of(unit(30, 1), kind), unit(50, 2)
    bulk = rank(items, head, limit=3)
    candidates = np.argsort(-(head.queries(items) @ head.matrix.T), axis=1)[:, :11]
    found = rank_candidates(items, head, candidates, limit=3)
    np.testing.assert_array_equal(found.labels, bulk.labels)
    np.testing.assert_array_equal(found.products, bulk.products)
    np.testing.assert_allclose(found.scores, bulk.scores, atol=1e-6)


def test_equal_labels_come_in_order_of_position() -> None:
    """A tie is no chance."""
    head = head_of(unit(3, 0)[[2, 0, 0, 0, 1]])
    found = rank(unit(3, 0)[:1], head, limit=3)
    assert found.labels.tolist() == [[1, 2, 3]]


def test_margins_are_differences_of_products() -> None:
    """Of the best and the next; with one label there is none."""
    head = head_of(unit(4, 0), "adapted")
    found = rank(unit(6, 1), head, limit=2)
    np.testing.assert_allclose(found.margins, found.products[:, 0] - found.products[:, 1])
    assert (found.margins >= 0).all()
    assert np.isnan(rank(unit(6, 1), head_of(unit(1, 0)), limit=2).margins).all()


def test_no_items_give_no_rows() -> None:
    """With as many columns as were asked for."""
    found = rank(unit(0, 0), head_of(unit(4, 0)), limit=3)
    assert found.labels.shape == found.products.shape == found.scores.shape == (0, 3)
