"""Limits that hold before a route is reached: size of the body, time, and what is counted."""

from __future__ import annotations

import asyncio
import time

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from queries.service.metrics import Metrics
from queries.service.problems import Problem
from queries.service.settings import ServiceSettings

SECURITY_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        b"connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class BodyTooLargeError(Exception):
    """A request has sent more than it may."""


class Limits:
    """ASGI middleware: bounds a request in bytes and seconds, and counts it."""

    def __init__(self, app: ASGIApp, *, settings: ServiceSettings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics

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
                message["headers"] = [*message.get("headers", []), *SECURITY_HEADERS]
            await send(message)

        try:
            await self._bounded(scope, receive, watched)
        except (BodyTooLargeError, TimeoutError) as error:
            if status:  # The answer has begun: all that is left is to break it off.
                raise
            await self._refusal(error).response()(scope, receive, watched)
        finally:
            self._count(scope, status, time.perf_counter() - start)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._settings.max_body
        announced = Request(scope).headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            raise BodyTooLargeError
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > limit:
                    raise BodyTooLargeError
            return message

        async with asyncio.timeout(self._settings.request_timeout_s):
            await self._app(scope, counted, send)

    def _refusal(self, error: Exception) -> Problem:
        if isinstance(error, BodyTooLargeError):
            detail = f"The body exceeds {self._settings.max_body:,} bytes: send fewer at a time."
            return Problem(413, "too-large", "The request is too large", detail)
        detail = f"Not done within {self._settings.request_timeout_s:g} s: ask for less at a time."
        headers = {"Retry-After": "5", "Connection": "close"}
        return Problem(503, "timeout", "The request took too long", detail, headers=headers)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's pattern: a path of its own for each item would never end.
        route = getattr(scope.get("route"), "path", "none")
        self._metrics.requests.labels(route, scope["method"], str(status or 499)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
