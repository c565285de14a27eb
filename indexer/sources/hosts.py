"""How each host of the web is asked: so many requests at once, pauses, and when to stop asking.

A host that throttles or fails is asked by one request at a time until it answers again. After a
number of attempts in a row that failed it is given up for the run: its other items would wait as
long, each of them, and those of other hosts behind them.
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

STRIKES = 5
"""Attempts in a row after which a host is given up; those that failed at once are one."""

LONGEST_WAIT_S = 60.0
"""A host that asks for a longer pause is given up: the run would stand still for it."""


_LONGEST_BACKOFF_S = 30.0


@dataclass(slots=True)
class _Host:
    """What is known of one host; ``turn`` guards it and tells of changes."""

    turn: threading.Condition = field(default_factory=threading.Condition)
    under_way: int = 0
    strikes: int = 0
    struck_at: float = 0.0
    not_before: float = 0.0
    given_up: str = ""


class Hosts:
    """The hosts that a run asks; safe to share by threads.

    Args:
        per_host: requests to one host at once.
        sleep: waits so many seconds, or less; tests give another.
    """

    def __init__(
        self, per_host: int = PER_HOST, *, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self.per_host = per_host
        self._sleep = sleep
        self._hosts: dict[str, _Host] = {}
        self._adding = threading.Lock()

    @contextlib.contextmanager
    def asked(self, url: str) -> Iterator[float]:
        """Hold one of the requests that a host may have at once, when its pause is over.

        Yields:
            When the attempt began, for ``failed``.

        Raises:
            ItemError: HOST_GIVEN_UP.
        """
        host = self._host(url)
        with host.turn:
            while not host.given_up and host.under_way >= (1 if host.strikes else self.per_host):
                host.turn.wait()
            _refuse(host, url)
            host.under_way += 1
            pause_s = host.not_before - time.monotonic()
        try:
            if pause_s > 0:
                self._sleep(pause_s)
            with host.turn:
                _refuse(host, url)
            yield time.monotonic()
        finally:
            with host.turn:
                host.under_way -= 1
                host.turn.notify_all()

    def answered(self, url: str) -> None:
        """Remember that a host answers as it should."""
        host = self._host(url)
        with host.turn:
            host.strikes, host.not_before = 0, 0.0
            host.turn.notify_all()

    def failed(
        self, url: str, cause: str, *, began: float, pause_s: float, backoff_s: float
    ) -> None:
        """Remember a failed attempt, and leave the host alone for a while.

        Args:
            began: as ``asked`` gave it.
            pause_s: what the host asked for.
            backoff_s: pause after the first failure; doubles with each further one in a row.
        """
        host = self._host(url)
        with host.turn:
            if began >= host.struck_at:  # not one of several that failed together
                host.strikes += 1
                host.struck_at = time.monotonic()
            pause_s = max(pause_s, min(backoff_s * 2 ** (host.strikes - 1), _LONGEST_BACKOFF_S))
            host.not_before = max(host.not_before, time.monotonic() + pause_s)
            if pause_s > LONGEST_WAIT_S:
                host.given_up = f"{cause}, and asks to be left alone for {pause_s:,.0f} s"
            elif host.strikes >= STRIKES:
                host.given_up = f"{cause}, the last of {host.strikes} attempts that failed in a row"
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
