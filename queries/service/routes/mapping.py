"""``/v1/jobs/map``: the counterparts of the catalog's labels in another taxonomy."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request

from queries.mapping.job import MappingOptions, map_labels
from queries.mapping.mapper import ACCEPTED_FROM, MappingStatus
from queries.service.access import requires
from queries.service.jobs import Job, Jobs
from queries.service.keys import Scope
from queries.service.problems import RESPONSES
from queries.service.routes.labels import label_file
from queries.service.schemas.jobs import JobOut
from queries.service.schemas.mapping import MappingJob
from queries.service.writer import Writer

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=RESPONSES)


@router.post("/map", status_code=202, dependencies=[Depends(requires(Scope.WRITE))])
async def start_map(request: Request, body: MappingJob) -> JobOut:
    """Map the catalog's labels to those of another taxonomy; doubtful ones are for review."""
    import pyarrow.parquet as pq

    jobs: Jobs = request.app.state.jobs
    writer: Writer = request.app.state.writer
    how = MappingOptions(
        truth=body.truth,
        by_items=body.items,
        same_ids=body.same_ids,
        min_score=ACCEPTED_FROM if body.min_score is None else body.min_score,
        from_set=body.label_set,
    )

    def work(job: Job) -> dict[str, Any]:
        path, options = job.folder / "mapping.parquet", writer.options
        with label_file(body.labels) as file:
            result = map_labels(options.catalog, file, how, catalogs=options, watch=job.watch())
        pq.write_table(result.mapping.table(), path)
        job.stop.clear()  # too late: it is done
        job.result = path
        votes = result.votes
        return {
            "labels": len(result.mapping.rows),
            "targets": len(result.mapping.target),
            "shared_ids": result.mapping.shared_ids,
            "items": 0 if votes is None else int(votes.items.sum()),
            **{status.value: result.mapping.count(status) for status in MappingStatus},
        }

    await request.app.state.engine.load_if_any()
    return JobOut.of(jobs.start("map", work))
