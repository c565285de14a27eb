"""Scoring in half precision, on torch's CPU device: the labels of an exact scan."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from catalogs import make_catalog
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shell import Shell

from indexer.build import CatalogOptions, open_catalog
from indexer.errors import ModelError
from indexer.labels.adaptation import Adaptation, fit
from indexer.labels.head import Head, adapted, plain
from indexer.labels.sets import LabelSet
from indexer.records import FloatArray, Label
from indexer.threads import side_by_side
from indexer.vectors import normalise
from queries.categorize import CategorizeReport, categorize
from queries.decide import ranking_of
from queries.judgement.judging import Judge
from queries.judgement.scorer import Scorer
from queries.judgement.settings import Settings
from queries.scoring import device as device_module
from queries.scoring.device import FEWEST_PAIRS, LANES, Device, scoring_device
from queries.scoring.device_scan import SPARE, DeviceScanner
from queries.scoring.half import HalfRows
from queries.scoring.scan import FEWEST_TILED, Scan, Scanner

MANY_BLOCKS = 16 * 2**10
"""Bytes for one query and some 300 labels at a time."""


def labels_of(vectors: FloatArray) -> LabelSet:
    """Labels of these vectors."""
    return LabelSet(
        labels=tuple(Label(label_id=f"l{n}", name="", path=("",)) for n in range(len(vectors))),
        definitions=("",) * len(vectors),
        vectors=vectors,
    )


def drawn(count: int, width: int, seed: int) -> FloatArray:
    """float32 (count, width), rows of length 1, in a cone."""
    return normalise(np.random.default_rng(seed).normal(size=(count, width)) + 0.5)


def scanners(
    head: Head, limit: int, block_bytes: int | None = None, *, expects: bool = True
) -> tuple[Scanner, DeviceScanner]:
    """One on the CPU, and one by torch."""
    device = Device("cpu", block_bytes=block_bytes)
    return (
        Scanner(head, limit=limit, expects=expects),
        DeviceScanner(head, limit=limit, device=device, expects=expects),
    )


def assert_same_labels(found: Scan, wanted: Scan) -> None:
    """Labels, their order, and products to the last bit."""
    np.testing.assert_array_equal(found.labels, wanted.labels)
    np.testing.assert_array_equal(found.products, wanted.products)


@pytest.mark.parametrize("block_bytes", [None, MANY_BLOCKS])
@pytest.mark.parametrize("fitted", [False, True])
def test_real_vectors_get_the_labels_of_a_scan(
    shared_data: Path, fitted: bool, block_bytes: int | None
) -> None:
    """CLIP's own scale; probabilities and expected cosines are off by little."""
    items = np.load(shared_data / "fashion" / "clip_vit_b32.npy")
    items = items[:60] if block_bytes else items
    labels = labels_of(np.load(shared_data / "lvis" / "clip_vit_b32.npy"))
    head = plain(labels, 100.0)
    if fitted:
        head = adapted(labels, fit(lambda: iter([items]), labels.vectors))
    scan, half = scanners(head, 5, block_bytes)
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
    block_bytes: int | None, count: int, limit: int, seed: int
) -> None:
    """Each label stands there three times, almost, and a twin of it."""
    vectors = drawn(count, 24, seed)
    for copy in (1, 2, 3):
        part = vectors[copy::4]
        part[:] = vectors[::4][: len(part)] * np.float32(1 + copy // 2 * 3e-7)
    scan, half = scanners(plain(labels_of(vectors), 30.0), limit, block_bytes)
    items = drawn(20, 24, seed + 1)
    found, wanted = half.scan(items), scan.scan(items)
    assert_same_labels(found, wanted)
    np.testing.assert_allclose(found.log_sums, wanted.log_sums, rtol=0, atol=2e-2)


def test_what_half_precision_can_not_settle_is_scanned() -> None:
    """More labels than there are candidates lie closer together than it can tell."""
    random = np.random.default_rng(0)
    apart, close = drawn(200, 64, 1), np.repeat(drawn(1, 64, 2), 3 * SPARE, axis=0)
    close = normalise(close + 1e-5 * random.normal(size=close.shape))
    items = np.concatenate([close[:10], apart[:30]])
    scan, half = scanners(plain(labels_of(np.concatenate([apart, close])), 100.0), 5)
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
    width: int, count: int, scale: float, bias: float, seed: int
) -> None:
    """Whatever the rows' lengths and biases; and it is not far above the last candidate."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(count, width)) * random.uniform(0.1, 1, size=(count, 1))
    rows[:, -1] = bias * random.normal(size=count)
    rows = (scale * rows).astype(np.float32)
    queries = random.normal(size=(30, width)).astype(np.float32)
    found = HalfRows(rows, Device("cpu"), candidates=8).find(queries, queries)
    exact = queries.astype(np.float64) @ rows.astype(np.float64).T
    np.put_along_axis(exact, found.columns, -np.inf, axis=1)
    assert (exact.max(axis=1) <= found.floor).all()
    lengths = np.linalg.norm(queries, axis=1) * np.linalg.norm(rows, axis=1).max()
    assert (found.floor - found.logits[:, -1] <= 2**-8 * lengths).all()


def test_the_floor_holds_where_rounding_adds_up() -> None:
    """Rows that are one row in half precision, and lie above it by all they can."""
    random = np.random.default_rng(0)
    rounded_off = random.uniform(-0.49, 0.49, size=(40, 1)) * 2**-10
    rows = ((1 + rounded_off) * np.full((40, 64), 1 / 8)).astype(np.float32)
    queries = rows[rounded_off.argmax()][np.newaxis]
    found = HalfRows(rows, Device("cpu"), candidates=8).find(queries, queries)
    exact = np.delete(queries.astype(np.float64) @ rows.astype(np.float64).T, found.columns)
    assert 1.0005 * found.level[0] < exact.max() <= found.floor[0]


@pytest.mark.parametrize(("size", "count"), [(1e6, 5), (1e6, 50), (1.4e5, 50), (1e-9, 50)])
def test_queries_that_half_precision_does_not_hold(size: float, count: int) -> None:
    """They are scanned on the CPU: too large is infinite, maybe in the best product only."""
    vectors = drawn(count, 24, 1)
    items = vectors[:5] * np.float32(size)
    scan, half = scanners(plain(labels_of(vectors), 1.0), 3)
    assert not half.attempt(items)[1].any()
    found, wanted = half.scan(items), scan.scan(items)
    assert_same_labels(found, wanted)
    np.testing.assert_allclose(found.powers, wanted.powers, rtol=1e-5)


def test_no_item_and_few_labels() -> None:
    """As a scan has it."""
    items = drawn(4, 8, 0)
    for count in (1, 3):
        scan, half = scanners(plain(labels_of(drawn(count, 8, 1)), 20.0), 10)
        assert half.limit == count
        assert_same_labels(half.scan(items), scan.scan(items))
        none, wanted = half.scan(items[:0]), scan.scan(items[:0])
        for part, other in zip(none.parts, wanted.parts, strict=True):
            assert (part.shape, part.dtype) == (other.shape, other.dtype)


def test_threads_share_a_device() -> None:
    """More of them than lanes; each gets its own answer."""
    _, half = scanners(plain(labels_of(drawn(300, 32, 0)), 50.0), 5, MANY_BLOCKS)
    blocks = [drawn(9, 32, seed) for seed in range(20)]
    for found, block in zip(side_by_side(half.scan, blocks), blocks, strict=True):
        for part, other in zip(found.parts, half.scan(block).parts, strict=True):
            np.testing.assert_array_equal(part, other)


def judge_of_labels(asked: Settings, background: Adaptation | None = None) -> Judge:
    """A judge by 40 labels."""
    labels = labels_of(drawn(40, 32, 1))
    return Judge(
        labels=labels,
        scorer=Scorer(head=plain(labels, 50.0), unit=1.0, temperature=1.0),
        settings=asked,
        logit_scale=50.0,
        background=background,
        unknown_above=0.0,
    )


@pytest.mark.parametrize("words", [False, True])
def test_a_judge_decides_alike_on_a_device(words: bool) -> None:
    """With and without background words, which are scored there too."""
    items, both = drawn(300, 32, 0), None
    if words:
        both = fit(lambda: iter([items]), drawn(100, 32, 1))
    judge = judge_of_labels(Settings(), both)
    there = judge.on(Device("cpu"), limit=3)
    assert isinstance(there.scanner(3), DeviceScanner)
    found, wanted = there.judge(items, limit=3), judge.judge(items, limit=3)
    np.testing.assert_array_equal(found.ranking.labels, wanted.ranking.labels)
    np.testing.assert_allclose(found.ranking.scores, wanted.ranking.scores, atol=1e-4)
    np.testing.assert_allclose(found.unknown_scores, wanted.unknown_scores, atol=2e-4)
    assert (found.unknown_scores != wanted.unknown_scores).any(), "it was the CPU"


def test_a_judge_of_all_scores_stays_on_the_cpu() -> None:
    """Scores that a taxonomy sums up, and those of independent labels."""
    for asked in (Settings(level=1), Settings(back_off=0.5), Settings(multi_label=True)):
        judge = judge_of_labels(asked)
        assert judge.on(Device("cpu"), limit=3) is judge


def bulk(options: CatalogOptions, **more: Any) -> tuple[CategorizeReport, list[dict[str, Any]]]:
    """Categorize; the report, and the rows."""
    to = options.data_dir / "out.parquet"
    with open_catalog(options, write=True) as catalog:
        report = categorize(catalog, to, **more)
    return report, pq.read_table(to).to_pylist()


@pytest.mark.parametrize("adapt", [False, True])
def test_a_catalog_is_categorized_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, adapt: bool
) -> None:
    """Labels, cosines and statuses; after a change all labels are scored again."""
    items = drawn(300, 32, 0)
    options = make_catalog(tmp_path / "data", items, drawn(FEWEST_TILED, 32, 1))
    before, wanted = bulk(options, adapt=adapt)
    assert before.device == "cpu"
    device = Device("cpu")
    monkeypatch.setattr("queries.categorize.scoring_device", lambda _asked, **_: device)
    monkeypatch.setattr(Device, "__str__", lambda _: "cuda (a GPU)")
    report, found = bulk(options, adapt=adapt)
    assert (report.device, report.changed_labels, report.rescored) == ("cuda (a GPU)", None, 300)
    for row, other in zip(found, wanted, strict=True):
        exact = {"score", "unknown_score"} | {name for name in other if name.startswith("score")}
        for name, value in other.items():
            if name in exact:
                assert row[name] == pytest.approx(value, abs=1e-4)
            else:
                assert row[name] == value, name


def test_the_command_says_where_labels_were_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it was a GPU; ``auto`` is what it is without the option."""
    make_catalog(tmp_path / ".zeroshelf", drawn(20, 32, 0), drawn(5, 32, 1))
    shell, devices = Shell(tmp_path, in_process=True), [None, Device("cpu")]
    asked: list[str | None] = []

    def chosen(name: str | None, *, pairs: int) -> Device | None:
        asked.append(name)
        assert pairs == 20 * 5
        return devices.pop()

    monkeypatch.setattr("queries.categorize.scoring_device", chosen)
    monkeypatch.setattr(Device, "__str__", lambda _: "cuda:1 (a GPU)")
    there = shell("categorize", "--to", "out.csv", "--device", "cuda:1").stdout
    here = shell("categorize", "--to", "out.csv", "--device", "auto").stdout
    assert asked == ["cuda:1", None]
    assert "labels scored on" in there
    assert "cuda:1 (a GPU)" in there
    assert "scored on" not in here


def test_where_there_is_no_gpu_torch_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much there is to score; with a driver and little to score neither."""
    code = (
        "import sys; from queries.scoring.device import FEWEST_PAIRS, scoring_device\n"
        "assert scoring_device(None, pairs=FEWEST_PAIRS - 1) is None\n"
        "assert scoring_device('cpu', pairs=10 * FEWEST_PAIRS) is None\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert scoring_device(None, pairs=FEWEST_PAIRS) is None


def test_a_driver_without_a_gpu_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked by none; torch says that there is none."""
    import torch

    monkeypatch.setattr(device_module, "_has_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert scoring_device(None, pairs=FEWEST_PAIRS) is None


def test_a_gpu_that_is_not_there_is_one_clear_error() -> None:
    """With the device, the cause and the remedy."""
    with pytest.raises(ModelError, match=r"--device 'cuda:99' can't be used: .* --device cpu"):
        scoring_device("cuda:99", pairs=1)


def test_a_device_that_fails_is_one_clear_error() -> None:
    """With torch's first line; its lane is free again for the next."""
    device = Device("cpu")
    for _ in range(LANES + 1):
        with (
            pytest.raises(ModelError, match=r"on 'cpu' failed: out of memory\. Give --device cpu"),
            device.lane(),
        ):
            raise RuntimeError("out of memory\nand much that tells nothing")
