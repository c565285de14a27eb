"""``/v1/review`` and ``/v1/catalog``: what people look at, and what they say."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.label_sets import CATEGORY
from queries.deciding.question import Question
from queries.review import corrections as review
from queries.review.queue import DecisionCache, Queue
from queries.service.access import requires
from queries.service.engine import Engine
from queries.service.inputs import stored_vectors
from queries.service.jobs import Job, Jobs
from queries.service.keys import ApiKey, Scope
from queries.service.problems import RESPONSES
from queries.service.schemas.classifying import PredictionOut
from queries.service.schemas.jobs import JobOut
from queries.service.schemas.reviewing import (
    CatalogOut,
    CategoryOut,
    CorrectionOut,
    DoubtOut,
    ReviewResponse,
    VerdictIn,
)
from queries.service.schemas.wire import SetName
from queries.service.writer import Writer
from queries.teaching.teach import teach

router = APIRouter(prefix="/v1", tags=["review"], responses=RESPONSES)
MayAdminister = Depends(requires(Scope.ADMIN))
MayRead = Depends(requires(Scope.READ))


def store_corrections(options: CatalogOptions) -> None:
    """Give items the labels that people said, where they do not have them yet.

    Raises:
        CatalogError: another process writes to the catalog.
    """
    with open_catalog(options) as catalog:
        if not any(map(review.pending_verdicts, catalog.sets)):
            return
    with open_catalog(options, write=True) as catalog:
        for at_set in catalog.sets:
            review.apply_verdicts(at_set, review.pending_verdicts(at_set))


@router.get("/catalog", dependencies=[MayRead])
async def at_a_glance(request: Request, set: SetName = CATEGORY) -> CatalogOut:  # noqa: A002
    """Counts by label, dead letters by reason, and what is served."""
    engine: Engine = request.app.state.engine
    decided: DecisionCache = request.app.state.decided

    def look(opened: OpenCatalog) -> CatalogOut:
        catalog = opened.of_set(set)
        paths = {label.label_id: list(label.path) for label in catalog.label_set.labels}
        return CatalogOut(
            catalog=catalog.folder.name,
            label_set=set,
            label_sets=list(catalog.folder.set_names()),
            model=catalog.fingerprint.models,
            items=catalog.ledger.item_count(),
            labels=len(catalog.label_set),
            label_version=catalog.label_set.version,
            adapted=catalog.adaptation is not None,
            reviewed=len(decided.corrections(catalog)),
            categories=[
                CategoryOut(**asdict(category), path=paths.get(category.label_id, []))
                for category in decided.categories(catalog)
            ],
            dead_letters=DeadLetters(catalog.folder.dead_letters).by_reason(),
        )

    return await engine.run(look)


_SHOWN = ("title", "kind", "metadata", "parts")


@router.get("/review", dependencies=[MayRead])
async def review_queue(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0)] = 0,
    set: SetName = CATEGORY,  # noqa: A002 - the parameter's name in the address
) -> ReviewResponse:
    """Items that nobody has looked at, the most useful first, with the labels they could have."""
    engine: Engine = request.app.state.engine
    decided: DecisionCache = request.app.state.decided

    def look(opened: OpenCatalog) -> tuple[Queue, dict[str, Any], Any]:
        catalog = opened.of_set(set)
        queue = decided.queue(catalog, limit=limit, offset=offset)
        rows = catalog.ledger.parts.rows_of([doubt.item_id for doubt in queue.page])
        leads = {item_id: item_rows[0].row_id for item_id, item_rows in rows.items()}
        stored = catalog.items.fetch(list(leads.values()))
        fields = {
            item_id: stored[lead]
            | {"parts": [row.row_id for row in rows[item_id]] if len(rows[item_id]) > 1 else []}
            for item_id, lead in leads.items()
            if lead in stored
        }
        vectors = [stored_vectors(catalog, doubt.item_id) for doubt in queue.page]
        return queue, fields, vectors

    queue, fields, vectors = await engine.run(look)
    doubts, answers = queue.page, []
    if doubts:
        seen = np.array([vector for vector, _ in vectors])
        titles = [title for _, title in vectors]
        answers = await engine.classify(seen, Question(set_name=set), titles=titles)
    return ReviewResponse(
        total=queue.total,
        doubtful=queue.doubtful,
        expected_errors=queue.expected_errors,
        items=[
            DoubtOut(
                **asdict(queued),
                **{name: fields[queued.item_id][name] for name in _SHOWN},
                predictions=[PredictionOut.of(prediction) for prediction in answer],
            )
            for queued, answer in zip(doubts, answers, strict=True)
            if queued.item_id in fields
        ],
    )


@router.post("/review")
async def say(
    request: Request,
    body: VerdictIn,
    key: Annotated[ApiKey | None, Depends(requires(Scope.WRITE))],
) -> CorrectionOut:
    """Accept an item's label, correct it, or reject it; the item has it at once.

    While something else changes the catalog it is kept, and the item has it afterwards:
    ``stored`` says which.
    """
    engine: Engine = request.app.state.engine
    writer: Writer = request.app.state.writer
    author = key.name if key else ""
    made = await engine.run(
        lambda catalog: review.store_verdict(
            catalog.of_set(body.label_set),
            body.item_id,
            body.verdict,
            label=body.label,
            seen=body.seen,
            reviewer=author,
        )
    )

    def change() -> None:
        with open_catalog(writer.options.of_set(body.label_set), write=True) as catalog:
            review.apply_verdicts(catalog, review.pending_verdicts(catalog, [body.item_id]))

    return CorrectionOut(**asdict(made), stored=await writer.soon(change))


@router.get(
    "/review/corrections",
    dependencies=[MayRead],
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}},
)
async def corrections(request: Request, set: SetName = CATEGORY) -> Response:  # noqa: A002
    """What people said, as a CSV that ``labels teach`` and ``labels calibrate`` read."""
    engine: Engine = request.app.state.engine
    text = await engine.run(lambda catalog: review.as_csv(catalog.of_set(set)))
    disposition = {"Content-Disposition": 'attachment; filename="corrections.csv"'}
    return Response(text, media_type="text/csv", headers=disposition)


@router.post("/jobs/teach", status_code=202, dependencies=[MayAdminister])
async def start_teaching(request: Request, set: SetName = CATEGORY) -> JobOut:  # noqa: A002
    """Learn from the corrections, as far as cross-validation says that they help."""
    jobs: Jobs = request.app.state.jobs
    writer: Writer = request.app.state.writer

    def work(job: Job) -> dict[str, Any]:
        with open_catalog(writer.options.of_set(set), write=True) as catalog:
            path = job.folder / "corrections.csv"
            path.write_text(review.as_csv(catalog), encoding="utf-8")
            report = asdict(teach(catalog, file=path))
            job.stop.clear()  # too late: the labels are taught
            return report | {"removed_labels": review.count_removed_labels(catalog)}

    await request.app.state.engine.load_if_any()
    return JobOut.of(jobs.start("teach", work))
