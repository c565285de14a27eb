"""``/v1/items``: bring items in, look at one, see its picture, take it out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from indexer.catalog.corrections import CorrectionFile
from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.near_ids import hint
from indexer.catalog.opening import OpenCatalog
from indexer.core.boxes import box_of, cut
from indexer.core.errors import ItemError
from indexer.core.hashing import part_hash, sha256
from indexer.core.parts import BOX
from indexer.core.reasons import Reason
from indexer.core.records import Item, Kind
from indexer.jobs.ingest import ingest_items
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.removal import remove_items
from indexer.sources import Fetcher, media
from indexer.sources.decoding import thumbnail
from indexer.sources.decoding.spectrogram import RATE, spectrogram
from indexer.sources.open_files import frame_of_shot
from indexer.sources.rows import checked_id, checked_metadata
from queries.service.dependencies import (
    MayRead,
    MayWrite,
    SharedEngine,
    SharedPlaces,
    SharedSpool,
    SharedWriter,
)
from queries.service.description import body
from queries.service.engine import Engine
from queries.service.fetching import fetch
from queries.service.inputs import Upload, is_form, read_form, refuse_beside_upload
from queries.service.parameters import ITEM_ID
from queries.service.problems import RESPONSES, Problem, parsed
from queries.service.schemas.items import (
    ItemIn,
    ItemOut,
    ItemsRequest,
    ItemsResponse,
    ReviewOut,
    StoredItem,
)
from queries.service.writer import GivenItems, Spool, Writer

router = APIRouter(prefix="/v1/items", tags=["items"], responses=RESPONSES)

_REPEATED = "the id stands in this request before: the first item was kept"

_BODY = body(
    "ItemsRequest", files="pictures", many=True, json_part="items", part_model="ItemsRequest"
)


@router.post("", openapi_extra=_BODY, dependencies=[MayWrite])
async def put_items(
    request: Request,
    engine: SharedEngine,
    writer: SharedWriter,
    spool: SharedSpool,
    places: SharedPlaces,
) -> ItemsResponse:
    """Bring in or replace items: JSON with texts or URLs, or a form with pictures.

    The form has the parts ``pictures`` and ``items`` (ItemsRequest as JSON), in the same order.
    """
    uploads: list[Upload | None]
    if is_form(request):
        files, body = await read_form(
            request, "pictures", engine.settings, part="items", model=ItemsRequest
        )
        if len(files) != len(body.items):
            detail = f"{len(files)} pictures and {len(body.items)} items: send as many of each."
            raise Problem(400, "bad-request", "Pictures and items do not match", detail)
        for item_in in body.items:
            refuse_beside_upload(url=item_in.url)
        uploads = list(files)
    else:
        body = parsed(ItemsRequest, await request.body())
        uploads = [None] * len(body.items)
    if len(body.items) > engine.settings.max_inputs:
        detail = f"{engine.settings.max_inputs} items may come at a time: send several requests."
        raise Problem(413, "too-many", "Too many items", detail)
    failed: dict[str, str] = {}
    items = []
    first_places = {item_in.item_id: place for place, item_in in reversed([*enumerate(body.items)])}
    for place, (item_in, upload) in enumerate(zip(body.items, uploads, strict=True)):
        if place != first_places[item_in.item_id]:
            continue
        try:
            items.append(await _item(item_in, upload, engine, spool))
        except ItemError as error:
            failed[item_in.item_id] = str(error)
    if items:
        await engine.load()
        decoding = engine.decoding
        how = IngestOptions(decoder=decoding.for_threads(), sounds=decoding.sounds)
        failed |= await writer.run(lambda: _ingest_uploads(writer, items, how))
        failed = {item_id: places.hidden_in(message) for item_id, message in failed.items()}
    results = [
        StoredItem(
            item_id=item_in.item_id,
            error=failed.get(item_in.item_id)
            if place == first_places[item_in.item_id]
            else _REPEATED,
        )
        for place, item_in in enumerate(body.items)
    ]
    return ItemsResponse(results=results)


@router.get(ITEM_ID, dependencies=[MayRead])
async def get_item(engine: SharedEngine, item_id: str) -> ItemOut:
    """One item and what is known of it."""

    def look(catalog: OpenCatalog) -> ItemOut:
        fields = _item_fields(catalog, item_id)
        labels = catalog.label_set
        row = labels.places.get(fields["label_id"])
        fields |= {
            "path": [] if row is None else list(labels.labels[row].path),
            "reviews": _reviews(catalog, item_id),
        }
        return ItemOut(**{name: fields[name] for name in ItemOut.model_fields})

    return await engine.run(look)


@router.delete(ITEM_ID, status_code=204, dependencies=[MayWrite])
async def delete_item(engine: SharedEngine, writer: SharedWriter, item_id: str) -> None:
    """Take an item out."""
    await engine.run(lambda catalog: _item_fields(catalog, item_id))
    await writer.run(lambda: remove_items(writer.options, [item_id]))


pictures = APIRouter(prefix="/v1/pictures", tags=["items"], responses=RESPONSES)


@pictures.get(
    ITEM_ID,
    dependencies=[MayRead],
    response_class=Response,
    responses={200: {"content": {"image/jpeg": {}}}},
)
async def get_picture(
    request: Request,
    engine: SharedEngine,
    item_id: str,
    side: Annotated[int, Query(ge=16, le=1_024)] = 256,
) -> Response:
    """A stored item's picture as a JPEG, its longer side as asked for; a sound's spectrogram.

    An item whose vector was given may have a picture too.
    The id may be that of one of its parts (``parts``), such as a window of a sound.
    Its ``ETag`` changes with the picture: an item may be replaced. ``X-Picture-Size`` is that of
    the whole picture, upright, which the boxes of its parts are in pixels of.
    """
    fields = await engine.run(lambda catalog: fields_of_row(catalog, item_id))
    if fields["kind"] == Kind.VIDEO:
        return await _frame(request, engine, fields, side)
    if fields["kind"] not in {Kind.PICTURE, Kind.SOUND, Kind.VECTOR}:
        detail = "The item is neither a picture nor a sound or video."
        raise Problem(404, "not-found", "No picture", detail)
    try:
        content = await asyncio.to_thread(_read, engine, fields["source"])
        tag = f'"{part_hash(sha256(content), fields["part"])}-{side}"'
        headers = {"Cache-Control": "private, no-cache", "ETag": tag}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if fields["kind"] == Kind.SOUND:
            decode, part = engine.decoding.sounds.decode, fields["part"]
            samples = await asyncio.to_thread(decode, content, item_id, part, rate=RATE)
            pixels = await asyncio.to_thread(spectrogram, samples)
        else:
            pixels = await engine.decoding.decode(content, item_id)
    except ItemError as error:
        # The message would name the path.
        raise Problem(404, "not-found", "No picture", "Its picture can't be read.") from error
    height, width = pixels.shape[:2]
    headers["X-Picture-Size"] = f"{width}x{height}"  # that boxes are in pixels of
    if BOX in fields["part"]:
        pixels = cut(pixels, box_of(fields["part"]))
    picture = await asyncio.to_thread(thumbnail, pixels, side=side)
    return Response(picture, media_type="image/jpeg", headers=headers)


sounds = APIRouter(prefix="/v1/sounds", tags=["items"], responses=RESPONSES)


@sounds.get(
    ITEM_ID,
    dependencies=[MayRead],
    response_class=Response,
    responses={200: {"content": {"audio/*": {}}}},
)
async def get_sound(request: Request, engine: SharedEngine, item_id: str) -> Response:
    """A stored item's sound as it was ingested, whole; the id may be that of a window."""
    fields = await engine.run(lambda catalog: fields_of_row(catalog, item_id))
    if fields["kind"] != Kind.SOUND:
        raise Problem(404, "not-found", "No sound", "The item is not a sound.")
    try:
        content = await asyncio.to_thread(_read, engine, fields["source"])
    except ItemError as error:
        raise Problem(404, "not-found", "No sound", "Its sound can't be read.") from error
    return _tagged(request, content, media.sound_type(content))


def _read(engine: Engine, source: str) -> bytes:
    settings = engine.settings
    with Fetcher(
        max_bytes=settings.max_bytes,
        max_sound_bytes=settings.max_body,
        retries=0,
        timeout_s=5.0,
    ) as fetcher:
        return fetcher.read(source)


async def _frame(request: Request, engine: Engine, fields: dict[str, Any], side: int) -> Response:
    """A frame from the middle of a shot, as a JPEG."""

    def read() -> bytes:
        with Fetcher(max_bytes=engine.settings.max_bytes, retries=0, timeout_s=5.0) as fetcher:
            return thumbnail(frame_of_shot(fields["source"], fields["part"], fetcher), side=side)

    try:
        picture = await asyncio.to_thread(read)
    except ItemError as error:
        raise Problem(404, "not-found", "No picture", "Its video can't be read.") from error
    return _tagged(request, picture, "image/jpeg")


def _tagged(request: Request, content: bytes, media_type: str) -> Response:
    """Content with the tag that a browser asks by whether it is still that."""
    tag = f'"{sha256(content)}"'
    headers = {"Cache-Control": "private, no-cache", "ETag": tag}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


async def _item(item_in: ItemIn, upload: Upload | None, engine: Engine, spool: Spool) -> Item:
    """The item with its content at hand; pictures and sounds are checked before they are kept.

    What a table's rows are checked for is checked here too: the archive would keep a row that
    the database refuses, and no later change could be stored before it.

    Raises:
        ItemError: the content, the id or the metadata can't be used.
    """
    checked_id(item_in.item_id, "item_id")
    metadata = checked_metadata(item_in.metadata)
    if upload is None and item_in.url is None:
        return Item(
            item_id=item_in.item_id,
            kind=Kind.TEXT,
            source=f"request:{item_in.item_id}",
            title=item_in.title,
            metadata=metadata,
        )
    content = upload.content if upload else await fetch(item_in.url or "", engine.settings)
    kind = media.kind_of(upload.name if upload else item_in.url or "", content)
    if kind is Kind.VIDEO:
        message = f"{item_in.item_id}: videos do not come in requests: run zeroshelf ingest"
        raise ItemError(Reason.UNSUPPORTED, message)
    if kind is Kind.SOUND:
        await engine.decoding.decode_sound(content, item_in.item_id, rate=None)
    else:
        await engine.decoding.decode(content, item_in.item_id)
    return Item(
        item_id=item_in.item_id,
        kind=kind,
        source=await asyncio.to_thread(spool.keep, content),
        title=item_in.title,
        metadata=metadata,
        content=content,
    )


def _ingest_uploads(writer: Writer, items: Sequence[Item], how: IngestOptions) -> dict[str, str]:
    """What went wrong, by item; not what went wrong before with the same id from elsewhere."""
    ingest_items(writer.options, GivenItems(items), how)
    requested = {(item.item_id, item.source) for item in items}
    failures = DeadLetters(writer.options.folder.dead_letters).all()
    return {
        failure.item.item_id: failure.message
        for failure in failures
        if (failure.item.item_id, failure.item.source) in requested
    }


def _item_fields(catalog: OpenCatalog, item_id: str) -> dict[str, Any]:
    """An item's fields: those of its first row, and the ids of all rows where it has several."""
    rows = catalog.ledger.parts.rows_of([item_id]).get(item_id, [])
    fields = fields_of_row(catalog, rows[0].row_id if rows else item_id)
    parts = [row.row_id for row in rows] if len(rows) > 1 else []
    return fields | {"item_id": item_id, "parts": parts}


def _reviews(catalog: OpenCatalog, item_id: str) -> list[ReviewOut]:
    """What people said of an item in all label sets, the oldest first."""
    reviews = []
    for at_set in catalog.sets:
        names = {label.label_id: label.name for label in at_set.label_set.labels}
        reviews += [
            ReviewOut(
                label_set=at_set.folder.set_name,
                verdict=correction.verdict,
                label=names.get(correction.label_id, correction.label_id),
                before=names.get(correction.before, correction.before),
                who=correction.who,
                time=correction.time,
            )
            for correction in CorrectionFile(at_set.folder.corrections).history(item_id)
        ]
    return sorted(reviews, key=lambda review: review.time)


def fields_of_row(catalog: OpenCatalog, row_id: str) -> dict[str, Any]:
    """The fields of a row: of an item, of a part of one, or of an item's first part."""
    fields = catalog.items.fetch([row_id]).get(row_id)
    if fields is None:
        lead = catalog.ledger.parts.leads([row_id]).get(row_id)
        fields = catalog.items.fetch([lead]).get(lead) if lead is not None else None
    if fields is None:
        near = hint(catalog.ledger, row_id)
        raise Problem(404, "not-found", "No such item", f"There is no item {row_id!r}{near}.")
    return fields
