"""The user's cache folder: what is derived from a model's files is stored there.

Its name there is a hash of everything that it derives from. It is renamed into place when it is
complete, so a killed process or two at once leave nothing incomplete.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from indexer.core.hashing import sha256

_CONTENTS = "content.json"

FileState = Callable[[Path], object]
"""A file's size or hash, by which a changed file is recognised."""


def cache_folder(kind: str) -> Path | None:
    """The cache folder of a kind of files; None for a user without a home, as in containers."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    try:
        return root.expanduser() / "zeroshelf" / kind
    except RuntimeError:
        return None


def hash_of(facts: Iterable[str]) -> str:
    """Hash of facts, 32 hex digits."""
    return sha256("\n".join(facts).encode())[:32]


def file_states(folder: Path) -> list[str]:
    """Path, size, and times of the last change of content and inode, of each file in a folder."""
    states = []
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            status = file.stat()
            times = f"{status.st_mtime_ns} {status.st_ctime_ns}"
            states.append(f"{file.relative_to(folder)} {status.st_size} {times}")
    return states


def size_of(file: Path) -> int:
    """Bytes of a file: fast to read, and shows what a full disk cut off."""
    return file.stat().st_size


def is_complete(folder: Path, state: FileState) -> bool:
    """Whether a folder exists with each file as it was written."""
    try:
        states = json.loads((folder / _CONTENTS).read_text(encoding="utf-8"))
        return all(state(folder / name) == written for name, written in states.items())
    except (OSError, ValueError, AttributeError):
        return False


def write_folder(folder: Path, write: Callable[[Path], None], state: FileState) -> None:
    """Write a folder of the cache and rename it into place, over an incomplete one.

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
