"""Where labels are scored: what a GPU takes, what it does not, and when it fails."""

from __future__ import annotations

import json
import subprocess
import sys
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from catalogs import make_catalog, set_labels
from label_sets import drawn, labels_of
from shell import Shell

from indexer.build import CatalogOptions, open_catalog
from indexer.encoder.device import Device
from indexer.errors import ModelError
from indexer.labels.adaptation import Adaptation, fit
from indexer.labels.head import plain
from indexer.records import FloatArray
from queries.categorize import CategorizeReport, categorize
from queries.judgement import placing
from queries.judgement.fusion import Fusion
from queries.judgement.judging import Judge
from queries.judgement.placing import (
    FEWEST_PACKED_PAIRS,
    FEWEST_PAIRS,
    placed,
    scoring_device,
)
from queries.judgement.scorer import Scorer
from queries.judgement.settings import Settings
from queries.scoring.device_scan import DeviceScanner
from queries.scoring.scan import FEWEST_TILED


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
def test_a_judge_decides_alike_on_a_device(make_device: Callable[..., Device], words: bool) -> None:
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


@pytest.mark.parametrize("pairs", [FEWEST_PACKED_PAIRS - 1, FEWEST_PACKED_PAIRS])
def test_very_many_pairs_are_scored_by_torch_in_a_thread_each(pairs: int) -> None:
    """Torch has its own threads again after the run."""
    judge, before = judge_of_labels(Settings()), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with scoring_device(judge, "cpu", pairs=pairs) as device:
            is_packed = placed(judge, device, "cpu", limit=3, pairs=pairs).packed
            assert is_packed == (pairs == FEWEST_PACKED_PAIRS)
            assert torch.get_num_threads() == (1 if is_packed else 2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


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
from queries.judgement.placing import (
    FEWEST_PACKED_PAIRS,
    FEWEST_PAIRS,
    placed,
    scoring_device,
)

def missing(name):
    print("looked for a driver")
    raise OSError(name)

ctypes.CDLL = missing
judge = SimpleNamespace(scans=True)
for asked, pairs in [(None, 0), ("cuda", FEWEST_PAIRS - 1), ("cpu", 2 * FEWEST_PAIRS)]:
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
