"""The benchmark of a GPU: a small run on the CPU, and what it says where there is no GPU."""

from __future__ import annotations

from pathlib import Path

import pytest

import indexer
from benchmarks import gpu
from benchmarks.speed import markdown

POCKET = Path(indexer.__file__).parent / "models" / "pocket"


def test_a_small_run_measures_vectors_and_each_limit() -> None:
    """On the CPU the vectors are its own, and each rate is one; the table has a line a row."""
    found = gpu.rows(device="cpu", model=POCKET, count=40, rounds=1, within_s=0.0)
    by_against = {row["against"].split(",")[0]: row for row in found}
    same = by_against.pop("float32 on the CPU")
    assert same["ours"] >= 0.99
    assert same["reached"] is True
    assert list(by_against) == [
        "SentenceTransformer.encode alone",
        "decoding and resizing alone",
        "the model alone",
        "the lower of decoding alone and the model alone",
    ]
    for row in by_against.values():
        assert row["work"].startswith("40 files to rows in Milvus Lite, cpu, ")
        assert row["ratio"] == pytest.approx(row["ours"] / row["theirs"])
    assert by_against["the model alone"]["reached"] is None
    table = markdown({"date": "today", "machine": "this", "software": "that"}, found)
    assert table.count("pictures/s") == 2 * len(by_against)


def test_without_a_gpu_it_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With an exit code of its own, before anything is made or measured."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("sys.argv", ["benchmarks.gpu"])
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert ended.value.code == gpu.NO_GPU
    assert "finds no GPU on this machine, so nothing was measured" in capsys.readouterr().err
