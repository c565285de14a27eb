"""Work for a client that has gone ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import Request
from starlette.requests import ClientDisconnect

# ASGI tells of a client that left only when it is asked.
_LOOK_S = 0.25


@contextlib.asynccontextmanager
async def ending_with(request: Request) -> AsyncIterator[None]:
    """Cancel the block where the client of a request, whose body was read, closes its connection.

    Starlette tells a handler nothing of that unless it asks.

    Raises:
        ClientDisconnect: the client has gone.
    """
    task = asyncio.current_task()
    assert task is not None
    has_gone = False

    async def watch() -> None:
        nonlocal has_gone
        while not await request.is_disconnected():
            await asyncio.sleep(_LOOK_S)
        has_gone = True
        task.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if not has_gone:
            raise
        task.uncancel()
        raise ClientDisconnect from None
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
