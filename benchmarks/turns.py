"""What is compared takes turns, so that what slows the machine for a while slows all of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from math import inf


def in_turns(
    runs: Mapping[str, Callable[[], float]],
    rounds: int,
    *,
    warm_up: int = 1,
    within_s: float = inf,
) -> dict[str, list[float]]:
    """The figures of runs, a value a round.

    Args:
        runs: what gives a figure, by its name.
        rounds: those that are counted.
        warm_up: rounds before these.
        within_s: no round begins after it, but one is counted.
    """
    started = time.monotonic()
    figures: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(warm_up + rounds):
        if turn > warm_up and time.monotonic() - started > within_s:
            break
        for name, run in runs.items():
            figure = run()
            if turn >= warm_up:
                figures[name].append(figure)
    return figures


def median_seconds(
    works: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """The median of what each work takes; arguments as of ``in_turns``.

    Args:
        clock: ``time.process_time`` for that of all processors together.
    """
    runs = {name: partial(_seconds, work, clock) for name, work in works.items()}
    figures = in_turns(runs, rounds, warm_up=warm_up)
    return {name: statistics.median(seconds) for name, seconds in figures.items()}


def _seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    started = clock()
    work()
    return clock() - started
