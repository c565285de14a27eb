"""Whether the service is ready, looked at once for all who ask."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from indexer.core.errors import ItemError, ZeroshelfError
from queries.service.engine import Engine
from queries.service.problems import Problem, problem_of

_log = logging.getLogger(__name__)

# However often an orchestrator asks, the database is asked once a second.
_KEPT_S = 1.0


class Readiness:
    """One look at the catalog a second: who asks needs no key, and could fill its queue.

    Args:
        engine: whose catalog is looked at.
        warming: what is done before the service is ready.
    """

    def __init__(self, engine: Engine, warming: asyncio.Task[None]) -> None:
        self._engine = engine
        self._warming = warming
        self._look: asyncio.Task[None] | None = None
        self._since = 0.0

    async def check(self) -> None:
        """Return where the catalog is open, its database answers, and its model is loaded.

        Raises:
            Problem: it is not, or not yet; the log says why, and strangers are not told.
            QueueFullError: too much waits.
        """
        if not self._warming.done():
            raise Problem(
                503,
                "loading",
                "The service is not ready yet",
                "It loads the model and tries it: ask again in a second.",
                headers={"Retry-After": "1"},
            )
        now_s = asyncio.get_running_loop().time()
        if self._look is None or (self._look.done() and now_s - self._since > _KEPT_S):
            self._look, self._since = asyncio.create_task(self._looked()), now_s
        await asyncio.shield(self._look)

    async def _looked(self) -> None:
        try:
            await self._engine.run(lambda catalog: catalog.items.count())
            with contextlib.suppress(ItemError):  # a catalog of given vectors needs no model
                await self._engine.load()
        except ZeroshelfError as error:
            _log.warning("not ready: %s", error)
            problem = problem_of(error)
            raise Problem(
                problem.status,
                problem.kind,
                problem.title,
                "The log of the service says why.",
                headers=problem.headers,
            ) from error
