"""``POST /v1/classify``: pictures as an upload; texts, URLs and stored items as JSON."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from fastapi import APIRouter, Request

from indexer.core.records import FloatArray
from queries.deciding.question import Question, ViewPooling
from queries.deciding.views import best_views, decides_by_best
from queries.results import Prediction
from queries.service.dependencies import MayRead, SharedEngine
from queries.service.description import body
from queries.service.engine import Engine
from queries.service.inputs import (
    EmbeddedInput,
    Upload,
    embed_inputs,
    is_form,
    read_form,
    with_titles,
)
from queries.service.problems import RESPONSES, Problem, parsed
from queries.service.schemas.classifying import (
    Classified,
    ClassifyOptions,
    ClassifyRequest,
    ClassifyResponse,
    PredictionOut,
    UploadOptions,
)
from queries.service.schemas.wire import Input

router = APIRouter(tags=["classify"], dependencies=[MayRead])

_BODY = body(
    "ClassifyRequest",
    files="pictures",
    many=True,
    json_part="options",
    part_model="UploadOptions",
)


@router.post("/v1/classify", openapi_extra=_BODY, responses=RESPONSES)
async def classify(request: Request, engine: SharedEngine) -> ClassifyResponse:
    """Labels of each input, best first; an input that can't be used has its error instead."""
    inputs: Sequence[Upload | Input]
    options: ClassifyOptions
    if is_form(request):
        uploads, sent = await read_form(
            request, "pictures", engine.settings, part="options", model=UploadOptions
        )
        inputs, options = with_titles(uploads, sent.titles), sent
    else:
        body = parsed(ClassifyRequest, await request.body())
        inputs, options = body.inputs, body.options
    return await engine.whole(lambda: _labelled(engine, inputs, options))


async def _labelled(
    engine: Engine, inputs: Sequence[Upload | Input], options: ClassifyOptions
) -> ClassifyResponse:
    question = options.question()
    embedded = await embed_inputs(engine, inputs, titles=question.settings.title_share > 0)
    if not any(value.vector is not None for value in embedded):
        raise Problem(
            422,
            "unusable-input",
            "No input can be used",
            "; ".join(value.error for value in embedded),
        )
    return ClassifyResponse(
        results=await _answers(engine, embedded, question),
        calibrated=await engine.is_calibrated(question),
    )


async def _answers(
    engine: Engine, embedded: list[EmbeddedInput], question: Question
) -> list[Classified]:
    usable = [value for value in embedded if value.vector is not None]
    answers = iter(await _answers_by_views(engine, usable, question))
    return [
        Classified(input=value.name, error=value.error)
        if value.vector is None
        else _classified(value.name, next(answers))
        for value in embedded
    ]


async def _answers_by_views(
    engine: Engine, inputs: list[EmbeddedInput], question: Question
) -> list[list[Prediction]]:
    """The labels of each input by the mean of its parts, or by the one with the highest score."""
    vectors: list[FloatArray] = []
    titles: list[FloatArray | None] = []
    view_ids: list[str] = []
    starts: list[int] = []
    for value in inputs:
        starts.append(len(vectors))
        views, pooling = value.views, question.view_pooling
        if views is not None and decides_by_best(pooling, value.view_ids):
            vectors += list(views)
            view_ids += value.view_ids
        else:
            vectors.append(_vector_of(value))
            view_ids.append(value.name if pooling is ViewPooling.BEST else "")
        titles += [value.title] * (len(vectors) - len(titles))
    answers = await engine.classify(np.array(vectors), question, titles=titles)
    return best_views(answers, np.array(starts), view_ids)


def _vector_of(value: EmbeddedInput) -> FloatArray:
    assert value.vector is not None  # only usable inputs are asked about
    return value.vector


def _classified(name: str, predictions: list[Prediction]) -> Classified:
    return Classified(
        input=name,
        predictions=[PredictionOut.of(prediction) for prediction in predictions],
        unknown_score=predictions[0].unknown_score if predictions else None,
        part_id=(predictions[0].part_id or None) if predictions else None,
    )
