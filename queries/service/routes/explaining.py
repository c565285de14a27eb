"""``POST /v1/explain``: why an input gets its label."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, replace

import numpy as np
from fastapi import APIRouter, Request

from indexer.catalog.item_vectors import mean_vectors
from indexer.core.errors import ItemError
from indexer.core.records import Kind
from indexer.sources import Fetcher
from queries.deciding.question import Question
from queries.explanation.explain import prepare
from queries.explanation.explanation import Explanation
from queries.explanation.heat_maps import HeatMap
from queries.explanation.subjects import Subject, stored_subject, window_views
from queries.service.dependencies import MayRead, SharedEngine
from queries.service.description import body
from queries.service.disconnects import ending_with
from queries.service.engine import Engine
from queries.service.inputs import Upload, checked_text, is_form, read_form
from queries.service.problems import RESPONSES, parsed
from queries.service.schemas.classifying import PredictionOut
from queries.service.schemas.explaining import (
    ExplainOptions,
    ExplainRequest,
    ExplanationOut,
    HeatOut,
    NeighbourOut,
    PromptOut,
    ViewOut,
)

router = APIRouter(tags=["classify"], dependencies=[MayRead])

PROMPTS = 3
_BODY = body(
    "ExplainRequest",
    files="picture",
    many=False,
    json_part="options",
    part_model="ExplainOptions",
)


@router.post("/v1/explain", openapi_extra=_BODY, responses=RESPONSES)
async def why(request: Request, engine: SharedEngine) -> ExplanationOut:
    """The prompts that decided, the nearest labelled items, and where in a picture it shows.

    A heat map is slow beside a classification: the picture is looked at again with parts of it
    covered. It is made only where it is asked for, in pieces between the questions of others,
    and no further where the client has gone.
    """
    asked_about: Upload | ExplainRequest
    if is_form(request):
        (asked_about,), options = await read_form(
            request, "picture", engine.settings, part="options", model=ExplainOptions
        )
    else:
        asked_about = parsed(ExplainRequest, await request.body())
        options = ExplainOptions(heat_map=asked_about.heat_map, label_set=asked_about.label_set)

    async def answer() -> Explanation:
        if isinstance(asked_about, Upload):
            subject = await _uploaded(engine, asked_about.content, asked_about.name)
        else:
            subject = await _given(engine, asked_about)
        return await _explained(engine, subject, options, request)

    return _explanation_out(await engine.whole(answer))


async def _uploaded(engine: Engine, content: bytes, name: str) -> Subject:
    vectors, parts = await engine.embed_content(content, name)
    is_sound = bool(parts[0])
    return Subject(
        name=name,
        kind=Kind.SOUND if is_sound else Kind.PICTURE,
        vector=mean_vectors(vectors, np.zeros(1, dtype=np.int64))[0],
        pixels=None if is_sound else await engine.decode(content, name),
        views=window_views(vectors, parts, name),
    )


async def _given(engine: Engine, body: ExplainRequest) -> Subject:
    if body.text is not None:
        text = checked_text(body.text, engine.settings)
        vector = (await engine.embed_texts([text]))[0]
        return Subject(name=text, kind=Kind.TEXT, vector=vector)
    item_id = body.item_id or ""
    subject = await engine.run(lambda catalog: stored_subject(catalog, item_id))
    if subject.kind is not Kind.PICTURE or body.heat_map == "none":
        return subject
    try:
        content = await asyncio.to_thread(_read, subject.source, engine.settings.max_bytes)
        # Boxes are in pixels of the full size.
        decode = engine.decoding.decode if any(v.box for v in subject.views) else engine.decode
        return replace(subject, pixels=await decode(content, subject.source))
    except ItemError:  # the explanation says that the picture can't be read any more
        return subject


def _read(source: str, max_bytes: int) -> bytes:
    with Fetcher(max_bytes=max_bytes, retries=0, timeout_s=5.0) as fetcher:
        return fetcher.read(source)


async def _explained(
    engine: Engine, subject: Subject, options: ExplainOptions, request: Request
) -> Explanation:
    prepared = await engine.run(
        lambda catalog: prepare(
            catalog,
            subject,
            Question(set_name=options.label_set),
            neighbours=6,
            heat_map=options.heat_map,
        )
    )
    words = heat = None
    async with ending_with(request):
        if prepared.words is not None:
            words = await engine.pieces.embed(
                prepared.words.inputs, lambda encoder, texts: encoder.embed_texts(texts)
            )
        if prepared.heat_map is not None:
            heat = await engine.pieces.embed(
                prepared.heat_map.inputs, lambda encoder, some: encoder.embed_pictures(some)
            )
    return prepared.finished(words=words, heat_map=heat)


def _explanation_out(explanation: Explanation) -> ExplanationOut:
    return ExplanationOut(
        predictions=list(map(PredictionOut.of, explanation.predictions)),
        winner=explanation.winner.label,
        runner_up=explanation.runner_up.label if explanation.runner_up else None,
        prompts=list(map(PromptOut.of, explanation.winner.prompts[:PROMPTS])),
        neighbours=list(map(NeighbourOut.of, explanation.neighbours)),
        words=[(entry.word, entry.evidence) for entry in explanation.words],
        heat=None if explanation.heat_map is None else _heat(explanation.heat_map),
        notes=list(explanation.notes),
        views=list(map(ViewOut.of, explanation.views)),
        deciding=None
        if explanation.deciding is None
        else explanation.views[explanation.deciding].part_id,
    )


def _heat(heat: HeatMap) -> HeatOut:
    most = float(heat.winner.max()) or 1.0
    values = (heat.winner / most).round(3).tolist()
    return HeatOut(method=heat.method, values=values, **asdict(heat.region))
