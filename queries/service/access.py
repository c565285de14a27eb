"""Who asks: API keys, and what a browser of another site may not do."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable

from fastapi import Request
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from indexer.core.errors import ConfigError
from queries.service.keys import ApiKey, Keys, Scope
from queries.service.problems import Problem

PUBLIC = frozenset({"/", "/healthz", "/readyz", "/openapi.json"})
"""What is answered without a key; and the page's files."""

_log = logging.getLogger(__name__)

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """ASGI middleware: no body is read, and no route looked for, before its sender may ask.

    A route that is new is guarded too: ``requires`` only says what more than reading it needs.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Let one request in, or refuse it."""
        if scope["type"] == "http":
            request = Request(scope)
            path = scope["path"]  # that of request.url is made with the sender's Host
            try:
                refuse_other_sites(request)
                if path not in PUBLIC and not path.startswith("/page/"):
                    admit(request, Scope.READ)
            except Problem as problem:
                await problem.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


def requires(scope: Scope) -> Callable[[Request], ApiKey | None]:
    """A dependency that lets a request in whose key has this scope."""

    def check(request: Request) -> ApiKey | None:
        return admit(request, scope)

    return check


def admit(request: Request, scope: Scope) -> ApiKey | None:
    """The key of a request that may do what needs this scope.

    Where there are no keys, the service listens on loopback only, and everyone there may
    do everything: None.

    Raises:
        Problem: 401 no key that holds, 403 one that may do less.
    """
    if _is_open(request):
        return None
    text = _presented(request)
    keys: Keys = request.app.state.keys
    try:
        key = keys.check(text) if text else None
    except ConfigError as error:
        _log.error("%s", error)
        raise Problem(
            503,
            "keys",
            "The keys can't be read",
            "Nobody is let in until the operator has mended them; the log says how.",
        ) from error
    if key is None:
        raise Problem(
            401,
            "unauthorized",
            "A key is needed",
            "Send a key that holds as Authorization: Bearer KEY. The operator makes keys with: "
            "zeroshelf keys add NAME",
            headers={"WWW-Authenticate": "Bearer"},
        )
    if not key.scope.includes(scope):
        raise Problem(
            403,
            "forbidden",
            "The key may not do this",
            f"This needs a key of scope {scope}, and {key.name!r} has {key.scope}.",
        )
    return key


def _is_open(request: Request) -> bool:
    """Whether no key is asked for: there is none, and only this machine is listened to.

    A service that has had a key asks for one, also when it is started anew: revoking the last
    key is to shut everyone out, not to let everyone in who reaches loopback through a proxy.
    """
    state = request.app.state
    state.needs_keys = state.needs_keys or state.keys.in_use
    return not state.needs_keys


def _presented(request: Request) -> str:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return text.strip()
    return request.headers.get("X-API-Key", "")


def refuse_other_sites(request: Request) -> None:
    """Refuse what a page of another site makes a browser send.

    Without keys, only this keeps such a page from writing to a service on loopback. Its
    own requests name their host as their origin; a name that was made to point here
    (DNS rebinding) is no name of this machine.

    Raises:
        Problem: 403, the request is from elsewhere.
    """
    host = request.headers.get("Host", "")
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    if _is_open(request) and name and not is_loopback(name):
        raise _from_elsewhere(f"The host {name!r} is not this machine.")
    origin = request.headers.get("Origin")
    if origin is not None and origin.partition("://")[2] != host:
        raise _from_elsewhere("Requests of other sites' pages are refused.")


def _from_elsewhere(detail: str) -> Problem:
    return Problem(403, "cross-site", "From another site", detail)
