"""Scoring in half precision, on torch's CPU device and on a GPU where there is one."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from catalogs import make_catalog, set_labels
from hypothesis import example, given, settings
from hypothesis import strategies as st
from shell import Shell

from indexer.build import CatalogOptions, open_catalog
from indexer.encoder import half as half_module
from indexer.encoder.device import Device
from indexer.encoder.half import HalfRows
from indexer.encoder.loading import chosen_device
from indexer.errors import ModelError
from indexer.labels.adaptation import Adaptation, fit
from indexer.labels.head import Head, adapted, plain
from indexer.labels.sets import LabelSet
from indexer.records import FloatArray, Label
from indexer.vectors import normalise
from queries.categorize import CategorizeReport, categorize
from queries.decide import ranking_of
from queries.judgement import placing
from queries.judgement.fusion import Fusion
from queries.judgement.judging import Judge
from queries.judgement.placing import FEWEST_PAIRS, scoring_device
from queries.judgement.scorer import Scorer
from queries.judgement.settings import Settings
from queries.scoring.device_scan import FEWEST_SPARE, DeviceScanner
from queries.scoring.scan import FEWEST_TILED, Scan, Scanner

MakeDevice = Callable[..., Device]

MANY_BLOCKS = 16 * 2**10
"""Bytes for one query and some 300 labels at a time."""


@pytest.fixture(scope="module", params=["cpu", "cuda"] if placing._has_driver() else ["cpu"])
def make_device(request: pytest.FixtureRequest) -> MakeDevice:
    """Makes devices, of torch's CPU or of a GPU."""
    import torch

    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs a GPU")
    name = chosen_device(request.param)
    return lambda block_bytes=None: Device(name, block_bytes=block_bytes)


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
def test_a_judge_decides_alike_on_a_device(make_device: MakeDevice, words: bool) -> None:
    """With and without background words, which are scored there too."""
    items, both = drawn(300, 32, 0), None
    if words:
        both = fit(lambda: iter([items]), drawn(100, 32, 1))
    judge = judge_of_labels(Settings(), both)
    there = judge.on(make_device(), limit=3)
    assert isinstance(there.scanner(3), DeviceScanner)
    found, wanted = there.judge(items, limit=3), judge.judge(items, limit=3)
    np.testing.assert_array_equal(found.ranking.labels, wanted.ranking.labels)
    np.testing.assert_allclose(found.ranking.scores, wanted.ranking.scores, atol=1e-4)
    np.testing.assert_allclose(found.unknown_scores, wanted.unknown_scores, atol=2e-4)
    assert (found.unknown_scores != wanted.unknown_scores).any(), "it was the CPU"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """A GPU for any number of pairs, which is torch's CPU device; what names were asked for."""
    asked: list[str | None] = []

    def chosen(name: str | None) -> str:
        asked.append(name)
        return name or "cuda"

    def made(name: str) -> Device:
        device = Device("cpu")
        device.name = name
        return device

    monkeypatch.setattr("indexer.encoder.loading.chosen_device", chosen)
    monkeypatch.setattr("indexer.encoder.device.Device", made)
    monkeypatch.setattr(placing, "_has_driver", lambda: True)
    monkeypatch.setattr(placing, "FEWEST_PAIRS", 0)
    return asked


def without_a_scan() -> dict[str, Judge]:
    """Judges that need all labels' scores, or more than a row a label."""
    judge = judge_of_labels(Settings())
    fusion = Fusion(titles=judge.scorer, picture_share=0.5, title_share=0.5)
    prompts = replace(judge.scorer.head, starts=np.arange(0, 40, 2))
    return {
        "level": judge_of_labels(Settings(level=1)),
        "back-off": judge_of_labels(Settings(back_off=0.5)),
        "multi-label": judge_of_labels(Settings(multi_label=True)),
        "titles": replace(judge, fusion=fusion),
        "prompts": replace(judge, scorer=replace(judge.scorer, head=prompts)),
    }


@pytest.mark.parametrize("reason", [*without_a_scan(), "ray"])
def test_what_a_gpu_does_not_score_is_told(
    gpu: list[str | None], caplog: pytest.LogCaptureFixture, reason: str
) -> None:
    """Once, where one was asked for; and no GPU is looked for."""
    judge = without_a_scan().get(reason) or judge_of_labels(Settings())
    for asked in ("cuda", None):
        with scoring_device(judge, asked, pairs=1, is_local=reason != "ray") as device:
            assert device is None
    assert gpu == []
    (told,) = caplog.messages
    assert told.startswith("--device cuda: labels are scored on the CPU. ")


def test_what_is_no_nvidia_gpu_is_told(
    gpu: list[str | None], caplog: pytest.LogCaptureFixture
) -> None:
    """Models compute on Apple's; the CPU is no surprise."""
    for asked in ("mps", "cpu"):
        with scoring_device(judge_of_labels(Settings()), asked, pairs=1) as device:
            assert device is None
    assert gpu == ["mps"]
    assert [told.partition(":")[0] for told in caplog.messages] == ["--device mps"]


def bulk(options: CatalogOptions, **more: Any) -> tuple[CategorizeReport, list[dict[str, Any]]]:
    """Categorize; the report, and the rows."""
    to = options.data_dir / "out.parquet"
    with open_catalog(options, write=True) as catalog:
        report = categorize(catalog, to, **more)
    return report, pq.read_table(to).to_pylist()


@pytest.mark.parametrize("adapt", [False, True])
def test_a_catalog_is_categorized_alike(
    tmp_path: Path, request: pytest.FixtureRequest, adapt: bool
) -> None:
    """Labels, cosines and statuses; after a change all labels are scored again."""
    items, vectors = drawn(300, 32, 0), drawn(FEWEST_TILED, 32, 1)
    options = make_catalog(tmp_path / "data", items, vectors)
    before, _ = bulk(options, adapt=adapt)
    assert before.device == "cpu"
    vectors[:3] = drawn(3, 32, 2)
    set_labels(options, vectors)
    request.getfixturevalue("gpu")
    report, found = bulk(options, adapt=adapt)
    assert (report.device, report.changed_labels, report.rescored) == ("cuda", None, 300)
    here, wanted = bulk(replace(options, device="cpu"), adapt=adapt)
    assert (here.device, here.changed_labels) == ("cpu", 3)
    for row, other in zip(found, wanted, strict=True):
        for name, value in other.items():
            if "score" in name:
                assert row[name] == pytest.approx(value, abs=1e-4)
            else:
                assert row[name] == value, name


@pytest.mark.usefixtures("gpu")
def test_nothing_is_left_on_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its memory is given back no label and no item is held on to."""
    options = make_catalog(tmp_path / "data", drawn(40, 32, 0), drawn(30, 32, 1))
    sent: list[weakref.ref[Any]] = []
    held: list[int] = []
    send, release = Device.sent, Device.release

    def sending(self: Device, array: FloatArray) -> Any:
        sent.append(weakref.ref(found := send(self, array)))
        return found

    def releasing(self: Device) -> None:
        held.append(sum(one() is not None for one in sent))
        release(self)

    monkeypatch.setattr(Device, "sent", sending)
    monkeypatch.setattr(Device, "release", releasing)
    bulk(options)
    assert len(sent) > 2
    assert held == [0]


@pytest.mark.usefixtures("gpu")
def test_a_gpu_that_fails_stops_only_who_asked_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its memory is full, say; the CPU goes on, and says why."""

    def full(_self: Device, _array: FloatArray) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 3 GiB")

    monkeypatch.setattr(Device, "sent", full)
    options = make_catalog(tmp_path / "data", drawn(20, 32, 0), drawn(5, 32, 1))
    report, rows = bulk(options)
    assert (report.device, report.items, len(rows)) == ("cpu", 20, 20)
    (told,) = [one.getMessage() for one in caplog.records if one.name == placing.__name__]
    assert told.startswith("labels are scored on the CPU: scoring labels on 'cuda' failed: CUDA ou")
    with pytest.raises(ModelError, match="on 'cuda:1' failed: CUDA out of memory"):
        bulk(replace(options, device="cuda:1"))


def test_the_command_says_where_labels_were_scored(tmp_path: Path, gpu: list[str | None]) -> None:
    """Where it was a GPU; ``auto`` is what it is without the option."""
    make_catalog(tmp_path / ".zeroshelf", drawn(20, 32, 0), drawn(5, 32, 1))
    shell, words = Shell(tmp_path, in_process=True), ["categorize", "--to", "out.csv"]
    told = shell(*words, "--device", "cuda:1").stdout
    report = json.loads(shell(*words, "--device", "auto", "--output", "json").stdout)
    here = shell(*words, "--device", "cpu").stdout
    assert gpu == ["cuda:1", None]
    (line,) = [one for one in told.splitlines() if "labels scored on" in one]
    assert "cuda:1" in line
    assert report[0]["device"] == "cuda"
    assert "scored on" not in here


ASKING = """
import ctypes, sys
from types import SimpleNamespace
from queries.judgement.placing import FEWEST_PAIRS, scoring_device

def missing(name):
    print("looked for a driver")
    raise OSError(name)

ctypes.CDLL = missing
judge = SimpleNamespace(scans=True)
for asked, pairs in [(None, 0), ("cuda", FEWEST_PAIRS - 1), ("cpu", 10 * FEWEST_PAIRS)]:
    with scoring_device(judge, asked, pairs=pairs) as device:
        assert device is None
print("much to score")
with scoring_device(judge, None, pairs=FEWEST_PAIRS) as device:
    assert device is None
print("torch" in sys.modules)
"""


def test_where_there_is_no_gpu_torch_is_not_loaded() -> None:
    """However much there is to score; where there is little no GPU is looked for."""
    done = subprocess.run(
        [sys.executable, "-c", ASKING], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["much to score", "looked for a driver", "False"]


def test_a_driver_without_a_gpu_is_the_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Asked by none; torch says that there is none, and nothing is told."""
    import torch

    monkeypatch.setattr(placing, "_has_driver", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with scoring_device(judge_of_labels(Settings()), None, pairs=FEWEST_PAIRS) as device:
        assert device is None
    assert not caplog.messages


@pytest.mark.parametrize("name", ["cuda:99", "gpu", "CUDA"])
def test_a_gpu_that_is_not_there_is_one_clear_error(name: str) -> None:
    """With the device, the cause and the remedy."""
    wanted = rf"--device '{name}' can't be used: .* --device cpu"
    with (
        pytest.raises(ModelError, match=wanted),
        scoring_device(judge_of_labels(Settings()), name, pairs=FEWEST_PAIRS),
    ):
        pass


def test_an_error_of_a_device_is_one_clear_error() -> None:
    """With torch's first line; errors of other things are what they are; the next has its turn."""
    device = Device("cpu")
    wanted = r"on 'cpu' failed: CUDA out of memory\. Give --device cpu"
    with pytest.raises(ModelError, match=wanted), device.turn():
        raise RuntimeError("CUDA out of memory\nand much that tells nothing")
    with pytest.raises(RuntimeError, match="shapes"), device.turn():
        raise RuntimeError("shapes differ, on cuda:0")
    next_one = threading.Thread(target=device.release, daemon=True)
    next_one.start()
    next_one.join(timeout=60)
    assert not next_one.is_alive()
