"""The user's cache folder: what follows from a model's files is made once and kept there.

It is found again by a hash of all that it follows from, and comes there in one rename, so that
a killed process, or two at once, leave nothing that is half made.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

_CONTENTS = "content.json"

FileState = Callable[[Path], object]
"""What tells that a file is still the one that was written: its size, or a hash of it."""


def cache_folder(kind: str) -> Path | None:
    """Where one part of the cache lies; None for a user without a home, as in containers."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    try:
        return root.expanduser() / "zeroshelf" / kind
    except RuntimeError:
        return None


def hash_of(facts: Iterable[str]) -> str:
    """A name for what follows from facts, 32 hex digits."""
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


def states_of(folder: Path) -> list[str]:
    """Each file's place in a folder, its size, and when its content and its inode last changed."""
    states = []
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            status = file.stat()
            times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
            states.append(f"{file.relative_to(folder)} {status.st_size} {times}")
    return states


def size_of(file: Path) -> int:
    """Bytes of a file: quick, and what a full disk cuts off shows in it."""
    return file.stat().st_size


def content_hash(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_whole(folder: Path, state: FileState) -> bool:
    """Whether a folder is there, with each file as it was written."""
    try:
        states = json.loads((folder / _CONTENTS).read_text(encoding="utf-8"))
        return all(state(folder / name) == written for name, written in states.items())
    except (OSError, ValueError, AttributeError):
        return False


def make_folder(folder: Path, write: Callable[[Path], None], state: FileState) -> None:
    """Make a folder of the cache in one rename; what is left of an earlier one goes.

    Args:
        write: writes the files into an empty folder.

    Raises:
        OSError: there is no room, or no right to write.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    writing = Path(tempfile.mkdtemp(dir=folder.parent, suffix=".writing"))
    try:
        write(writing)
        states = {file.name: state(file) for file in writing.iterdir()}
        (writing / _CONTENTS).write_text(json.dumps(states), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # another process was first: its folder is as good
            writing.rename(folder)
    finally:
        shutil.rmtree(writing, ignore_errors=True)
