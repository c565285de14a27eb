"""The application that an ASGI server runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from indexer.catalog.opening import CatalogOptions
from queries.review.queue import DecisionCache
from queries.service import problems
from queries.service.access import Guard, is_loopback
from queries.service.batching import QueueFullError
from queries.service.description import describe
from queries.service.engine import Engine
from queries.service.jobs import Jobs
from queries.service.keys import KeyFile, Keys
from queries.service.limits import Limits
from queries.service.metrics import Metrics
from queries.service.parameters import refuse_unknown_parameters
from queries.service.problems import Problem
from queries.service.readiness import Readiness
from queries.service.routes import (
    classifying,
    cleaning,
    explaining,
    item_map,
    items,
    jobs,
    labels,
    mapping,
    monitoring,
    objects,
    page,
    reviewing,
    searching,
    videos,
)
from queries.service.settings import ServiceSettings
from queries.service.tracing import NOT_TRACED, Tracing
from queries.service.warm_up import warm
from queries.service.writer import Spool, Writer, shared

_DESCRIPTION = (
    "Labels product pictures and texts by a catalog's own categories, and finds items. "
    "Errors are problem documents (RFC 9457)."
)


_ROUTES = (
    monitoring,
    classifying,
    explaining,
    searching,
    objects,
    labels,
    items,
    videos,
    reviewing,
    cleaning,
    item_map,
    mapping,
    jobs,
    page,
)


def create_app(
    options: CatalogOptions,
    settings: ServiceSettings,
    *,
    keys: Keys | None = None,
    tracing: Tracing = NOT_TRACED,
) -> FastAPI:
    """The service of one catalog.

    Args:
        options: which catalog, where, and by which model.
        settings: limits and queues.
        keys: who may ask; None are those of the data folder.
        tracing: where spans go; closed with the service.
    """
    metrics = Metrics()
    places = problems.Places.of(options)
    app = FastAPI(
        title="zeroshelf",
        version=version("zeroshelf"),
        description=_DESCRIPTION,
        lifespan=partial(_lifespan, options=options, settings=settings),
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(refuse_unknown_parameters)],
        **tracing.of_requests,
    )
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.tracing = tracing
    app.state.keys = KeyFile(options.data_dir) if keys is None else keys
    app.state.needs_keys = not is_loopback(settings.host) or app.state.keys.in_use
    app.state.places = places
    problems.install(app, places)
    app.add_exception_handler(QueueFullError, _queue_full)
    for routes in _ROUTES:
        app.include_router(routes.router)
    app.include_router(items.pictures)
    app.include_router(items.sounds)
    app.mount("/page", page.files)
    app.openapi = describe(app)  # type: ignore[method-assign]
    app.add_middleware(Guard)
    app.add_middleware(Limits, settings=settings, metrics=metrics)
    return app


@asynccontextmanager
async def _lifespan(
    app: FastAPI, *, options: CatalogOptions, settings: ServiceSettings
) -> AsyncIterator[None]:
    """What lives as long as the service: model, catalog, the one writer, jobs."""
    # FastAPI makes routes when the first request looks for its own, and changes the filters of
    # warnings meanwhile, which are those of all threads: not beside the one that loads the model.
    for route in app.routes:
        route.matches({"type": "http", "method": "GET", "path": "", "headers": []})
    engine = Engine(options, settings, app.state.metrics, app.state.tracing)
    writer = Writer(
        shared(options, engine.model), after_job=lambda: reviewing.store_corrections(options)
    )
    writer.catch_up()
    app.state.engine, app.state.writer = engine, writer
    app.state.decided = DecisionCache()
    app.state.jobs = Jobs(
        writer,
        options.data_dir / "service" / options.catalog / "jobs",
        most_waiting=settings.max_jobs,
        retained=settings.keep_jobs,
        told=app.state.places.hidden_in,
    )
    app.state.spool = Spool(options.data_dir / "uploads" / options.catalog)
    warming = asyncio.create_task(warm(engine))
    app.state.readiness = Readiness(engine, warming)
    yield
    warming.cancel()
    await app.state.jobs.close()
    await writer.close()
    await engine.close()
    app.state.tracing.close()


async def _queue_full(_: Request, __: Exception) -> JSONResponse:
    return Problem(
        503,
        "queue-full",
        "Too many inputs wait",
        "The queue is full: try again in a second, or with fewer at a time.",
        headers={"Retry-After": "1"},
    ).response()
