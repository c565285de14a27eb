"""Chooses the frames of a video that are looked at: one a slot of time; pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_ROUNDING = 1e-6
"""Share of a slot: times are sums of fractions, and a frame at 3.9999999 s is that of 4 s."""


def sampled(
    frames: Iterable[tuple[float, T]], *, fps: float, start_s: float = 0.0
) -> Iterator[tuple[float, T]]:
    """One frame a slot of ``1 / fps`` seconds: the first in it.

    A frame that is shown for longer than a slot comes once. Where a slot has no frame, and a newer
    one than that of the slot before is on the screen, that one is taken: a slide that appears
    between two slots and stays is seen.

    Args:
        frames: with their times in seconds, in order; all of them, or the more important ones.
        fps: slots a second.
        start_s: time of the first slot.

    Yields:
        The time at which a slot begins, and its frame.
    """
    due = 0
    on_screen: T | None = None
    for time_s, frame in frames:
        slot = slot_of(time_s, fps=fps, start_s=start_s)
        if slot > due and on_screen is not None:
            yield start_s + due / fps, on_screen
            due, on_screen = due + 1, None
        if slot >= due:
            yield start_s + slot / fps, frame
            due, on_screen = slot + 1, None
        else:
            on_screen = frame


def slot_of(time_s: float, *, fps: float, start_s: float = 0.0) -> int:
    """Number of the slot of a time; negative before the first one."""
    return math.floor((time_s - start_s) * fps + _ROUNDING)
