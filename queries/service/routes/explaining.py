"""``POST /v1/explain``: why an input gets its label."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Depends, Request

from indexer.build import Catalog
from indexer.decode import Decoder
from indexer.protocols import Pixels
from indexer.records import Kind
from indexer.sources import Fetcher
from queries.explanation.explain import Explanation, explain
from queries.explanation.heat_maps import HeatMap
from queries.explanation.subjects import Subject, item_subject, text_subject
from queries.service.access import requires
from queries.service.description import body
from queries.service.engine import Engine
from queries.service.inputs import checked_text, read_uploads
from queries.service.keys import Scope
from queries.service.problems import RESPONSES, parsed
from queries.service.schemas.classifying import PredictionOut
from queries.service.schemas.explaining import (
    ExplainRequest,
    ExplanationOut,
    HeatOut,
    NeighbourOut,
    PromptOut,
)

router = APIRouter(tags=["classify"], dependencies=[Depends(requires(Scope.READ))])

PROMPTS = 3
_BODY = body(
    "ExplainRequest", files="picture", many=False, json_part="options", part_model="{} (nothing)"
)


@router.post("/v1/explain", openapi_extra=_BODY, responses=RESPONSES)
async def why(request: Request) -> ExplanationOut:
    """The prompts that decided, the nearest labelled items, and where in a picture it shows.

    Slow beside a classification: the picture is looked at again with parts of it covered.
    """
    engine: Engine = request.app.state.engine
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        uploads, _ = await read_uploads(request, "picture", engine.settings)
        name = uploads[0].name
        pixels = await engine.decode(uploads[0].content, name)
        return await engine.run(lambda catalog: _explained(catalog, _seen(catalog, name, pixels)))
    asked = parsed(ExplainRequest, await request.body())
    if asked.text is not None:
        text = checked_text(asked.text, engine.settings)
        await engine.load()
        return await engine.run(lambda catalog: _explained(catalog, text_subject(catalog, text)))
    item_id = asked.item_id or ""
    decoder = engine.decoding.for_threads()
    return await engine.run(lambda catalog: _explained(catalog, _stored(catalog, item_id, decoder)))


def _seen(catalog: Catalog, name: str, pixels: Pixels) -> Subject:
    encoder = catalog.encoder
    vector = encoder.embed_pictures([encoder.prepare(pixels)])[0]
    return Subject(name=name, kind=Kind.PICTURE, vector=vector, pixels=pixels)


def _stored(catalog: Catalog, item_id: str, decoder: Decoder) -> Subject:
    with Fetcher(max_bytes=decoder.max_bytes, retries=0, timeout_s=5.0) as fetcher:
        return item_subject(catalog, item_id, decoder=decoder, fetcher=fetcher)


def _explained(catalog: Catalog, subject: Subject) -> ExplanationOut:
    return _told(explain(catalog, subject, neighbours=6))


def _told(found: Explanation) -> ExplanationOut:
    return ExplanationOut(
        predictions=[PredictionOut.of(one) for one in found.predictions],
        winner=found.winner.label,
        runner_up=found.runner_up.label if found.runner_up else None,
        prompts=[PromptOut(**asdict(one)) for one in found.winner.prompts[:PROMPTS]],
        neighbours=[
            NeighbourOut(**{name: getattr(one, name) for name in NeighbourOut.model_fields})
            for one in found.neighbours
        ],
        words=[(one.word, one.evidence) for one in found.words],
        heat=None if found.heat_map is None else _heat(found.heat_map),
        notes=list(found.notes),
    )


def _heat(heat: HeatMap) -> HeatOut:
    most = float(heat.winner.max()) or 1.0
    values = (heat.winner / most).round(3).tolist()
    return HeatOut(method=heat.method, values=values, **asdict(heat.region))
