"""Scoring in tiles: repeatable products, whole sums, exact shortlists."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_sets import labels_of

from indexer.labels.head import plain
from indexer.records import FloatArray
from indexer.threads import one_blas_thread
from indexer.vectors import normalise
from queries.scoring.scan import FEWEST_TILED, Scanner
from queries.scoring.shortlist import best, inner_products, shortlist
from queries.scoring.sums import add_up, level_of, log_sums
from queries.scoring.tiles import Tiles


def drawn(rows: int, width: int, seed: int) -> FloatArray:
    """float32 (rows, width), normal."""
    return np.random.default_rng(seed).standard_normal((rows, width), dtype=np.float32)


def products_of(matrix: FloatArray, queries: FloatArray, *, repeatable: bool) -> FloatArray:
    """float32 (n, m), by tiles, and their maxima checked."""
    tiles = Tiles(matrix, repeatable=repeatable)
    found = np.empty(tiles.block(len(queries)), dtype=np.float32)
    with one_blas_thread():
        maxima = tiles.products(queries, found)
    np.testing.assert_array_equal(maxima, found.max(axis=1))
    flat = found.reshape(len(queries), -1)
    assert np.isneginf(flat[:, len(matrix) :]).all()
    return flat[:, : len(matrix)]


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from([3, 17, 64, 513]), st.integers(1, 700), st.integers(1, 288), st.integers(0, 99)
)
def test_a_product_has_the_same_bits_among_any_others(
    width: int, labels: int, items: int, seed: int
) -> None:
    """Some labels and some items alone give what all of them gave."""
    matrix, queries = drawn(labels, width, seed), drawn(items, width, seed + 1)
    everything = products_of(matrix, queries, repeatable=True)
    np.testing.assert_allclose(everything, queries @ matrix.T, atol=1e-3)
    random = np.random.default_rng(seed)
    some = random.choice(labels, random.integers(1, labels + 1), replace=False)
    rows = random.choice(items, random.integers(1, items + 1), replace=False)
    alone = products_of(matrix[some], queries[rows], repeatable=True)
    np.testing.assert_array_equal(alone, everything[np.ix_(rows, some)])


def test_few_rows_are_one_product() -> None:
    """Without tiles the products are the same but for rounding."""
    matrix, queries = drawn(5, 8, 0), drawn(3, 8, 1)
    found = products_of(matrix, queries, repeatable=False)
    np.testing.assert_allclose(found, queries @ matrix.T, rtol=1e-5)


@given(st.integers(2, 3000), st.floats(0.1, 30), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_sums_can_be_taken_apart(labels: int, scale: float, seed: int) -> None:
    """What is added for some columns can be taken off again, to the last bit."""
    logits = np.float32(scale) * drawn(4, labels, seed)
    level = level_of(logits.max(axis=1))
    values = drawn(4, labels, seed + 1).clip(-1, 1)
    half = labels // 2
    for whole, first, second in zip(
        add_up(logits, level, values),
        add_up(logits[:, :half], level, values[:, :half]),
        add_up(logits[:, half:], level, values[:, half:]),
        strict=True,
    ):
        np.testing.assert_array_equal(whole - first, second)
        np.testing.assert_array_equal(whole, np.rint(whole))


@given(st.integers(1, 3000), st.floats(0.1, 100), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_sums_are_those_of_double_precision(labels: int, scale: float, seed: int) -> None:
    """The logarithm within 1e-5, and so is the expected value."""
    logits = np.float32(scale) * drawn(3, labels, seed)
    level = level_of(logits.max(axis=1))
    values = drawn(3, labels, seed + 1).clip(-1, 1)
    powers, weighted = add_up(logits, level, values)
    exact = logits.astype(np.float64)
    shares = np.exp(exact - exact.max(axis=1, keepdims=True))
    expected = np.log(shares.sum(axis=1)) + exact.max(axis=1)
    np.testing.assert_allclose(log_sums(level, powers), expected, atol=1e-5)
    mean = (shares * values).sum(axis=1) / shares.sum(axis=1)
    np.testing.assert_allclose(weighted / powers, mean, atol=1e-5)


@pytest.mark.parametrize("labels", [60, 1_200])
def test_blocks_find_what_each_vector_alone_finds(labels: int) -> None:
    """Blocks of few labels have other sizes than those of many; the last one is not full."""
    vectors, items = normalise(drawn(labels, 24, 1)), normalise(drawn(5_000, 24, 2))
    head = plain(labels_of(vectors), 100.0)
    repeatable = labels >= FEWEST_TILED
    scanner = Scanner(head, limit=3, expects=True, repeatable=repeatable)
    found = scanner.scan(items)
    for row in (0, 287, 288, 2_047, 2_048, 4_999):
        alone = scanner.scan(items[row : row + 1])
        np.testing.assert_array_equal(found.labels[row], alone.labels[0])
        np.testing.assert_array_equal(found.products[row], alone.products[0])
        np.testing.assert_allclose(found.log_sums[row], alone.log_sums[0], atol=1e-5)


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    "counts", [[3] * 9, [0, 2, 2, 7], [1500], [700, 2], [600, 600], [], [0, 0]], ids=str
)
def test_a_product_has_the_bits_of_its_pair_alone(counts: list[int], exact: bool) -> None:
    """Whatever pairs stand beside it, and however the queries lie in memory."""
    matrix, queries = drawn(40, 61, 1), np.asfortranarray(drawn(len(counts), 61, 2))
    rows = np.repeat(np.arange(len(counts)), counts)
    columns = np.random.default_rng(3).integers(0, len(matrix), len(rows))
    found = inner_products(queries, matrix.astype(np.float64) if exact else matrix, rows, columns)
    alone = [
        np.vecdot(queries[row].astype(np.float64), matrix[column].astype(np.float64))
        for row, column in zip(rows, columns, strict=True)
    ]
    np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize("tiled", [False, True])
@given(st.integers(1, 1500), st.integers(1, 12), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_best_are_those_of_double_precision(
    tiled: bool, labels: int, limit: int, seed: int
) -> None:
    """Near ties in single precision included: every label stands there twice, almost."""
    limit = min(limit, labels)
    matrix, queries = drawn(labels, 24, seed), drawn(30, 24, seed + 1)
    matrix[1::2] = matrix[: len(matrix[1::2]) * 2 : 2] * np.float32(1 + 1e-7)
    tiles = Tiles(matrix, repeatable=tiled)
    scores = np.empty(tiles.block(30), dtype=np.float32)
    maxima = tiles.products(queries, scores)
    rows, columns = shortlist(scores, maxima, limit, 1e-3)
    exact = inner_products(queries, matrix, rows, columns)
    found, products = best(rows, columns, exact, 30, limit)
    everything = queries.astype(np.float64) @ matrix.astype(np.float64).T
    wanted = np.argsort(-everything, axis=1, kind="stable")[:, :limit]
    np.testing.assert_allclose(
        products, np.take_along_axis(everything, wanted, axis=1), rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(
        np.take_along_axis(everything, found, axis=1), products, rtol=0, atol=1e-12
    )
