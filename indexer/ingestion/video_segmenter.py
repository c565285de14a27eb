"""Cuts videos into shots: the segmenter of videos.

A video is decoded and embedded here, since its frames say where its shots begin. Its rows come with
their vectors, all at once: it is in the catalog whole, or it is tried again. A file that is in the
catalog as it is, cut in the same way, is neither decoded nor embedded; each of its rows tells how
many there are (``of``), so that one that was stored in part is found.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import IO

from indexer.catalog.archive import Archive
from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.ledger import Ledger
from indexer.core.errors import ItemError, ModelError
from indexer.core.hashing import part_hash
from indexer.core.parts import END, OF, RECIPE, START, cut_rows, further_cut, is_cut, uncut
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, Item, Kind, Part, failure
from indexer.ingestion.segments import Entry, is_to_embed, with_short_id
from indexer.ingestion.shots import Shot
from indexer.ingestion.stored_cuts import stored_cuts
from indexer.ingestion.videos import VideoEmbedder

OpenFile = Callable[[Item], AbstractContextManager[IO[bytes]]]
"""Opens an item's file, which can be sought in; raises ``ItemError``."""


@dataclass(kw_only=True)
class VideoSegmenter:
    """Makes an item with shots of each video; see ``segments``.

    Attributes:
        ledger: tells the rows that are stored already, which lie in ``archive``.
    """

    embedder: VideoEmbedder
    open_file: OpenFile
    archive: Archive
    ledger: Ledger
    dead_letters: DeadLetters
    _last_hash: tuple[tuple[object, ...], str] = ((), "")

    def __call__(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The entries; videos with their shots as parts."""
        for entry in entries:
            if not is_to_embed(entry, Kind.VIDEO):
                yield entry
                continue
            rows = self._rows(entry)
            for part in entry.parts or ():
                rows += self._rows(part) if is_to_embed(part, Kind.VIDEO) else [part]
            own, *further = rows
            if isinstance(own, Item) and not _is_cut_before(entry):
                yield replace(own, parts=tuple(further))
            else:
                yield from rows

    def _rows(self, item: Item) -> list[Entry]:
        """An item's shots, the first as its own row; a failure for what can't be used."""
        try:
            with self.open_file(item) as file:
                file_hash = self._hash_of(item, file)
                if _is_cut_before(item):
                    return [self._embedded_again(item, file, file_hash)]
                whole = replace(uncut(item), file_hash=file_hash, content=None)
                return self._stored(whole) or self._new(whole, file)
        except ItemError as error:
            return [failure(item, Stage.DECODE, error.reason, str(error))]
        except OSError as error:
            message = f"{item.source}: can't be read ({error}); check the file"
            return [failure(item, Stage.READ, Reason.UNREADABLE, message)]
        except ModelError as error:
            return [failure(item, Stage.EMBED, Reason.NOT_EMBEDDED, str(error))]

    def _hash_of(self, item: Item, file: IO[bytes]) -> str:
        """SHA-256 of a file; shots of one file that follow each other need it once."""
        size, stamp = file.seek(0, io.SEEK_END), 0
        with suppress(OSError):  # a file in memory, or at an address, has no number
            stamp = os.fstat(file.fileno()).st_mtime_ns
        key = (item.source, item.address, id(item.content), size, stamp)
        if self._last_hash[0] != key:
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]
            self._last_hash = key, digest.hexdigest()
        return self._last_hash[1]

    def _new(self, whole: Item, file: IO[bytes]) -> list[Entry]:
        """The shots of a video that is not in the catalog as it is."""
        shots, problem = self.embedder.shots(file, whole.source)
        parts = [self._part(shot, len(shots)) for shot in shots]
        rows: list[Entry] = [
            with_short_id(replace(_hashed(row), vector=shot.vector), "shots")
            for row, shot in zip(cut_rows(whole, parts), shots, strict=True)
        ]
        if problem is not None:
            rows.append(_rest(whole, shots[-1].end_s, problem))
        return rows

    def _part(self, shot: Shot, shot_count: int) -> Part:
        return {
            START: round(shot.start_s, 3),
            END: round(shot.end_s, 3),
            OF: shot_count,
            RECIPE: self.recipe,
        }

    @cached_property
    def recipe(self) -> str:
        """How videos are cut, which is a part of each row's content hash."""
        return self.embedder.recipe

    def _stored(self, whole: Item) -> list[Entry]:
        """The rows of a file that is in the catalog, cut in the same way; empty for others."""
        stored = stored_cuts(whole, self.ledger, self.archive)
        if not stored or any(
            cut.part.get(RECIPE) != self.recipe or cut.part.get(OF) != len(stored) for cut in stored
        ):
            return []
        rows = [_hashed(row) for row in cut_rows(whole, [cut.part for cut in stored])]
        if [row.content_hash for row in rows] != [cut.content_hash for cut in stored]:
            return []
        # What failed of it last time fails again: the file is the same.
        letters = [
            replace(letter, attempts=1, item=replace(letter.item, origin=whole.origin))
            for letter in self.dead_letters.of_item(whole.parent_id or whole.item_id)
            if _is_rest(letter.item) and uncut(letter.item).item_id == whole.item_id
        ]
        with_vectors = [
            replace(row, vector=cut.vector) for row, cut in zip(rows, stored, strict=True)
        ]
        return [*with_vectors, *letters]

    def _embedded_again(self, item: Item, file: IO[bytes], file_hash: str) -> Entry:
        """A shot whose seconds are known, by the model of this catalog."""
        content_hash = part_hash(file_hash, item.part)
        if item.content_hash not in {"", content_hash}:
            message = f"{item.source} is not what it was; ingest it again to take it as it is now"
            return failure(item, Stage.READ, Reason.CHANGED, message)
        vector = self.embedder.mean(
            file, item.source, start_s=item.part[START], end_s=item.part[END]
        )
        return replace(item, vector=vector, content_hash=content_hash, content=None)


def _hashed(row: Item) -> Item:
    return replace(row, content_hash=part_hash(row.file_hash, row.part))


def _rest(whole: Item, end_s: float, problem: ItemError) -> Failure:
    """What a broken video lacks, from the end of its last shot on."""
    rest = further_cut(whole, {START: round(end_s, 3)})
    message = f"{problem}, and run: zeroshelf retry. The shots before that are in the catalog."
    return failure(rest, Stage.DECODE, problem.reason, message)


def _is_cut_before(item: Item) -> bool:
    """Whether an item is a shot: a row of an archive, or one that failed by itself."""
    return is_cut(item.part) and END in item.part


def _is_rest(item: Item) -> bool:
    return START in item.part and END not in item.part
