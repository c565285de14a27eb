"""Whether the service lives, is ready, and what it has done."""

from __future__ import annotations

import contextlib

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.opening import OpenCatalog
from queries.service.batching import QueueFullError
from queries.service.dependencies import MayRead, SharedEngine, SharedMetrics, SharedReadiness
from queries.service.problems import RESPONSES
from queries.service.schemas.wire import Health

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Health:
    """The process answers."""
    return Health(status="ok")


@router.get("/readyz", responses={503: RESPONSES[503], 409: RESPONSES[409]})
async def readyz(readiness: SharedReadiness) -> Health:
    """The catalog is open, its database answers, and its model is loaded and was used once.

    A catalog of vectors that came with the items needs no model.
    """
    await readiness.check()
    return Health(status="ok")


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    dependencies=[MayRead],
    responses={401: RESPONSES[401]},
)
async def metrics(engine: SharedEngine, counted: SharedMetrics) -> PlainTextResponse:
    """Everything counted, in Prometheus' text format.

    Of the catalog what was last known, where too much waits for it.
    """

    def look(catalog: OpenCatalog) -> None:
        counted.items.set(catalog.ledger.item_count())
        counted.dead_letters.set(len(DeadLetters(catalog.folder.dead_letters)))
        counted.labels.clear()
        counted.labels.labels(catalog.label_set.version).set(len(catalog.label_set))

    with contextlib.suppress(QueueFullError):
        await engine.run(look)
    return PlainTextResponse(counted.text(), media_type="text/plain; version=0.0.4")
