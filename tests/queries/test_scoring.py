"""Scoring: products, sums over tiles of labels, the best labels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_sets import labels_of

from indexer.core.records import FloatArray
from indexer.core.threads import one_blas_thread
from indexer.core.vectors import normalise
from indexer.labels.head import plain
from queries.scoring import compiled_loops, numpy_loops
from queries.scoring.loops import Softmax, add_groups, inner_products
from queries.scoring.products import Products, Scratch
from queries.scoring.scan import Scanner


def drawn(rows: int, width: int, seed: int) -> FloatArray:
    """float32 (rows, width), normal."""
    return np.random.default_rng(seed).standard_normal((rows, width), dtype=np.float32)


def multiplied(products: Products, queries: FloatArray) -> FloatArray:
    """float32 (n, m), a copy."""
    with one_blas_thread():
        return products.of(queries).copy()


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from([3, 17, 64, 513]), st.integers(1, 700), st.integers(1, 288), st.integers(0, 99)
)
def test_products_are_those_of_all_pairs(width: int, labels: int, items: int, seed: int) -> None:
    """For one row or many."""
    matrix, queries = drawn(labels, width, seed), drawn(items, width, seed + 1)
    products = Products(matrix, Scratch())
    for block in (queries, queries[:1]):
        np.testing.assert_allclose(multiplied(products, block), block @ matrix.T, atol=1e-3)


def add_up_elsewhere(before: str = "", **environment: str) -> tuple[str, str]:
    """What a new process adds up, and what it complains about."""
    code = (
        "import numpy as np\n"
        "from queries.scoring.loops import FEWEST_ITEMS, Softmax\n"
        f"{before}\n"
        "softmax = Softmax(FEWEST_ITEMS, 1)\n"
        "softmax.add(np.zeros((FEWEST_ITEMS, 3), dtype=np.float32))\n"
        "print(softmax.powers[:1])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment
    )
    return done.stdout.strip(), done.stderr


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 6), st.integers(1, 300), st.integers(1, 7), st.integers(0, 99))
def test_numpy_reduces_as_the_compiled_loops_do(
    items: int, labels: int, limit: int, seed: int
) -> None:
    """The same candidates, and the same sums but for rounding, tile after tile."""
    limit = min(limit, labels)
    tiles = [10 * drawn(items, labels, seed), 10 * drawn(items, labels, seed + 1)]
    groups = np.random.default_rng(seed).integers(4, size=labels)
    results = []
    for loops in (numpy_loops, compiled_loops):
        maxima = np.empty((items, min(labels, 64)), dtype=np.float32)
        reached = np.full((items, limit), -1e30, dtype=np.float32)
        level = np.full(items, -1e30, dtype=np.float32)
        powers, weighted, sums = np.zeros(items), np.zeros(items), np.zeros((items, 4))
        candidates = set()
        for number, logits in enumerate(tiles):
            previous = level.copy()
            loops.add(logits, maxima, reached, level, powers, weighted)
            loops.add_groups(logits, previous, level, groups, sums)
            pairs = np.empty((2, items * labels), dtype=np.int64)
            found = np.empty(items * labels, dtype=np.float32)
            arguments = (logits, maxima, reached[:, 0].copy(), number * labels)
            count = loops.collect(*arguments, pairs, found, 0)
            assert loops.collect(*arguments, pairs[:, :1].copy(), found[:1].copy(), 0) == count
            candidates |= set(zip(*pairs[:, :count].tolist(), found[:count].tolist(), strict=True))
        rows, columns = np.divmod(np.arange(items * labels), labels)
        products = np.empty(items * labels)
        queries, matrix = drawn(items, 33, seed), drawn(labels, 33, seed + 2)
        loops.multiply(queries, matrix, rows, columns, products)
        results.append((reached, level, powers, weighted, sums, products, candidates))
    (*numpys, products, found_by_numpy), (*compiled, same_products, found_by_compiled) = results
    np.testing.assert_array_equal(products, same_products)
    assert found_by_numpy == found_by_compiled
    for ours, theirs in zip(numpys, compiled, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_loops_are_compiled_where_nothing_can_be_kept() -> None:
    """As in a container whose files are all read-only: numba finds no folder then."""
    # The only place that is looked at: inside a zip file.
    assert add_up_elsewhere(NUMBA_CACHE_LOCATOR_CLASSES="ZipCacheLocator") == ("[3.]", "")


def test_loops_are_compiled_where_there_is_no_room(tmp_path: Path) -> None:
    """A full disk is found out when numba writes."""
    full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    assert add_up_elsewhere(full, NUMBA_CACHE_DIR=str(tmp_path)) == ("[3.]", "")
    assert not list(tmp_path.rglob("*.nbc"))


def test_a_damaged_loop_is_compiled_again(tmp_path: Path) -> None:
    """Files without content are what a power cut leaves."""
    assert add_up_elsewhere(NUMBA_CACHE_DIR=str(tmp_path)) == ("[3.]", "")
    kept = list(tmp_path.rglob("*.nb?"))
    assert kept
    for file in kept:
        file.write_bytes(b"")
    assert add_up_elsewhere(NUMBA_CACHE_DIR=str(tmp_path)) == ("[3.]", "")


def in_tiles(logits: FloatArray, width: int, limit: int = 1) -> Softmax:
    """The softmax of logits that come so many labels at a time."""
    softmax = Softmax(len(logits), limit)
    for first in range(0, logits.shape[1], width):
        softmax.add(np.ascontiguousarray(logits[:, first : first + width]))
    return softmax


@given(st.integers(1, 3000), st.integers(1, 1500), st.floats(0.1, 100), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_sums_are_those_of_double_precision(
    labels: int, width: int, scale: float, seed: int
) -> None:
    """The logarithm of the denominator, and the expected logit, however the labels are cut."""
    logits = np.float32(scale) * drawn(3, labels, seed)
    softmax = in_tiles(logits, width)
    exact = logits.astype(np.float64)
    shares = np.exp(exact - exact.max(axis=1, keepdims=True))
    wanted = np.log(shares.sum(axis=1)) + exact.max(axis=1)
    np.testing.assert_allclose(softmax.log_sums, wanted, atol=2e-6)
    mean = (shares * exact).sum(axis=1) / shares.sum(axis=1)
    np.testing.assert_allclose(softmax.expected / scale, mean / scale, atol=5e-6)


def test_powers_are_those_of_double_precision() -> None:
    """Of one label below the highest, from what counts as nothing up to the highest."""
    exponents = np.linspace(-200, 0, 200_001, dtype=np.float32)
    softmax = in_tiles(np.column_stack([np.zeros_like(exponents), exponents]), 1)
    wanted = np.exp(np.maximum(exponents, -80).astype(np.float64))
    np.testing.assert_allclose(softmax.powers - 1, wanted, rtol=2e-7, atol=3e-16)


@given(st.integers(1, 700), st.integers(1, 300), st.integers(1, 20), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_groups_have_their_labels_probabilities(
    labels: int, width: int, count: int, seed: int
) -> None:
    """Their sums add up to 1, however the labels are cut."""
    logits = 3 * drawn(4, labels, seed)
    groups = np.random.default_rng(seed).integers(count, size=labels)
    softmax, sums = Softmax(4, 1), np.zeros((4, count))
    for first in range(0, labels, width):
        tile = np.ascontiguousarray(logits[:, first : first + width])
        before = softmax.level.copy()
        softmax.add(tile)
        add_groups(tile, before, softmax.level, groups[first : first + width], sums)
    shares = np.exp(logits.astype(np.float64) - softmax.log_sums[:, np.newaxis])
    wanted = np.stack([shares[:, groups == one].sum(axis=1) for one in range(count)], axis=1)
    np.testing.assert_allclose(sums / softmax.powers[:, np.newaxis], wanted, atol=1e-6)


@pytest.mark.parametrize("labels", [60, 1_200])
def test_blocks_find_what_each_vector_alone_finds(labels: int) -> None:
    """Blocks of few labels have other sizes than those of many; the last one is not full."""
    vectors, items = normalise(drawn(labels, 24, 1)), normalise(drawn(5_000, 24, 2))
    head = plain(labels_of(vectors), 100.0)
    scanner = Scanner(head, limit=3)
    found = scanner.scan(items)
    for row in (0, 287, 288, 2_047, 2_048, 4_999):
        alone = scanner.scan(items[row : row + 1])
        np.testing.assert_array_equal(found.labels[row], alone.labels[0])
        np.testing.assert_array_equal(found.products[row], alone.products[0])
        np.testing.assert_allclose(found.log_sums[row], alone.log_sums[0], atol=1e-5)


@pytest.mark.parametrize("width", [1, 7, 61, 513])
@pytest.mark.parametrize("counts", [[3] * 9, [0, 2, 2, 7], [1500], [], [0, 0]], ids=str)
def test_a_product_has_the_bits_of_its_pair_alone(counts: list[int], width: int) -> None:
    """Whatever pairs stand beside it, and however the queries lie in memory."""
    matrix, queries = drawn(40, width, 1), np.asfortranarray(drawn(len(counts), width, 2))
    rows = np.repeat(np.arange(len(counts)), counts)
    columns = np.random.default_rng(3).integers(0, len(matrix), len(rows))
    found = inner_products(queries, matrix, rows, columns)
    none = np.zeros(1, dtype=np.int64)
    alone = [
        inner_products(queries[[row]], matrix[[column]], none, none)[0]
        for row, column in zip(rows, columns, strict=True)
    ]
    np.testing.assert_array_equal(found, alone)
    wanted = (queries[rows].astype(np.float64) * matrix[columns]).sum(axis=1)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@given(st.integers(1, 3000), st.integers(1, 12), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_best_are_those_of_double_precision(labels: int, limit: int, seed: int) -> None:
    """Near ties in single precision included: every label stands there twice, almost."""
    limit = min(limit, labels)
    matrix, items = drawn(labels, 24, seed), normalise(drawn(30, 24, seed + 1))
    matrix[1::2] = matrix[: len(matrix[1::2]) * 2 : 2] * np.float32(1 + 1e-7)
    head = plain(labels_of(matrix), 1.0)
    scan = Scanner(head, limit=limit).scan(items)
    everything = items.astype(np.float64) @ matrix.astype(np.float64).T
    wanted = np.argsort(-everything, axis=1, kind="stable")[:, :limit]
    np.testing.assert_allclose(
        scan.products, np.take_along_axis(everything, wanted, axis=1), rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(
        np.take_along_axis(everything, scan.labels, axis=1), scan.products, rtol=0, atol=1e-12
    )


def test_labels_that_are_all_alike_are_all_candidates() -> None:
    """More of them than there is room for at first: the first come first."""
    labels = np.repeat(normalise(drawn(1, 24, 0)), 2_500, axis=0)
    scan = Scanner(plain(labels_of(labels), 50.0), limit=3).scan(normalise(drawn(40, 24, 1)))
    assert (scan.labels == [0, 1, 2]).all()
    np.testing.assert_allclose(scan.log_sums, 50 * scan.products[:, 0] + np.log(2_500), atol=1e-4)
