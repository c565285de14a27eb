"""``/v1/review`` and ``/v1/catalog``: what people look at, and what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query
from fastapi.responses import Response

from indexer.catalog.corrections import Correction
from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import CatalogError, TaxonomyError
from indexer.core.label_sets import CATEGORY
from indexer.labels import taxonomy
from queries.deciding.question import Question
from queries.review import corrections as review
from queries.review.queue import Choice, DecisionCache, Queue
from queries.service.dependencies import (
    MayAdminister,
    MayRead,
    SharedDecisions,
    SharedEngine,
    SharedJobs,
    SharedPlaces,
    SharedWriter,
    WritingKey,
)
from queries.service.engine import Engine
from queries.service.inputs import stored_item
from queries.service.jobs import Job
from queries.service.keys import ApiKey
from queries.service.problems import RESPONSES, Places
from queries.service.schemas.classifying import PredictionOut
from queries.service.schemas.jobs import JobOut
from queries.service.schemas.reviewing import (
    CatalogOut,
    CategoryOut,
    CorrectionOut,
    DoubtOut,
    GivenVerdict,
    QueueRequest,
    ReviewResponse,
    ReviewStatus,
    SeveralVerdicts,
    VerdictIn,
    VerdictResult,
    VerdictsResponse,
    WithdrawRequest,
)
from queries.service.schemas.wire import SetName
from queries.service.writer import Writer
from queries.teaching.teach import teach

router = APIRouter(prefix="/v1", tags=["review"], responses=RESPONSES)


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
async def at_a_glance(
    engine: SharedEngine,
    decided: SharedDecisions,
    set: SetName = CATEGORY,  # noqa: A002 - the parameter's name in the address
) -> CatalogOut:
    """Counts by label, dead letters by reason, and what is served."""

    def look(opened: OpenCatalog) -> CatalogOut:
        catalog = opened.of_set(set)
        labels = catalog.label_set.labels
        paths = {label.label_id: list(label.path) for label in labels}
        path_ids = {
            label_id: [*above, label_id] for label_id, above in taxonomy.ancestors(labels).items()
        }
        return CatalogOut(
            catalog=catalog.folder.name,
            label_set=set,
            label_sets=list(catalog.folder.set_names()),
            model=catalog.fingerprint.models,
            items=catalog.ledger.item_count(),
            labels=len(catalog.label_set),
            label_version=catalog.label_set.version,
            adapted=catalog.adaptation is not None,
            reviewed=len(catalog.ledger.parts.rows_of(list(decided.corrections(catalog)))),
            categories=[
                CategoryOut(
                    **asdict(category),
                    path=paths.get(category.label_id, []),
                    path_ids=path_ids.get(category.label_id, []),
                )
                for category in decided.categories(catalog)
            ],
            dead_letters=DeadLetters(catalog.folder.dead_letters).by_reason(),
        )

    return await engine.run(look)


_SHOWN = ("title", "kind", "metadata", "parts")


@router.get("/review", dependencies=[MayRead])
async def review_queue(
    engine: SharedEngine,
    decided: SharedDecisions,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    offset: Annotated[int, Query(ge=0)] = 0,
    set: SetName = CATEGORY,  # noqa: A002 - the parameter's name in the address
    category: Annotated[
        list[str],
        Query(
            max_length=100,
            description="Labels by id, name or path, a branch with all below it; empty text is no "
            "label. Also ids of removed labels that items still have.",
        ),
    ] = [],  # noqa: B006 - a default of FastAPI, which copies it
    status: Annotated[list[ReviewStatus], Query(description="Of these statuses only.")] = [],  # noqa: B006
) -> ReviewResponse:
    """Items that nobody has looked at, the most useful first, with the labels they could have."""
    page = QueueRequest(limit=limit, offset=offset, set=set, category=category, status=status)
    return await _queue(engine, decided, page)


@router.post("/review/queue", dependencies=[MayRead])
async def review_queue_of(
    engine: SharedEngine, decided: SharedDecisions, body: QueueRequest
) -> ReviewResponse:
    """As the same by GET, also of some items, which are too many for an address."""
    return await _queue(engine, decided, body)


async def _queue(engine: Engine, decided: DecisionCache, page: QueueRequest) -> ReviewResponse:
    def look(opened: OpenCatalog) -> tuple[Queue, dict[str, Any], Any]:
        catalog = opened.of_set(page.set)
        choice = Choice(
            label_ids=_chosen(catalog, page.category, decided),
            statuses=frozenset(page.status),
            item_ids=None if page.item_ids is None else frozenset(page.item_ids),
        )
        queue = decided.queue(catalog, limit=page.limit, offset=page.offset, choice=choice)
        rows = catalog.ledger.parts.rows_of([doubt.item_id for doubt in queue.page])
        leads = {item_id: item_rows[0].row_id for item_id, item_rows in rows.items()}
        stored = catalog.items.fetch(list(leads.values()))
        fields = {
            item_id: stored[lead]
            | {"parts": [row.row_id for row in rows[item_id]] if len(rows[item_id]) > 1 else []}
            for item_id, lead in leads.items()
            if lead in stored
        }
        vectors = [stored_item(catalog, doubt.item_id) for doubt in queue.page]
        return queue, fields, vectors

    queue, fields, vectors = await engine.run(look)
    doubts, answers, calibrated = queue.page, [], False
    if queue.total:
        calibrated = await engine.is_calibrated(Question(set_name=page.set))
    if doubts:
        seen = np.array([item_vectors.mean for item_vectors in vectors])
        titles = [item_vectors.title for item_vectors in vectors]
        answers = await engine.classify(seen, Question(set_name=page.set), titles=titles)
    return ReviewResponse(
        total=queue.total,
        doubtful=queue.doubtful,
        reviewed=queue.reviewed,
        expected_wrong=queue.expected_wrong,
        expected_errors=queue.expected_errors,
        calibrated=calibrated,
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
    body: VerdictIn, key: WritingKey, engine: SharedEngine, writer: SharedWriter
) -> CorrectionOut:
    """Accept an item's label, correct it, or reject it; the item has it at once.

    While something else changes the catalog it is kept, and the item has it afterwards:
    ``stored`` says which.
    """
    made, stored = await _give(engine, writer, [body], key)
    if isinstance(made[0], Exception):
        raise made[0]
    given = {name: value for name, value in asdict(made[0]).items() if name != "replaced"}
    return CorrectionOut(**given, stored=stored)


@router.post("/review/several")
async def say_several(
    body: SeveralVerdicts,
    key: WritingKey,
    engine: SharedEngine,
    writer: SharedWriter,
    places: SharedPlaces,
) -> VerdictsResponse:
    """As a verdict each; one that is refused has an error, and the others are kept."""
    made, stored = await _give(engine, writer, body.verdicts, key)
    return _results(places, body.verdicts, made, stored=stored)


@router.post("/review/withdraw")
async def withdraw(
    body: WithdrawRequest,
    key: WritingKey,
    engine: SharedEngine,
    writer: SharedWriter,
    places: SharedPlaces,
) -> VerdictsResponse:
    """Take back the newest verdict on each item: it has again what it had before.

    Where an earlier verdict counts again it is that one's label, else the decision that the
    verdict replaced; the next categorization decides it anew.
    """
    author = key.name if key else ""
    made, stored = await _change(
        engine,
        writer,
        body.label_set,
        [
            partial(
                review.withdraw_verdict, item_id=given.item_id, time=given.time, reviewer=author
            )
            for given in body.verdicts
        ],
    )
    return _results(places, body.verdicts, made, stored=stored)


Outcome = Correction | CatalogError | TaxonomyError


async def _give(
    engine: Engine, writer: Writer, verdicts: Sequence[VerdictIn], key: ApiKey | None
) -> tuple[list[Outcome], bool]:
    author = key.name if key else ""
    return await _change(
        engine,
        writer,
        verdicts[0].label_set,
        [
            partial(
                review.store_verdict,
                item_id=verdict.item_id,
                verdict=verdict.verdict,
                label=verdict.label,
                seen=verdict.seen,
                reviewer=author,
            )
            for verdict in verdicts
        ],
    )


async def _change(
    engine: Engine,
    writer: Writer,
    set_name: str,
    verdicts: Sequence[Callable[[OpenCatalog], Correction]],
) -> tuple[list[Outcome], bool]:
    """Keep verdicts and give their items the labels; whether they have them by now."""

    def keep(opened: OpenCatalog) -> list[Outcome]:
        catalog = opened.of_set(set_name)
        outcomes: list[Outcome] = []
        for verdict in verdicts:
            try:
                outcomes.append(verdict(catalog))
            except (CatalogError, TaxonomyError) as error:
                outcomes.append(error)
        return outcomes

    outcomes = await engine.run(keep)
    item_ids = [outcome.item_id for outcome in outcomes if isinstance(outcome, Correction)]

    def change() -> None:
        with open_catalog(writer.options.of_set(set_name), write=True) as catalog:
            review.apply_verdicts(catalog, review.pending_verdicts(catalog, item_ids))

    return outcomes, bool(item_ids) and await writer.soon(change)


def _results(
    places: Places,
    verdicts: Sequence[VerdictIn | GivenVerdict],
    outcomes: Sequence[Outcome],
    *,
    stored: bool,
) -> VerdictsResponse:
    results = [
        VerdictResult(item_id=verdict.item_id, time=outcome.time, error=None)
        if isinstance(outcome, Correction)
        else VerdictResult(item_id=verdict.item_id, time="", error=places.hidden_in(str(outcome)))
        for verdict, outcome in zip(verdicts, outcomes, strict=True)
    ]
    return VerdictsResponse(results=results, stored=stored)


def _chosen(
    catalog: OpenCatalog, names: Sequence[str], decided: DecisionCache
) -> frozenset[str] | None:
    """Ids of labels, and of all below them; "" for no label. None where none are named.

    Ids of removed labels that items still have are ids, too.

    Raises:
        TaxonomyError: an unknown or ambiguous name.
    """
    if not names:
        return None
    labels = catalog.label_set.labels
    removed = {name for name in names if name} - catalog.label_set.places.keys()
    if removed:
        removed &= {category.label_id for category in decided.categories(catalog)}
    label_ids = taxonomy.resolve(labels, (name for name in names if name and name not in removed))
    below = [inner for label_id in label_ids for inner in taxonomy.descendants(labels, label_id)]
    return frozenset([*label_ids, *below, *removed, *["" for name in names if not name]])


@router.get(
    "/review/corrections",
    dependencies=[MayRead],
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}},
)
async def corrections(engine: SharedEngine, set: SetName = CATEGORY) -> Response:  # noqa: A002
    """What people said, as a CSV that ``labels teach`` and ``labels calibrate`` read."""
    text = await engine.run(lambda catalog: review.as_csv(catalog.of_set(set)))
    disposition = {"Content-Disposition": 'attachment; filename="corrections.csv"'}
    return Response(text, media_type="text/csv", headers=disposition)


@router.post("/jobs/teach", status_code=202, dependencies=[MayAdminister])
async def start_teaching(
    engine: SharedEngine,
    jobs: SharedJobs,
    writer: SharedWriter,
    set: SetName = CATEGORY,  # noqa: A002 - the parameter's name in the address
) -> JobOut:
    """Learn from the corrections, as far as cross-validation says that they help."""

    def work(job: Job) -> dict[str, Any]:
        with open_catalog(writer.options.of_set(set), write=True) as catalog:
            path = job.folder / "corrections.csv"
            path.write_text(review.as_csv(catalog), encoding="utf-8")
            report = asdict(teach(catalog, file=path))
            job.stop.clear()  # too late: the labels are taught
            return report | {"removed_labels": review.count_removed_labels(catalog)}

    await engine.load_if_any()
    return JobOut.of(jobs.start("teach", work))
