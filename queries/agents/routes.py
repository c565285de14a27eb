"""Asks the routes of the service: in this process, or of a service that runs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx

from indexer.catalog.options import CatalogOptions
from indexer.core.errors import StoreUnavailableError
from queries.agents.tools import RouteRequest
from queries.service.app import create_app
from queries.service.client import content_of
from queries.service.keys import ApiKey, Scope
from queries.service.settings import ServiceSettings

_HERE = "http://127.0.0.1"
_TIMEOUT_S = 300.0
"""A first question loads the model."""


class OneKey:
    """The keys of a service that one agent asks: whoever asks has this scope.

    The agent's program was started by someone who may read the data folder, so it is asked for no
    key of the folder's. Its scope is what it was started with.
    """

    in_use = True

    def __init__(self, scope: Scope) -> None:
        self._key = ApiKey(key_id="mcp", name="mcp", scope=scope, digest="", created="")

    def check(self, text: str) -> ApiKey | None:
        """The key, whatever is presented."""
        del text
        return self._key


class Routes:
    """Asks one service.

    Args:
        http: a client of it.
        where: its address, for messages.
    """

    def __init__(self, http: httpx.AsyncClient, where: str) -> None:
        self._http = http
        self._where = where

    async def ask(self, request: RouteRequest) -> Any:
        """The answer to a request, from JSON.

        Raises:
            ServiceError: refused; the message is the problem document's detail.
            StoreUnavailableError: the service does not answer.
        """
        body: dict[str, Any] = {}
        if request.files:
            body = {"files": list(request.files), "data": dict(request.form)}
        elif request.content is not None:
            body = {"json": dict(request.content)}
        try:
            answer = await self._http.request(
                request.method, request.path, params=dict(request.query), **body
            )
        except httpx.TransportError as error:
            raise StoreUnavailableError(
                f"the service at {self._where} does not answer ({error or type(error).__name__}). "
                "Start it with: zeroshelf serve"
            ) from error
        return content_of(answer)


@contextlib.asynccontextmanager
async def routes_here(options: CatalogOptions, scope: Scope) -> AsyncIterator[Routes]:
    """The routes of a service in this process, which listens nowhere."""
    # Patient: the first question waits for the model, and nobody else waits behind it.
    settings = ServiceSettings(request_timeout_s=_TIMEOUT_S)
    app = create_app(options, settings, keys=OneKey(scope))
    transport = httpx.ASGITransport(app=app)
    headers = {"Authorization": "Bearer mcp"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url=_HERE, headers=headers, timeout=_TIMEOUT_S
        ) as http,
    ):
        yield Routes(http, "this process")


@contextlib.asynccontextmanager
async def routes_of(address: str, key: str) -> AsyncIterator[Routes]:
    """The routes of a service that runs.

    Args:
        key: an API key; empty for none. What it may do, the agent may do.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=_TIMEOUT_S) as http:
        yield Routes(http, address)
