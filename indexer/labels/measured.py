"""Marks a label set whose labels are decided by pixels where these were measured."""

from __future__ import annotations

from pathlib import Path

_MARK = "by-pixels"


def is_by_pixels(folder: Path) -> bool:
    """Whether a label set is decided by pixels; ``folder``: of its labels."""
    return (folder / _MARK).exists()


def set_by_pixels(folder: Path, by_pixels: bool) -> None:
    """Let a label set be decided by pixels, or by embeddings again."""
    if by_pixels:
        (folder / _MARK).touch()
    else:
        (folder / _MARK).unlink(missing_ok=True)
