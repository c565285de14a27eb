"""Files that a crash leaves whole: written aside, synced, renamed."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_aside(target: Path, *, shared: bool = False) -> Iterator[Path]:
    """Replace a file in one step: write the path that this gives, and close it.

    Whoever reads the target has the old file or the whole new one, after a crash too. Where the
    block raises, the target stays as it was. Its folder is made if it is missing.

    Args:
        target: the file; it need not exist.
        shared: several processes may write it at once; the last one counts.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = aside_of(target)
    if shared:
        aside = aside.with_stem(f"{target.name}.{uuid.uuid4().hex}")
    try:
        with naming(aside):
            yield aside
        replace_durably(aside, target)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_text_durably(target: Path, text: str) -> None:
    """Write a text file in UTF-8 so that a crash leaves the old one or the new one."""
    with written_aside(target) as aside:
        aside.write_text(text, encoding="utf-8")


def aside_of(target: Path) -> Path:
    """Where a file is written until it is complete; nothing reads it there."""
    return target.with_name(f"{target.name}.writing")


def replace_durably(aside: Path, target: Path) -> None:
    """Put a finished file in its place so that a crash leaves the old one or the new one."""
    # Else a crash could leave the new name with bytes that never reached the disk.
    with aside.open("rb") as stream:
        os.fsync(stream.fileno())
    aside.replace(target)
    # The name is in the folder, which the system writes by itself, at another time.
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in errors of libraries that do not, such as Arrow's."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise type(error)(error.errno or 0, error.strerror or str(error), str(path)) from error
