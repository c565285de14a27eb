"""How busy model and decoders were, as ``ingest`` tells it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shell import Shell, write_rows, write_vectors


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder with three pictures."""
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    return Shell(tmp_path, in_process=True, model="pocket")


@pytest.mark.parametrize("from_s", [0.0, float("inf")])
def test_people_read_it_in_a_sentence(
    shell: Shell, from_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the summary, on stderr; a run that is too short for rates tells none."""
    monkeypatch.setattr("indexer.commands.ingest_report._RATES_FROM_S", from_s)
    told = shell("ingest", "pictures")
    assert "Embedded 3 items" in told.stderr
    assert ("the model was at work" in told.stderr) == (from_s == 0)
    assert ("/s" in told.stderr.split("Embedded")[1]) == (from_s == 0)


def test_programs_get_seconds_and_shares(shell: Shell) -> None:
    """Each between nothing and all."""
    (report,) = shell.json("ingest", "pictures", "--workers", "2")
    found = report["utilisation"]
    assert 0 < found["embedding_s"] + found["waiting_s"] <= found["elapsed_s"]
    assert 0 < found["of_model"] < 1
    assert 0 < found["of_decoders"] < 1


def test_where_nothing_was_embedded_nothing_is_told(tmp_path: Path) -> None:
    """Given vectors need no model."""
    write_vectors(tmp_path / "v.npy", 2)
    write_rows(tmp_path / "t.jsonl", [{"id": "a"}, {"id": "b"}])
    told = Shell(tmp_path, in_process=True)("ingest", "t.jsonl", "--vectors", "v.npy")
    assert "at work" not in told.stderr
