"""``/v1/jobs/duplicates`` and ``/v1/jobs/audit``: what is in the catalog twice, or wrong."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query

from indexer.catalog.opening import open_catalog
from indexer.sources import Fetcher
from queries.audit.audit import AuditOptions, audit
from queries.duplicates.finding import find_duplicates
from queries.duplicates.thresholds import picture_reader, thresholds
from queries.service.dependencies import MayRead, MayWrite, SharedEngine, SharedJobs, SharedWriter
from queries.service.jobs import Job
from queries.service.problems import RESPONSES
from queries.service.routes.jobs import finished_table
from queries.service.schemas.cleaning import AuditJob, DuplicatesJob, RowsResponse
from queries.service.schemas.jobs import JobOut

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=RESPONSES)


@router.post("/duplicates", status_code=202, dependencies=[MayWrite])
async def start_duplicates(
    body: DuplicatesJob, engine: SharedEngine, jobs: SharedJobs, writer: SharedWriter
) -> JobOut:
    """Find look-alikes: the same content, near-duplicate pictures, variants of a product."""
    decoder = engine.decoding.for_threads()

    def work(job: Job) -> dict[str, Any]:
        path = job.folder / "duplicates.parquet"
        with Fetcher() as fetcher, open_catalog(writer.options) as catalog:
            limits = thresholds(catalog, fetcher, decoder, near=body.near, product=body.product)
            report, _ = find_duplicates(
                catalog,
                path,
                limits,
                keep_by=body.keep_by,
                variants=body.variants,
                read=picture_reader(fetcher, decoder),
                watch=job.watch(),
            )
        return job.finish(asdict(report), path)

    await engine.load_if_any()
    return JobOut.of(jobs.start("duplicates", work))


@router.post("/audit", status_code=202, dependencies=[MayWrite])
async def start_audit(
    body: AuditJob, engine: SharedEngine, jobs: SharedJobs, writer: SharedWriter
) -> JobOut:
    """Find labels in a column that pictures and titles contradict, with the label that fits."""

    def work(job: Job) -> dict[str, Any]:
        path = job.folder / "errors.parquet"
        with open_catalog(writer.options, write=True) as catalog:
            report, _ = audit(
                catalog,
                path,
                AuditOptions(truth=body.truth, min_probability=body.min_probability),
                watch=job.watch(),
            )
        return job.finish(asdict(report), path)

    await engine.load_if_any()
    return JobOut.of(jobs.start("audit", work))


@router.get("/{job_id}/rows", dependencies=[MayRead])
async def get_rows(
    jobs: SharedJobs,
    job_id: str,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> RowsResponse:
    """Rows of the table that a job wrote, in its order."""
    path = finished_table(jobs, job_id)
    return await asyncio.to_thread(_rows, path, limit, offset)


def _rows(path: Path, limit: int, offset: int) -> RowsResponse:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return RowsResponse(total=table.num_rows, rows=table.slice(offset, limit).to_pylist())
