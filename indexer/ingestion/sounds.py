"""Cuts sounds into windows: the segmenter of sounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

from indexer.core.errors import ItemError
from indexer.core.hashing import sha256
from indexer.core.parts import END, START, cut_rows, further_cut, uncut
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, Item, Kind, failure, item_of
from indexer.ingestion.segments import Entry, Fetch, content_of, is_to_embed, with_short_id
from indexer.sources.decoding.sounds import SoundDecoder, Windows

FILES_AT_ONCE = 4
"""Sounds in memory that are read ahead of the model; each may have ``max_bytes``."""

_ROWS_AT_ONCE = 1024
"""Rows of one file that are read together."""


class SoundSegmenter:
    """Makes an item with windows of each sound; see ``segments``.

    Files are read and their lengths found in threads, in order; nothing is decoded here.

    Args:
        fetch: reads a source.
    """

    def __init__(self, decoder: SoundDecoder, fetch: Fetch) -> None:
        self._decoder = decoder
        self._fetch = fetch

    def __call__(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The entries; sounds with their windows as parts."""
        under_way: deque[Future[list[Entry]]] = deque()
        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            for group in _by_file(entries):
                if not is_to_embed(group[0], Kind.SOUND):
                    while under_way:
                        yield from under_way.popleft().result()
                    yield from group
                    continue
                under_way.append(pool.submit(self._segmented, group))
                if len(under_way) >= FILES_AT_ONCE:
                    yield from under_way.popleft().result()
            while under_way:
                yield from under_way.popleft().result()

    def _segmented(self, group: Sequence[Entry]) -> list[Entry]:
        """Items of one file with their windows; rows of one that was cut before."""
        items = [entry for entry in group if isinstance(entry, Item)]
        file = self._read(items[0])
        segmented: list[Entry] = []
        for item in items:
            rows = _rows(item, file)
            for part in item.parts or ():
                rows += self._rows_of_part(part)
            if START in item.part or isinstance(rows[0], Failure):
                segmented += rows
            else:
                segmented.append(replace(rows[0], parts=tuple(rows[1:])))
        return segmented

    def _rows_of_part(self, part: Entry) -> list[Entry]:
        """The windows of a further sound of an item."""
        return _rows(part, self._read(part)) if is_to_embed(part, Kind.SOUND) else [part]

    def _read(self, item: Item) -> _File | ItemError:
        try:
            return _File(content_of(item, self._fetch), item.source, self._decoder)
        except ItemError as error:
            return error


@dataclass
class _File:
    """A sound's file."""

    content: bytes
    name: str
    decoder: SoundDecoder

    @cached_property
    def hash(self) -> str:
        return sha256(self.content)

    @cached_property
    def windows(self) -> Windows:
        return self.decoder.windows(self.content, self.name)


def _rows(item: Item, file: _File | ItemError) -> list[Entry]:
    """An item's windows, the first as its own row; a failure for what can't be used."""
    if isinstance(file, ItemError):
        return [failure(item, Stage.READ, file.reason, str(file))]
    if START in item.part and END in item.part:  # it was cut before
        return [replace(item, content=file.content, file_hash=file.hash, parts=None)]
    try:
        windows = file.windows
    except ItemError as error:
        return [failure(item, Stage.DECODE, error.reason, str(error))]
    whole = replace(uncut(item), content=file.content, file_hash=file.hash)
    rows: list[Entry] = [with_short_id(row, "windows") for row in cut_rows(whole, windows.parts)]
    if windows.broken_at is not None:
        rows.append(_rest(whole, windows))
    # What was missing of a sound that broke has no end in its dead letter.
    after = item.part.get(START, 0.0)
    return [row for row in rows if item_of(row).part[START] >= after]


def _rest(item: Item, windows: Windows) -> Failure:
    """What a broken sound lacks, from the end of its last whole window on."""
    rest = further_cut(item, {START: windows.parts[-1][END]})
    rest = replace(rest, content=None, file_hash="")
    message = f"{windows.warning(item.source)}. Fetch or export it again, and run: zeroshelf retry"
    return failure(rest, Stage.DECODE, Reason.TRUNCATED, message)


def _by_file(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Sounds of one file that follow each other together, other entries alone."""
    group: list[Entry] = []
    for entry in entries:
        if group and not (_is_same_file(group[-1], entry) and len(group) < _ROWS_AT_ONCE):
            yield group
            group = []
        if is_to_embed(entry, Kind.SOUND):
            group.append(entry)
        else:
            yield [entry]
    if group:
        yield group


def _is_same_file(entry: Entry, other: Entry) -> bool:
    if not (isinstance(entry, Item) and is_to_embed(other, Kind.SOUND)):
        return False
    same_address = (entry.source, entry.address) == (other.source, other.address)
    return same_address and entry.content is other.content
