"""Follows a job from outside: its stages, its progress, and the signal to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from indexer.core.errors import StoppedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What a job reports to, and what stops it; without arguments nobody listens.

    Attributes:
        begin: called with the name of a stage and its number of steps, None where unknown. A
            step is what the job counts: a row, an item, a text.
        advance: called with the number of steps that were done since the last call.
        stop: set it to end the job in order.
    """

    begin: Callable[[str, int | None], None] = lambda _stage, _steps: None
    advance: Callable[[int], None] = lambda _steps: None
    stop: threading.Event = field(default_factory=threading.Event)

    def check_stop(self) -> None:
        """End a job that has nothing to bring in order.

        Raises:
            StoppedError: ``stop`` is set.
        """
        if self.stop.is_set():
            raise StoppedError("the job was stopped.")
