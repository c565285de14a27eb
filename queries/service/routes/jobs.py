"""``/v1/jobs``: bulk ingestion and categorization, in the background."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import APIRouter, UploadFile
from fastapi.responses import FileResponse

from indexer.catalog.opening import open_catalog
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.retry import retry
from queries.categorizing.categorize import Selection, categorize
from queries.service.dependencies import (
    MayRead,
    MayWrite,
    SharedEngine,
    SharedJobs,
    SharedSpool,
    SharedWriter,
)
from queries.service.jobs import Job, Jobs, State
from queries.service.problems import RESPONSES, Problem
from queries.service.schemas.jobs import CategorizeJob, JobOut, JobsResponse

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=RESPONSES)

_ENDING = ".parquet"


@router.get("", dependencies=[MayRead])
async def list_jobs(jobs: SharedJobs) -> JobsResponse:
    """The jobs since the service started, newest first."""
    return JobsResponse(jobs=[JobOut.of(job) for job in jobs.all()])


@router.post("/categorize", status_code=202, dependencies=[MayWrite])
async def start_categorize(
    body: CategorizeJob, engine: SharedEngine, jobs: SharedJobs, writer: SharedWriter
) -> JobOut:
    """Label every stored item, and give the items their labels."""

    def work(job: Job) -> dict[str, Any]:
        path = job.folder / f"labels{_ENDING}"
        with open_catalog(writer.options, write=True) as catalog:
            report = categorize(
                catalog,
                path,
                body.options.question(),
                sets=body.sets,
                selection=Selection(filter_expression=body.filter, partition=body.partition),
                write_back=body.write_back,
                watch=job.watch(),
            )
        return job.finish(asdict(report), path)

    await engine.load_if_any()
    return JobOut.of(jobs.start("categorize", work))


@router.post("/ingest", status_code=202, dependencies=[MayWrite])
async def start_ingest(
    archive: UploadFile,
    engine: SharedEngine,
    jobs: SharedJobs,
    writer: SharedWriter,
    spool: SharedSpool,
) -> JobOut:
    """Bring in the pictures of a tar archive, as a WebDataset shard or any tar of pictures.

    The archive is kept: it is where the items' pictures lie.
    """
    options = IngestOptions(decoder=engine.decoding.for_threads())
    jobs.require_room()
    stored = Path(await asyncio.to_thread(spool.keep, await archive.read(), ending=".tar"))

    def work(job: Job) -> dict[str, Any]:
        report = ingest(writer.options, [str(stored)], options, job.watch())
        return report.facts()

    await engine.load()
    return JobOut.of(jobs.start("ingest", work))


@router.post("/retry", status_code=202, dependencies=[MayWrite])
async def start_retry(engine: SharedEngine, jobs: SharedJobs, writer: SharedWriter) -> JobOut:
    """Try the dead letters again."""
    options = IngestOptions(decoder=engine.decoding.for_threads())

    def work(job: Job) -> dict[str, Any]:
        report, left = retry(writer.options, options, job.watch())
        return report.facts() | {"left_alone": left}

    await engine.load()
    return JobOut.of(jobs.start("retry", work))


@router.get("/{job_id}", dependencies=[MayRead])
async def get_job(jobs: SharedJobs, job_id: str) -> JobOut:
    """How far a job is."""
    return JobOut.of(_find(jobs, job_id))


@router.delete("/{job_id}", dependencies=[MayWrite])
async def cancel_job(jobs: SharedJobs, job_id: str) -> JobOut:
    """Ask a job to stop; what it has stored stays, and the same job again goes on."""
    job = _find(jobs, job_id)
    jobs.cancel(job)
    return JobOut.of(job)


@router.get(
    "/{job_id}/result",
    dependencies=[MayRead],
    response_class=FileResponse,
    responses={200: {"content": {"application/vnd.apache.parquet": {}}}},
)
async def get_result(jobs: SharedJobs, job_id: str) -> FileResponse:
    """The table that a job wrote, as Parquet."""
    table = finished_table(jobs, job_id)
    media_type = "application/vnd.apache.parquet"
    return FileResponse(table, filename=table.name, media_type=media_type)


def finished_table(jobs: Jobs, job_id: str) -> Path:
    """The table that a job wrote.

    Raises:
        Problem: 404, no such job; 409, it has no table.
    """
    job = _find(jobs, job_id)
    if job.state is not State.DONE or job.result is None:
        detail = f"Job {job_id} is {job.state} and has no result to download."
        raise Problem(409, "no-result", "No result", detail)
    return job.result


def _find(jobs: Jobs, job_id: str) -> Job:
    job = jobs.find(job_id)
    if job is None:
        detail = "There is no such job since the service started."
        raise Problem(404, "not-found", "No such job", detail)
    return job
