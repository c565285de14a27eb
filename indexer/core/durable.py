"""Files that a crash leaves whole: written aside, synced, renamed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from indexer.core.system_errors import writing


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


@contextlib.contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """A path beside the target for the block to write; it then replaces the target durably.

    Errors of writing name the file, also those of libraries that leave it out.
    """
    aside = target.with_suffix(".writing")
    with writing(aside):
        yield aside
    replace_durably(aside, target)


def write_text_durably(target: Path, text: str) -> None:
    """Write a text file in UTF-8 so that a crash leaves the old one or the new one."""
    with written_aside(target) as aside:
        aside.write_text(text, encoding="utf-8")
