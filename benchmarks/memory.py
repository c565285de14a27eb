"""The most memory that a process took."""

from __future__ import annotations

import re
from pathlib import Path


def peak_mib() -> float:
    """Of this process, since it began, in MiB; Linux only.

    ``getrusage`` would tell the most that the parent had when it started this process.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    kibibytes = re.search(r"^VmHWM:\s+(\d+)", status, re.MULTILINE)
    assert kibibytes is not None
    return int(kibibytes[1]) / 1024
