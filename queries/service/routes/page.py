"""The page at ``/``: files of the package, nothing made from anyone's data."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parent.parent / "page"

router = APIRouter(include_in_schema=False)
# Its own files, and those that it shares with pages that commands write.
files = StaticFiles(directory=FOLDER, packages=[("queries.pages", "scripts")])


@router.get("/")
async def index() -> FileResponse:
    """The page."""
    return FileResponse(FOLDER / "index.html", headers={"Cache-Control": "no-cache"})
