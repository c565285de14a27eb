"""Scoring in half precision, on torch's CPU device and on a GPU where there is one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from label_sets import drawn, labels_of

from indexer.encoder import half as half_module
from indexer.encoder.device import Device
from indexer.encoder.half import HalfRows
from indexer.errors import ModelError
from indexer.labels.adaptation import fit
from indexer.labels.head import Head, adapted, plain
from indexer.vectors import normalise
from queries.decide import ranking_of
from queries.scoring.device_scan import FEWEST_SPARE, DeviceScanner
from queries.scoring.scan import Scan, Scanner

MakeDevice = Callable[..., Device]

MANY_BLOCKS = 16 * 2**10
"""Bytes for one query and some 300 labels at a time."""


def scanners(head: Head, limit: int, device: Device) -> tuple[Scanner, DeviceScanner]:
    """One on the CPU, and one by torch."""
    return (
        Scanner(head, limit=limit, expects=True),
        DeviceScanner(head, limit=limit, device=device, expects=True),
    )


def assert_same_labels(found: Scan, wanted: Scan) -> None:
    """Labels, their order, and products to the last bit."""
    np.testing.assert_array_equal(found.labels, wanted.labels)
    np.testing.assert_array_equal(found.products, wanted.products)


@pytest.mark.parametrize("block_bytes", [None, MANY_BLOCKS])
@pytest.mark.parametrize("fitted", [False, True])
def test_real_vectors_get_the_labels_of_a_scan(
    shared_data: Path, make_device: MakeDevice, fitted: bool, block_bytes: int | None
) -> None:
    """CLIP's own scale; probabilities and expected cosines are off by little."""
    items = np.load(shared_data / "fashion" / "clip_vit_b32.npy")
    items = items[:60] if block_bytes else items
    labels = labels_of(np.load(shared_data / "lvis" / "clip_vit_b32.npy"))
    head = plain(labels, 100.0)
    if fitted:
        head = adapted(labels, fit(lambda: iter([items]), labels.vectors))
    scan, half = scanners(head, 5, make_device(block_bytes))
    wanted, (found, settled) = scan.scan(items), half.attempt(items)
    assert settled.all()
    assert_same_labels(found, wanted)
    scores, others = (ranking_of(items, head, one, limit=5).scores for one in (found, wanted))
    np.testing.assert_allclose(scores, others, rtol=0, atol=1.5e-4)
    cosines, expected = half.expected_cosines(found), scan.expected_cosines(wanted)
    np.testing.assert_allclose(cosines, expected, rtol=0, atol=5e-5)


@pytest.mark.parametrize("block_bytes", [None, MANY_BLOCKS])
@settings(max_examples=25, deadline=None)
@given(st.integers(1, 900), st.integers(1, 12), st.integers(0, 10**6))
@example(900, 12, 0)
def test_near_ties_are_ordered_as_in_a_scan(
    make_device: MakeDevice, block_bytes: int | None, count: int, limit: int, seed: int
) -> None:
    """Each label stands there three times, almost, and a twin of it."""
    vectors = drawn(count, 24, seed)
    for copy in (1, 2, 3):
        part = vectors[copy::4]
        part[:] = vectors[::4][: len(part)] * np.float32(1 + copy // 2 * 3e-7)
    head = plain(labels_of(vectors), 30.0)
    scan, half = scanners(head, limit, make_device(block_bytes))
    items = drawn(20, 24, seed + 1)
    found, wanted = half.scan(items), scan.scan(items)
    assert_same_labels(found, wanted)
    np.testing.assert_allclose(found.log_sums, wanted.log_sums, rtol=0, atol=2e-2)


def test_what_half_precision_can_not_settle_is_scanned(make_device: MakeDevice) -> None:
    """More labels than there are candidates lie closer together than it can tell."""
    random = np.random.default_rng(0)
    apart, close = drawn(200, 64, 1), np.repeat(drawn(1, 64, 2), 3 * FEWEST_SPARE, axis=0)
    close = normalise(close + 1e-5 * random.normal(size=close.shape))
    items = np.concatenate([close[:10], apart[:30]])
    head = plain(labels_of(np.concatenate([apart, close])), 100.0)
    scan, half = scanners(head, 5, make_device())
    attempted, settled = half.attempt(items)
    assert not settled[:10].any()
    assert settled[10:].sum() > 20
    wanted, found = scan.scan(items), half.scan(items)
    assert (attempted.labels[:10] != wanted.labels[:10]).any(), "it was not needed"
    assert_same_labels(found, wanted)
    np.testing.assert_allclose(found.powers[:10], wanted.powers[:10], rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([3, 17, 64, 513]),
    st.integers(30, 400),
    st.floats(1e-3, 1e3),
    st.sampled_from([0.0, 0.1, 10.0]),
    st.integers(0, 10**6),
)
def test_no_other_row_is_above_the_floor(
    make_device: MakeDevice, width: int, count: int, scale: float, bias: float, seed: int
) -> None:
    """Whatever the rows' lengths and biases; and it is not far above the last candidate."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, width)) * random.uniform(0.1, 1, size=(count, 1))
    rows[:, -1] = bias * random.normal(size=count)
    rows = (scale * rows).astype(np.float32)
    queries = random.normal(size=(30, width)).astype(np.float32)
    found = HalfRows(rows, make_device(), candidates=8).find(queries, queries)
    exact = queries.astype(np.float64) @ rows.astype(np.float64).T
    np.put_along_axis(exact, found.columns, -np.inf, axis=1)
    assert (exact.max(axis=1) <= found.floor).all()
    lengths = np.linalg.norm(queries, axis=1) * np.linalg.norm(rows, axis=1).max()
    assert (found.floor - found.logits[:, -1] <= 2**-8 * lengths).all()


def test_the_floor_holds_where_rounding_adds_up(make_device: MakeDevice) -> None:
    """Rows that are one row in half precision, and lie above it by all they can."""
    random = np.random.default_rng(0)
    rounded_off = random.uniform(-0.49, 0.49, size=(40, 1)) * 2**-10
    rows = ((1 + rounded_off) * np.full((40, 64), 1 / 8)).astype(np.float32)
    queries = rows[rounded_off.argmax()][np.newaxis]
    found = HalfRows(rows, make_device(), candidates=8).find(queries, queries)
    exact = np.delete(queries.astype(np.float64) @ rows.astype(np.float64).T, found.columns)
    assert 1.0005 * found.level[0] < exact.max() <= found.floor[0]


@pytest.mark.parametrize(("size", "count"), [(1e6, 5), (1e6, 50), (1.4e5, 50), (1e-9, 50)])
def test_queries_that_half_precision_does_not_hold(
    make_device: MakeDevice, size: float, count: int
) -> None:
    """They are scanned on the CPU: too large is infinite, maybe in the best product only."""
    vectors = drawn(count, 24, 1)
    items = vectors[:5] * np.float32(size)
    scan, half = scanners(plain(labels_of(vectors), 1.0), 3, make_device())
    assert not half.attempt(items)[1].any()
    found, wanted = half.scan(items), scan.scan(items)
    assert_same_labels(found, wanted)
    np.testing.assert_allclose(found.powers, wanted.powers, rtol=1e-5)


def test_no_item_and_few_labels(make_device: MakeDevice) -> None:
    """As a scan has it."""
    items = drawn(4, 8, 0)
    for count in (1, 3):
        scan, half = scanners(plain(labels_of(-drawn(count, 8, 1)), 20.0), 10, make_device())
        assert half.limit == count
        found, other = half.scan(items), scan.scan(items)
        assert_same_labels(found, other)
        np.testing.assert_allclose(found.log_sums, other.log_sums, rtol=0, atol=2e-2)
        none, wanted = half.scan(items[:0]), scan.scan(items[:0])
        for part, other in zip(none.parts, wanted.parts, strict=True):
            assert (part.shape, part.dtype) == (other.shape, other.dtype)


def test_many_labels_are_found_on_the_device_too(
    shared_data: Path, make_device: MakeDevice
) -> None:
    """Far down the ranking more labels lie within what half precision tells apart."""
    items = np.load(shared_data / "fashion" / "clip_vit_b32.npy")[:200]
    labels = labels_of(np.load(shared_data / "lvis" / "clip_vit_b32.npy"))
    scan, half = scanners(plain(labels, 100.0), 400, make_device())
    found, settled = half.attempt(items)
    assert settled.all()
    assert_same_labels(found, scan.scan(items))


def test_rows_are_made_ready_some_at_a_time(
    monkeypatch: pytest.MonkeyPatch, make_device: MakeDevice
) -> None:
    """The last few too, and the last is the longest; nothing differs."""
    rows, queries = drawn(45, 24, 0), drawn(5, 24, 1)
    rows[-1] *= 3
    wanted = HalfRows(rows, make_device(), candidates=4).find(queries, queries)
    monkeypatch.setattr(half_module, "_ROWS_AT_ONCE", 11)
    found = HalfRows(rows, make_device(), candidates=4).find(queries, queries)
    for name in ("columns", "logits", "floor", "level", "powers"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), name)


def test_threads_share_a_device(make_device: MakeDevice) -> None:
    """Many of them; each gets its own answer."""
    _, half = scanners(plain(labels_of(drawn(300, 32, 0)), 50.0), 5, make_device(MANY_BLOCKS))
    blocks = [drawn(9, 32, seed) for seed in range(20)]
    wanted = [half.scan(block) for block in blocks]
    with ThreadPoolExecutor(8) as pool:
        for found, one in zip(pool.map(half.scan, blocks), wanted, strict=True):
            for part, other in zip(found.parts, one.parts, strict=True):
                np.testing.assert_array_equal(part, other)


def test_an_error_of_a_device_is_one_clear_error() -> None:
    """With torch's first line; errors of other things are what they are; all have their turn."""
    device, told = Device("cpu"), list[str]()

    def fail(message: str) -> None:
        try:
            with device.turn():
                raise RuntimeError(message)
        except (ModelError, RuntimeError) as error:
            told.append(str(error))

    for message in ("CUDA out of memory\nand much that tells nothing", "shapes differ, on cuda:0"):
        thread = threading.Thread(target=fail, args=[message], daemon=True)
        thread.start()
        thread.join(timeout=60)
    failed = "scoring labels on 'cpu' failed: CUDA out of memory. Give --device cpu to score them "
    assert told == [f"{failed}on the CPU.", "shapes differ, on cuda:0"]
