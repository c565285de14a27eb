"""``/v1/jobs/map``: the counterparts of the catalog's labels in another taxonomy."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from queries.mapping.job import MappingOptions, map_labels
from queries.mapping.mapper import ACCEPTED_FROM, MappingStatus
from queries.service.dependencies import MayWrite, SharedEngine, SharedJobs, SharedWriter
from queries.service.jobs import Job
from queries.service.problems import RESPONSES
from queries.service.routes.labels import label_file
from queries.service.schemas.jobs import JobOut
from queries.service.schemas.mapping import MappingJob

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=RESPONSES)


@router.post("/map", status_code=202, dependencies=[MayWrite])
async def start_map(
    body: MappingJob, engine: SharedEngine, jobs: SharedJobs, writer: SharedWriter
) -> JobOut:
    """Map the catalog's labels to those of another taxonomy; doubtful ones are for review."""
    import pyarrow.parquet as pq

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
        votes = result.votes
        facts = {
            "labels": len(result.mapping.rows),
            "targets": len(result.mapping.target),
            "shared_ids": result.mapping.shared_ids,
            "items": 0 if votes is None else int(votes.items.sum()),
            **{status.value: result.mapping.count(status) for status in MappingStatus},
        }
        return job.finish(facts, path)

    await engine.load_if_any()
    return JobOut.of(jobs.start("map", work))
