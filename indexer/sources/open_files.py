"""Opens an item's file to seek in it, so that a long video is never in memory; frames of shots."""

from __future__ import annotations

import io
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from indexer.core.errors import ItemError, SourceError
from indexer.core.object_stores import is_connection_failure
from indexer.core.parts import END, START
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.core.records import Item, Kind, Part
from indexer.sources import addresses
from indexer.sources.fetch import Fetcher
from indexer.sources.video import VideoDecoder

_FRAME_TIMEOUT_S = 10.0
"""A page waits for its pictures of shots, so they get less time than a video of an ingestion."""


@contextmanager
def open_file(fetcher: Fetcher, item: Item) -> Iterator[IO[bytes]]:
    """The file of an item.

    Local files and files at fsspec addresses are read piece by piece. What comes from the web or
    out of an archive is read whole, within the fetcher's limit.

    Raises:
        ItemError: MISSING, UNREADABLE, TOO_MANY_BYTES, DOWNLOAD_FAILED.
    """
    source = item.address or item.source
    if item.content is not None:
        yield io.BytesIO(item.content)
    elif not addresses.is_remote(source) and Path(source).is_file():
        if not stat.S_ISREG(Path(source).stat().st_mode):
            raise ItemError(Reason.UNREADABLE, f"{source}: not a file")
        with Path(source).open("rb") as file:
            yield file
    elif addresses.is_web(source) or "::" in source or not addresses.is_remote(source):
        yield io.BytesIO(fetcher.read(source))
    else:
        try:
            opened = addresses.open_binary(source)
        except SourceError as error:
            away = is_connection_failure(error.__cause__)
            reason = Reason.DOWNLOAD_FAILED if away else Reason.UNREADABLE
            raise ItemError(reason, str(error)) from error
        with opened as file:
            yield file


def frame_of_shot(source: str, part: Part, fetcher: Fetcher) -> Pixels:
    """A frame from the middle of a shot, for pages.

    Args:
        source: where the video lies.
        part: the shot's seconds.

    Raises:
        ItemError: it can't be read or decoded.
    """
    middle = (part.get(START, 0.0) + part.get(END, 0.0)) / 2
    item = Item(item_id=source, kind=Kind.VIDEO, source=source)
    try:
        with open_file(fetcher, item) as file:
            return VideoDecoder(timeout_s=_FRAME_TIMEOUT_S).frame_at(file, source, middle)
    except OSError as error:
        raise ItemError(Reason.UNREADABLE, f"{source}: can't be read ({error})") from error
