"""Runs the application under uvicorn, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from indexer.build import CatalogOptions
from indexer.errors import UsageError
from queries.service.access import is_loopback
from queries.service.app import create_app
from queries.service.keys import KeyFile
from queries.service.settings import ServiceSettings

_log = logging.getLogger(__name__)

_GRACE_S = 10
"""Seconds that answers under way have when the service is told to stop."""

_HEADER_S = 10.0
"""Seconds that a connection has for a request's headers."""


class ImpatientProtocol(H11Protocol):
    """Closes connections that do not get on with a request's headers.

    uvicorn waits for ever for them, so that a client which sends one byte now and then could
    hold as many connections as there are; also one whose earlier request was answered.
    """

    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Stop the clock when headers are complete, start it with those of a next request."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop it."""
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        # A request whose headers are complete has the service's own limits.
        if self.conn.their_state is not h11.IDLE:
            self._stop()
        elif self._clock is None:
            self._clock = self.loop.call_later(_HEADER_S, self.transport.close)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None


def run(
    options: CatalogOptions,
    settings: ServiceSettings,
    *,
    on_ready: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGINT or SIGTERM; answers under way are finished.

    Args:
        on_ready: told the service's address once it listens.

    Raises:
        UsageError: the address is taken, or others than this machine could reach a
            service without keys.
    """
    has_keys = bool(KeyFile(options.data_dir).all())
    if not has_keys and not is_loopback(settings.host):
        raise UsageError(
            f"--host {settings.host} lets others in, and there are no keys. Make one first with: "
            "zeroshelf keys add NAME, or leave --host out to serve this machine only."
        )
    if not has_keys:
        _log.warning("no keys: everyone on this machine may do everything, and nobody else.")
    config = uvicorn.Config(
        create_app(options, settings),
        http=ImpatientProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=5,
        h11_max_incomplete_event_size=32 * 2**10,
    )
    with _listening(settings) as listener:
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        on_ready(f"http://{shown}:{port}")
        uvicorn.Server(config).run(sockets=[listener])


def _listening(settings: ServiceSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=256)
    except OSError as error:
        raise UsageError(
            f"{settings.host}:{settings.port} can't be listened on ({error.strerror}): stop what "
            "uses it, or give another --port."
        ) from error
