"""Trying again what may pass: pauses that double, with jitter."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from indexer.core.errors import StoreUnavailableError

Result = TypeVar("Result")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0
PATIENCE_S = 180.0
"""How long a database may be away: a server that was killed takes a minute to be back."""

_log = logging.getLogger(__name__)


def patiently(attempt: Callable[[], Result], *, gives_up: Callable[[], bool]) -> Result:
    """Do a piece of work again until the database is back.

    Many clients of one server must not come back all at once, so each pause is drawn
    between half of its length and all of it ("equal jitter", M. Brooker, "Exponential
    Backoff And Jitter", AWS Architecture Blog, 2015).

    Args:
        attempt: may be done twice without harm.
        gives_up: asked after each failure.

    Raises:
        StoreUnavailableError: the database is away, and patience has ended.
    """
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            return attempt()
        except StoreUnavailableError as error:
            if gives_up():
                raise
            _log.warning("the database is away, trying again in %.0f s: %s", pause_s, error)
        time.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def deadline() -> Callable[[], bool]:
    """Gives up after ``PATIENCE_S``, counted from now."""
    until = time.monotonic() + PATIENCE_S
    return lambda: time.monotonic() > until
