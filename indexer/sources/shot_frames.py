"""A frame of a shot, for pages."""

from __future__ import annotations

from indexer.core.errors import ItemError
from indexer.core.parts import END, START
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.core.records import Item, Kind, Part
from indexer.sources import Fetcher
from indexer.sources.open_files import open_file
from indexer.sources.video import VideoDecoder

_TIMEOUT_S = 10.0


def frame_of_shot(source: str, part: Part, fetcher: Fetcher) -> Pixels:
    """A frame from the middle of a shot.

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
            return VideoDecoder(timeout_s=_TIMEOUT_S).frame_at(file, source, middle)
    except OSError as error:
        raise ItemError(Reason.UNREADABLE, f"{source}: can't be read ({error})") from error
