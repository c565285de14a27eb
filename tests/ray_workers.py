"""Processes of Ray's workers, to be killed."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path


def worker_processes(address: str) -> list[int]:
    """Processes of the workers of the Ray at an address that hold a model."""
    port, found = address.rpartition(":")[2], []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "cmdline").read_text().startswith("ray::_Actor"):
                parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
                raylet = Path(f"/proc/{parent}/cmdline").read_text().split("\0")
                if any(
                    word.startswith("--gcs-address=") and word.endswith(f":{port}")
                    for word in raylet
                ):
                    found.append(int(folder.name))
    return sorted(found)


def wait_until_gone(process: int) -> None:
    """Until a killed process is no more."""
    for _ in range(600):
        if not Path(f"/proc/{process}").exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"process {process} is still there")
