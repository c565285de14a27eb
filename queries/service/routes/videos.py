"""``/v1/videos``: a stored video as it lies there, in ranges, so that a player can jump in it."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from indexer.core.records import Kind
from indexer.sources import addresses
from queries.service.dependencies import MayRead, SharedEngine
from queries.service.parameters import ITEM_ID
from queries.service.problems import RESPONSES, Problem
from queries.service.routes.items import fields_of_row

router = APIRouter(prefix="/v1/videos", tags=["items"], responses=RESPONSES)

_TYPES = {".webm": "video/webm", ".mkv": "video/x-matroska", ".avi": "video/x-msvideo"}


@router.get(
    ITEM_ID,
    dependencies=[MayRead],
    response_class=Response,
    responses={200: {"content": {"video/*": {}}}},
)
async def get_video(engine: SharedEngine, item_id: str) -> Response:
    """A stored item's video, whole or the requested range; the id may be that of a shot.

    Only files of this machine are served: others would have to be read whole.
    """
    fields = await engine.run(lambda catalog: fields_of_row(catalog, item_id))
    path = Path(fields["source"])
    if fields["kind"] != Kind.VIDEO or addresses.is_remote(fields["source"]) or not path.is_file():
        raise Problem(404, "not-found", "No video", "There is no such video on this machine.")
    media_type = _TYPES.get(path.suffix.lower(), "video/mp4")  # QuickTime plays as MP4
    return FileResponse(path, media_type=media_type, headers={"Cache-Control": "private, no-cache"})
