"""Limits that hold before a route is reached: size of the body, time, and what is counted."""

from __future__ import annotations

import asyncio
import time

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from queries.service.metrics import Metrics
from queries.service.problems import SECURITY_HEADERS, Problem
from queries.service.settings import ServiceSettings

_BODIES = 8
"""Bodies of the largest size that may be held at a time."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HEADERS = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


class BodyTooLargeError(Exception):
    """A request has sent more than it may."""


class BodiesTooManyError(Exception):
    """The bodies of the requests under way are as much as the service holds."""


class Limits:
    """ASGI middleware: bounds a request in bytes and seconds, and counts it.

    Bodies are held in memory, before any queue is asked whether it has room. So all of them
    together are bounded too.
    """

    def __init__(self, app: ASGIApp, *, settings: ServiceSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection's request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        try:
            await self._bounded(scope, receive, watched)
        except (BodyTooLargeError, BodiesTooManyError, TimeoutError) as error:
            if status:  # The answer has begun: all that is left is to break it off.
                raise
            await self._refusal(error).response()(scope, receive, watched)
        except ClientDisconnect:
            raise
        except Exception:
            status = status or 500  # answered outside of this
            raise
        finally:
            self._count(scope, status, time.perf_counter() - start)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._settings.max_body
        announced = Request(scope).headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            raise BodyTooLargeError
        read = 0
        refusal: Exception | None = None

        async def counted() -> Message:
            nonlocal read, refusal
            message = await receive()
            if message["type"] == "http.request":
                came = len(message.get("body", b""))
                read += came
                self._held += came
                if read > limit:
                    refusal = BodyTooLargeError()
                elif self._held > _BODIES * limit:
                    refusal = BodiesTooManyError()
                if refusal is not None:
                    raise refusal
            return message

        async def unless_refused(message: Message) -> None:
            if refusal is not None:  # FastAPI made a 400 of it
                raise refusal
            await send(message)

        try:
            await self._in_time(scope, counted, unless_refused)
        finally:
            self._held -= read

    async def _in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        seconds = self._settings.request_timeout_s
        async with asyncio.timeout(seconds) as deadline:

            async def sent(message: Message) -> None:
                # An answer that has begun may take long, as a large table does, part by part.
                deadline.reschedule(loop.time() + seconds)
                await send(message)

            await self._app(scope, receive, sent)

    def _refusal(self, error: Exception) -> Problem:
        if isinstance(error, BodyTooLargeError):
            detail = f"The body exceeds {self._settings.max_body:,} bytes: send fewer at a time."
            return Problem(413, "too-large", "The request is too large", detail)
        if isinstance(error, BodiesTooManyError):
            detail = "Other requests send too much at the moment: try again in a few seconds."
            headers = {"Retry-After": "5", "Connection": "close"}
            return Problem(503, "queue-full", "Too much is sent at a time", detail, headers=headers)
        detail = f"Not done within {self._settings.request_timeout_s:g} s: ask for less at a time."
        headers = {"Retry-After": "5", "Connection": "close"}
        return Problem(503, "timeout", "The request took too long", detail, headers=headers)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's pattern: a path of its own for each item would never end. So would methods:
        # any word can be sent as one, without a key.
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(route, method, str(status or 499)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
