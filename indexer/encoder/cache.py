"""The user's cache folder, and what tells that a file is still the one it was."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(part: str) -> Path | None:
    """Where one part of the cache lies; None for a user without a home, as in containers."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    try:
        return root.expanduser() / "zeroshelf" / part
    except RuntimeError:
        return None


def state_of(file: Path, folder: Path) -> str:
    """A file's place, its size, and when its content and its inode last changed."""
    status = file.stat()
    times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
    return f"{file.relative_to(folder)} {status.st_size} {times}"
