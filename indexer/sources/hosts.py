"""Limits the requests to each host: their number, pauses, and when to give it up.

A host that throttles or fails gets one request at a time until it answers again. After several
failed attempts in a row it is given up for the run: each of its other items would wait as long,
and those of other hosts behind them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from indexer.core.errors import ItemError
from indexer.core.reasons import Reason

PER_HOST = 8
"""Requests to one host at once."""

MAX_FAILURES = 5
"""Failures in a row after which a host is given up; simultaneous ones count once."""

LONGEST_WAIT_S = 60.0
"""A host that requests a longer pause is given up, since the run would wait for it."""


_LONGEST_BACKOFF_S = 30.0


@dataclass(slots=True)
class _Host:
    """State of one host; ``turn`` guards it and signals changes."""

    turn: threading.Condition = field(default_factory=threading.Condition)
    pending: int = 0
    failures: int = 0
    failed_at: float = 0.0
    not_before: float = 0.0
    given_up: str = ""


class Hosts:
    """The hosts of a run; thread-safe.

    Args:
        per_host: requests to one host at once.
        sleep: waits so many seconds, or less; tests replace it.
    """

    def __init__(
        self, per_host: int = PER_HOST, *, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self.per_host = per_host
        self._sleep = sleep
        self._hosts: dict[str, _Host] = {}
        self._adding = threading.Lock()

    @contextlib.contextmanager
    def request(self, url: str) -> Iterator[float]:
        """Hold one of a host's concurrent requests, after its pause.

        Yields:
            The time when the attempt began, for ``failed``.

        Raises:
            ItemError: HOST_GIVEN_UP.
        """
        host = self._host(url)
        with host.turn:
            while not host.given_up and host.pending >= (1 if host.failures else self.per_host):
                host.turn.wait()
            _refuse(host, url)
            host.pending += 1
            pause_s = host.not_before - time.monotonic()
        try:
            if pause_s > 0:
                self._sleep(pause_s)
            with host.turn:
                _refuse(host, url)
            yield time.monotonic()
        finally:
            with host.turn:
                host.pending -= 1
                host.turn.notify_all()

    def answered(self, url: str) -> None:
        """Record that a host answers."""
        host = self._host(url)
        with host.turn:
            host.failures, host.not_before = 0, 0.0
            host.turn.notify_all()

    def failed(
        self, url: str, cause: str, *, began: float, pause_s: float, backoff_s: float
    ) -> None:
        """Record a failed attempt, and pause requests to the host.

        Args:
            began: the value of ``request``.
            pause_s: the pause that the host requested.
            backoff_s: pause after the first failure; doubles with each further one in a row.
        """
        host = self._host(url)
        with host.turn:
            if began >= host.failed_at:  # not one of several that failed together
                host.failures += 1
                host.failed_at = time.monotonic()
            pause_s = max(pause_s, min(backoff_s * 2 ** (host.failures - 1), _LONGEST_BACKOFF_S))
            host.not_before = max(host.not_before, time.monotonic() + pause_s)
            if pause_s > LONGEST_WAIT_S:
                host.given_up = f"{cause}, and asks to be left alone for {pause_s:,.0f} s"
            elif host.failures >= MAX_FAILURES:
                host.given_up = (
                    f"{cause}, the last of {host.failures} attempts that failed in a row"
                )
            host.turn.notify_all()

    def refuse(self, url: str) -> None:
        """Refuse a URL whose host was given up.

        Raises:
            ItemError: HOST_GIVEN_UP.
        """
        host = self._host(url)
        with host.turn:
            _refuse(host, url)

    def _host(self, url: str) -> _Host:
        name = host_of(url)
        with self._adding:
            return self._hosts.setdefault(name, _Host())


def host_of(url: str) -> str:
    """Host and port of a URL, without its user; the URL itself where it has none."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return url


def _refuse(host: _Host, url: str) -> None:
    if host.given_up:
        raise ItemError(
            Reason.HOST_GIVEN_UP,
            f"{host_of(url)} was given up for this run: {host.given_up}; try again later with: "
            "zeroshelf retry",
        )
