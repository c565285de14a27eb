"""Connections, by uvicorn: how long they may be idle, and when they are closed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from indexer.core.errors import UsageError

_GRACE_S = 10
"""Seconds that answers under way have when the service is told to stop."""

_HEADER_S = 10.0
"""Seconds that a connection has for a request's headers."""

_FLUSH_S = 10.0
"""Seconds in which a client takes something of an answer whose connection is closed."""

_MOST = 800
"""Connections; fewer than a process may usually have files open, which is 1,024."""

_KEEP_ALIVE_S = 75
"""Seconds that a connection may be idle between two requests.

More than clients and proxies keep theirs (httpx 5, AWS load balancers 60), so that it is they
who close: a request that is sent just as the service closes its connection gets no answer.
"""


class PatientProtocol(H11Protocol):
    """Closes connections that make it wait too long, and only those.

    uvicorn waits for ever for a request's headers, so that a client which sends one byte now
    and then could hold as many connections as there are; also one whose earlier request was
    answered, or refused before its body was there.

    On the other hand, an event loop that was held up runs timers that are due before it reads
    what has come meanwhile. So a timer only has the loop read once more, and then closes.
    """

    _clock: asyncio.TimerHandle | None = None
    _sweeper: asyncio.TimerHandle | None = None
    _unsent: int | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._watch()
        self._sweep()

    def data_received(self, data: bytes) -> None:
        """Stop the clock when headers are complete, start it with those of a next request."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop it."""
        self._stop()
        if self._sweeper is not None:
            self._sweeper.cancel()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        """The connection was idle too long, unless something has come and was not read yet."""
        self.timeout_keep_alive_task = self.loop.call_later(0, super().timeout_keep_alive_handler)

    def _sweep(self) -> None:
        # asyncio closes when all is sent: a client that takes nothing would never be let go.
        closing = self.transport.is_closing()
        unsent = self.transport.get_write_buffer_size() if closing else None
        if unsent is not None and unsent == self._unsent:
            self.transport.abort()
            return
        self._unsent = unsent
        self._sweeper = self.loop.call_later(_FLUSH_S, self._sweep)

    def _watch(self) -> None:
        # A request whose headers are complete has the service's own limits, until its answer.
        answered = self.conn.our_state is h11.DONE
        if self.conn.their_state is not h11.IDLE and not answered:
            self._stop()
        elif self._clock is None:
            self._clock = self.loop.call_later(_HEADER_S, self._too_late)

    def _too_late(self) -> None:
        self._clock = self.loop.call_later(0, self.transport.close)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None


class _Server(uvicorn.Server):
    """Tells when requests are answered.

    Args:
        on_started: called once then.
    """

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then take connections."""
        await super().startup(sockets)
        if self.started:
            self._on_started()


def server_of(app: ASGIApp, on_started: Callable[[], None] = lambda: None) -> uvicorn.Server:
    """What serves an application on sockets that listen.

    Args:
        on_started: called when requests are answered.
    """
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=_MOST,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=_KEEP_ALIVE_S,
        h11_max_incomplete_event_size=32 * 2**10,
    )
    return _Server(config, on_started)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        UsageError: the address is taken, or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise UsageError(
            f"{host}:{port} can't be listened on ({error.strerror}): stop what "
            "uses it, or give another --port."
        ) from error
    # An answer goes out in several parts: by Nagle's algorithm the second would wait for the
    # client to acknowledge the first, which takes 40 ms. asyncio sees to that only for sockets
    # that name their protocol; those that are accepted have it from the one that listens.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
