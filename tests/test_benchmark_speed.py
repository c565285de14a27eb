"""The table of all speed benchmarks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import speed


def test_a_part_that_fails_loses_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of parts before and after it are kept, and each says what it was measured on."""
    row = {"work": "w", "against": "a", "ours": 1.0, "theirs": 2.0, "unit": "s"}
    row |= {"ratio": 0.5, "goal": "", "reached": None}

    def ran(command: list[str], *, check: bool) -> None:
        assert check
        if command[2] == "benchmarks.sounds":
            raise subprocess.CalledProcessError(3, command)
        Path(command[4]).write_text(json.dumps([row | {"work": command[2]}]))

    monkeypatch.setattr(speed.subprocess, "run", ran)
    path = tmp_path / "new" / "speed.json"
    report = speed.measure_all(["tables", "sounds", "decoding"], path)
    assert json.loads(path.read_text()) == report
    assert [each["work"] for each in report["rows"]] == ["benchmarks.tables", "benchmarks.decoding"]
    assert report["failed"] == {"sounds": 3}
    assert set(report["seconds"]) == {"tables", "sounds", "decoding"}
    assert all("numpy's products by" in each["on"] for each in report["rows"])
    assert "| benchmarks.decoding | a | 1 s | 2 s | 0.50 |" in speed.markdown(
        report["about"], report["rows"]
    )


def test_every_part_has_a_quick_run() -> None:
    """So that all of it can be tried in minutes."""
    assert set(speed.QUICK) == set(speed.PARTS)
