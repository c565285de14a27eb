"""``/v1/map``: the items in two dimensions, and what they are coloured by."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from indexer.catalog.opening import OpenCatalog, open_catalog
from queries.projection.encoding import in_base64, quantized
from queries.projection.item_map import ItemMap, column_names, current_map, values_of
from queries.projection.methods import Method
from queries.projection.projecting import ProjectionOptions, project_items
from queries.service.dependencies import MayRead, MayWrite, SharedEngine, SharedJobs, SharedWriter
from queries.service.jobs import Job
from queries.service.problems import RESPONSES, Problem
from queries.service.schemas.item_map import MapOut, MapValuesOut, ProjectJob, ValueOut
from queries.service.schemas.jobs import JobOut

router = APIRouter(prefix="/v1", tags=["map"], responses=RESPONSES)

_GZIP_LEVEL = 4
"""Base64 of places hardly gets smaller by more, and ids do not by much."""


@router.post("/jobs/project", status_code=202, dependencies=[MayWrite])
async def start_projection(body: ProjectJob, jobs: SharedJobs, writer: SharedWriter) -> JobOut:
    """Lay the items out in two dimensions, near where their embeddings are near."""
    options = ProjectionOptions(
        method=None if body.method is None else Method(body.method),
        seed=body.seed,
        most=body.points,
    )

    def work(job: Job) -> dict[str, Any]:
        with open_catalog(writer.options) as catalog:
            report = project_items(catalog, options, job.watch())
        return asdict(report)

    return JobOut.of(jobs.start("project", work))


@router.get("/map", dependencies=[MayRead], response_model=MapOut)
async def get_map(request: Request, engine: SharedEngine) -> Response:
    """The items' places in two dimensions; compressed where the client takes gzip."""

    def look(catalog: OpenCatalog) -> tuple[ItemMap | None, list[str], int]:
        return current_map(catalog), column_names(catalog), catalog.ledger.item_count()

    item_map, columns, items = await engine.run(look)

    def answer() -> MapOut:
        if item_map is None:
            return _not_laid_out(columns, items)
        x, y = quantized(item_map.places)
        return MapOut(
            version=item_map.version,
            items=item_map.items,
            missing=item_map.missing,
            drawn_from=item_map.drawn_from,
            method=Method(item_map.made.method).value,
            seed=item_map.made.seed,
            trustworthiness=item_map.made.trustworthiness,
            time=item_map.made.time,
            columns=columns,
            item_ids=item_map.item_ids.to_pylist(),
            x=in_base64(x),
            y=in_base64(y),
        )

    return await _packed(request, await asyncio.to_thread(answer))


@router.get("/map/values", dependencies=[MayRead], response_model=MapValuesOut)
async def get_values(
    request: Request,
    engine: SharedEngine,
    column: Annotated[
        str,
        Query(
            min_length=1,
            max_length=512,
            description="branch, label, status, kind, attributes.SET, or a column of the metadata.",
        ),
    ] = "label",
) -> Response:
    """The values of a column over the points of the map, in the order of its items."""

    def look(catalog: OpenCatalog) -> MapValuesOut:
        item_map = _current_map(catalog)
        column_values = values_of(catalog, item_map, column)
        entries = zip(
            column_values.values, column_values.names, column_values.counts.tolist(), strict=True
        )
        return MapValuesOut(
            version=item_map.version,
            column=column,
            values=[ValueOut(value=value, name=name, items=n) for value, name, n in entries],
            others=column_values.others,
            without=column_values.without,
            codes=in_base64(column_values.codes),
        )

    return await _packed(request, await engine.run(look))


def _not_laid_out(columns: list[str], items: int) -> MapOut:
    """A map that no item is on: no error, since the page asks for it to offer the job."""
    return MapOut(
        version="",
        items=items,
        missing=items,
        drawn_from=None,
        method=None,
        seed=None,
        trustworthiness=None,
        time=None,
        columns=columns,
        item_ids=[],
        x="",
        y="",
    )


def _current_map(catalog: OpenCatalog) -> ItemMap:
    item_map = current_map(catalog)
    if item_map is None:
        detail = (
            "The items are not laid out yet, or by another model: start a job at /v1/jobs/project."
        )
        raise Problem(404, "not-found", "No map", detail)
    return item_map


async def _packed(request: Request, answer: BaseModel) -> Response:
    """An answer as JSON, compressed where that is taken."""
    headers = {"Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
    takes_gzip = "gzip" in request.headers.get("accept-encoding", "")

    def pack() -> bytes:
        content = answer.model_dump_json().encode()
        return gzip.compress(content, _GZIP_LEVEL, mtime=0) if takes_gzip else content

    if takes_gzip:
        headers["Content-Encoding"] = "gzip"
    content = await asyncio.to_thread(pack)
    return Response(content, media_type="application/json", headers=headers)
