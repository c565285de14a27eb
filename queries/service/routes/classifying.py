"""``POST /v1/classify``: pictures as an upload; texts, URLs and stored items as JSON."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from fastapi import APIRouter, Depends, Request

from queries.results import Prediction
from queries.service.access import requires
from queries.service.description import body
from queries.service.engine import Engine
from queries.service.inputs import Embedded, Upload, embed_inputs, read_uploads, with_titles
from queries.service.keys import Scope
from queries.service.problems import RESPONSES, Problem, parsed
from queries.service.questions import ClassifyQuestion
from queries.service.schemas.classifying import (
    Classified,
    ClassifyOptions,
    ClassifyRequest,
    ClassifyResponse,
    PredictionOut,
    UploadOptions,
)
from queries.service.schemas.wire import Input

router = APIRouter(tags=["classify"], dependencies=[Depends(requires(Scope.READ))])

_BODY = body(
    "ClassifyRequest",
    files="pictures",
    many=True,
    json_part="options",
    part_model="UploadOptions",
)


@router.post("/v1/classify", openapi_extra=_BODY, responses=RESPONSES)
async def classify(request: Request) -> ClassifyResponse:
    """Labels of each input, best first; an input that can't be used has its error instead."""
    engine: Engine = request.app.state.engine
    inputs: Sequence[Upload | Input]
    options: ClassifyOptions
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        uploads, form = await read_uploads(request, "pictures", engine.settings)
        sent = parsed(UploadOptions, str(form.get("options") or "{}"))
        inputs, options = with_titles(uploads, sent.titles), sent
    else:
        asked = parsed(ClassifyRequest, await request.body())
        inputs, options = asked.inputs, asked.options
    return await engine.whole(lambda: _labelled(engine, inputs, options))


async def _labelled(
    engine: Engine, inputs: Sequence[Upload | Input], options: ClassifyOptions
) -> ClassifyResponse:
    question = options.question()
    found = await embed_inputs(engine, inputs, titles=question.settings.title_share > 0)
    if not any(one.vector is not None for one in found):
        raise Problem(
            422, "unusable-input", "No input can be used", "; ".join(one.error for one in found)
        )
    return ClassifyResponse(results=await _answers(engine, found, question))


async def _answers(
    engine: Engine, found: list[Embedded], question: ClassifyQuestion
) -> list[Classified]:
    usable = [one for one in found if one.vector is not None]
    vectors = np.array([one.vector for one in usable])
    titles = [one.title for one in usable]
    answers = iter(await engine.classify(vectors, question, titles=titles))
    return [
        Classified(input=one.name, error=one.error)
        if one.vector is None
        else _classified(one.name, next(answers))
        for one in found
    ]


def _classified(name: str, predictions: list[Prediction]) -> Classified:
    return Classified(
        input=name,
        predictions=[PredictionOut.of(one) for one in predictions],
        unknown_score=predictions[0].unknown_score if predictions else None,
    )
