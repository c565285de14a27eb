"""``POST /v1/search``: by words, by a picture, or by an item that is like what is sought."""

from __future__ import annotations

import numpy as np
from fastapi import APIRouter, Depends, Request

from indexer.core.errors import ItemError
from indexer.core.records import FloatArray
from queries.search import query_vector, search
from queries.service.access import requires
from queries.service.description import body
from queries.service.engine import Engine
from queries.service.inputs import Upload, checked_text, embed_inputs, read_uploads
from queries.service.keys import Scope
from queries.service.problems import RESPONSES, Problem, parsed
from queries.service.schemas.searching import HitOut, SearchRequest, SearchResponse
from queries.service.schemas.wire import Input

router = APIRouter(tags=["search"], dependencies=[Depends(requires(Scope.READ))])

_BODY = body(
    "SearchRequest", files="picture", many=False, json_part="query", part_model="SearchRequest"
)


@router.post("/v1/search", openapi_extra=_BODY, responses=RESPONSES)
async def find(request: Request) -> SearchResponse:
    """The nearest items, best first."""
    engine: Engine = request.app.state.engine
    picture: Upload | Input | None = None
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        uploads, form = await read_uploads(request, "picture", engine.settings)
        body = parsed(SearchRequest, str(form.get("query") or "{}"))
        picture = uploads[0]
    else:
        body = parsed(SearchRequest, await request.body())
        if body.url is not None or body.item_id is not None:
            picture = Input(url=body.url, item_id=body.item_id)
    return await engine.whole(lambda: _found(engine, body, picture))


async def _found(
    engine: Engine, body: SearchRequest, picture: Upload | Input | None
) -> SearchResponse:
    words = None if body.text is None else await _of_words(engine, body.text)
    seen = None if picture is None else await _vector(engine, picture)
    vector = query_vector(words, seen, text_weight=body.text_weight)
    # An item is most like itself: one more is asked for, and it is left out.
    extra = int(body.item_id is not None)
    hits = await engine.run(
        lambda catalog: search(
            catalog,
            vector,
            limit=body.offset + body.limit + extra,
            filter_expression=body.filter,
            partition=body.partition,
        )
    )
    others = [hit for hit in hits if hit.item_id != body.item_id]
    page = others[body.offset : body.offset + body.limit]
    return SearchResponse(hits=[HitOut.of(hit) for hit in page])


async def _of_words(engine: Engine, text: str) -> FloatArray:
    try:
        vectors = await engine.embed_queries([checked_text(text, engine.settings)])
    except ItemError as error:
        raise Problem(422, "unusable-input", "The input can't be used", str(error)) from error
    return np.asarray(vectors[0])


async def _vector(engine: Engine, picture: Upload | Input) -> FloatArray:
    embedded = (await embed_inputs(engine, [picture]))[0]
    if embedded.vector is None:
        raise Problem(422, "unusable-input", "The input can't be used", embedded.error)
    return embedded.vector
