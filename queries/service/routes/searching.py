"""``POST /v1/search``: by words, by a picture, or by an item that is like what is sought."""

from __future__ import annotations

import numpy as np
from fastapi import APIRouter, Request

from indexer.core.errors import ItemError
from indexer.core.records import FloatArray
from queries.search.finding import find as find_items
from queries.search.query import SearchQuery
from queries.search.query_vector import check_question, query_vector, without_words
from queries.service.dependencies import MayRead, SharedEngine
from queries.service.description import body
from queries.service.engine import Engine
from queries.service.inputs import (
    Upload,
    checked_text,
    embed_inputs,
    is_form,
    read_form,
    refuse_beside_upload,
)
from queries.service.problems import RESPONSES, Problem, parsed
from queries.service.schemas.searching import SearchRequest, SearchResponse
from queries.service.schemas.wire import Input

router = APIRouter(tags=["search"], dependencies=[MayRead])

_BODY = body(
    "SearchRequest", files="picture", many=False, json_part="query", part_model="SearchRequest"
)


@router.post("/v1/search", openapi_extra=_BODY, responses=RESPONSES)
async def find(request: Request, engine: SharedEngine) -> SearchResponse:
    """The best items first; what a filter or a category alone chooses, by id."""
    picture: Upload | Input | None = None
    if is_form(request):
        (picture,), body = await read_form(
            request, "picture", engine.settings, part="query", model=SearchRequest
        )
        refuse_beside_upload(url=body.url, item_id=body.item_id)
    else:
        body = parsed(SearchRequest, await request.body())
        if body.url is not None or body.item_id is not None:
            picture = Input(url=body.url, item_id=body.item_id)
    return await engine.whole(lambda: _found(engine, body, picture))


async def _found(
    engine: Engine, body: SearchRequest, picture: Upload | Input | None
) -> SearchResponse:
    chooses = bool(body.filter.strip() or body.category or body.item_ids)
    check_question(
        body.text,
        pictured=picture is not None,
        hybrid=body.hybrid,
        without=body.without,
        chooses=chooses,
    )
    text = body.text.strip() if body.text else ""
    has_model = await engine.run(lambda catalog: catalog.has_model)
    words_alone = body.hybrid and picture is None and not has_model
    is_list = not text and picture is None
    vector = None
    if not (words_alone or is_list):
        vector = await _query_vector(engine, text, picture, body)
    query = SearchQuery(
        vector=vector,
        words=text if body.hybrid else "",
        without=tuple(body.without),
        limit=body.limit,
        offset=body.offset,
        after=body.after,
        item_ids=tuple(body.item_ids),
        leave_out=body.item_id,
        filter_expression=body.filter,
        categories=tuple(body.category),
        partition=body.partition,
        min_similarity=body.min_similarity,
        group_by=body.group_by,
        facets=tuple(dict.fromkeys(body.facets)),
    )
    with engine.tracing.span("search", limit=body.limit):
        result = await engine.run(lambda catalog: find_items(catalog, query))
    return SearchResponse.of(result)


async def _query_vector(
    engine: Engine, text: str, picture: Upload | Input | None, body: SearchRequest
) -> FloatArray:
    words = await _of_words(engine, text) if text else None
    seen = None if picture is None else await _vector(engine, picture)
    vector = query_vector(words, seen, text_weight=body.text_weight)
    return without_words(vector, [await _of_words(engine, text) for text in body.without])


async def _of_words(engine: Engine, text: str) -> FloatArray:
    try:
        vectors = await engine.embed_queries([checked_text(text, engine.settings)])
    except ItemError as error:
        raise Problem(422, "unusable-input", "The input can't be used", str(error)) from error
    return np.asarray(vectors[0])


async def _vector(engine: Engine, picture: Upload | Input) -> FloatArray:
    embedded = (await embed_inputs(engine, [picture]))[0]
    if embedded.vector is None and isinstance(picture, Input) and picture.item_id is not None:
        raise Problem(404, "not-found", "There is no such item", embedded.error)
    if embedded.vector is None:
        raise Problem(422, "unusable-input", "The input can't be used", embedded.error)
    return embedded.vector
