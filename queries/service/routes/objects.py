"""``POST /v1/objects``: the things in one picture, their labels, and the items like each."""

from __future__ import annotations

from fastapi import APIRouter, Request

from indexer.catalog.objects import object_finder
from indexer.core.boxes import cut
from indexer.core.errors import ItemError
from indexer.core.object_options import ObjectOptions
from indexer.core.protocols import Pixels
from indexer.labels.regions import GridFinder
from queries.objects import EmbeddedObjects, embed_found, embed_objects, find_like
from queries.results import PictureObjects
from queries.search.query import SearchQuery
from queries.service.dependencies import MayRead, SharedEngine
from queries.service.description import body
from queries.service.disconnects import ending_with
from queries.service.engine import Engine
from queries.service.fetching import fetch
from queries.service.inputs import Upload, is_form, read_form, refuse_beside_upload
from queries.service.problems import RESPONSES, Problem, parsed
from queries.service.schemas.objects import ObjectsRequest, ObjectsResponse

router = APIRouter(tags=["search"], dependencies=[MayRead])

_BODY = body(
    "ObjectsRequest", files="picture", many=False, json_part="query", part_model="ObjectsRequest"
)


@router.post("/v1/objects", openapi_extra=_BODY, responses=RESPONSES)
async def look(request: Request, engine: SharedEngine) -> ObjectsResponse:
    """The things in a picture, the surest first: "shop the look".

    The regions of the grid are embedded in pieces between the questions of others, and no further
    where the client has gone.
    """
    upload: Upload | None = None
    if is_form(request):
        (upload,), body = await read_form(
            request, "picture", engine.settings, part="query", model=ObjectsRequest
        )
        refuse_beside_upload(url=body.url)
    else:
        body = parsed(ObjectsRequest, await request.body())
        if body.url is None:
            raise Problem(422, "validation", "No picture", "Give a url, or upload a picture.")
    try:
        pixels = await _pixels(engine, body, upload)
        async with ending_with(request):
            result = await engine.whole(lambda: _answered(engine, body, pixels))
    except ItemError as error:
        raise Problem(422, "unusable-input", "The input can't be used", str(error)) from error
    return ObjectsResponse.of(result)


async def _pixels(engine: Engine, body: ObjectsRequest, upload: Upload | None) -> Pixels:
    """The picture in full size: boxes are in its pixels."""
    if upload is not None:
        return await engine.decoding.decode(upload.content, upload.name)
    url = body.url or ""
    async with engine.downloads:
        return await engine.decoding.decode(await fetch(url, engine.settings), url)


async def _answered(engine: Engine, body: ObjectsRequest, pixels: Pixels) -> PictureObjects:
    await engine.load()
    embedded = await _embedded(engine, body, pixels)
    results = embedded.results()
    question = body.options.question()
    if await engine.run(lambda catalog: len(catalog.label_set) > 0):
        results = results.with_labels(await engine.classify(embedded.vectors, question))
    if not body.items:
        return results
    query = SearchQuery(
        vector=None,
        limit=body.items,
        filter_expression=body.filter,
        partition=body.partition,
        min_similarity=body.min_similarity,
        group_by=body.group_by,
    )
    return await engine.run(lambda catalog: find_like(catalog, results, embedded.vectors, query))


async def _embedded(engine: Engine, body: ObjectsRequest, pixels: Pixels) -> EmbeddedObjects:
    settings = engine.settings
    options = ObjectOptions(
        detector=settings.detector,
        words=settings.object_words,
        threshold=body.min_score,
        most=body.max_objects,
    )
    finder = await engine.run(lambda catalog: object_finder(catalog, options))
    if not isinstance(finder, GridFinder):
        return await engine.run(lambda catalog: embed_objects(catalog.encoder, finder, pixels))
    boxes = finder.regions(pixels)
    if not len(boxes):
        return await engine.run(lambda catalog: embed_found(catalog.encoder, [], pixels))
    vectors = await engine.pieces.embed(
        boxes.tolist(),
        lambda encoder, some: encoder.embed_pictures(
            [encoder.prepare(cut(pixels, tuple(box))) for box in some]
        ),
    )
    chosen_boxes = finder.choose(boxes, vectors)
    return await engine.run(lambda catalog: embed_found(catalog.encoder, chosen_boxes, pixels))
