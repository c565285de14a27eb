"""Files that a crash leaves whole: written aside, synced, renamed."""

from __future__ import annotations

import os
from pathlib import Path


def replace_durably(aside: Path, target: Path) -> None:
    """Put a finished file in its place so that a crash leaves the old one or the new one."""
    with aside.open("rb") as stream:
        os.fsync(stream.fileno())
    aside.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
