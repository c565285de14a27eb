"""Milvus Lite on a disk that is full."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from shell import Shell, write_rows, write_vectors

ROWS = 6_000
SMALL_MB = 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes, for which one must be root."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_MB}m", "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("can't mount a small file system here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(shutil.which("mount") is None, reason="there is no mount")
@pytest.mark.slow
def test_a_full_disk_is_told_and_a_larger_one_finishes(tmp_path: Path, small_disk: Path) -> None:
    """The archive is elsewhere, so nothing is lost: the same command finishes with more room."""
    write_vectors(tmp_path / "v.npy", ROWS, width=256)
    write_rows(tmp_path / "t.jsonl", [{"id": f"i{row}"} for row in range(ROWS)])
    shell = Shell(tmp_path)
    database = small_disk / "milvus.db"
    done = shell("ingest", "t.jsonl", "--vectors", "v.npy", "--db", database, code=1)
    assert "disk is full" in done.stderr
    assert "Nothing is lost" in done.stderr
    subprocess.run(["mount", "-o", "remount,size=256m", str(small_disk)], check=True)
    (report,) = shell.json("ingest", "t.jsonl", "--vectors", "v.npy", "--db", database)
    assert report["stored"] + report["unchanged"] == ROWS
    shell("rebuild", "--verify", "--db", database)
