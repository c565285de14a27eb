"""Cuts the things out of pictures: the segmenter of boxes.

A picture is decoded in full size, since its boxes are in its pixels. The crops are embedded here,
so a box's row comes with its vector; the whole picture goes the ordinary way, as the item's own
row. A file that is in the catalog with the boxes of the same finder is neither decoded nor looked
at again; where nothing is looked for, it keeps the boxes that it has. What can't be read or decoded
is left as it is: its dead letter is made where others are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from indexer.catalog.archive import Archive
from indexer.catalog.ledger import Ledger
from indexer.catalog.objects import crop_vectors
from indexer.core.boxes import ObjectFinder, box_of, cut
from indexer.core.errors import ItemError
from indexer.core.hashing import part_hash, sha256
from indexer.core.parts import BOX, OF, RECIPE, cut_rows
from indexer.core.protocols import Encoder, Pixels
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Item, Kind, failure
from indexer.ingestion.reports import Stopwatch
from indexer.ingestion.segments import Entry, Fetch, content_of, is_to_embed, with_short_id
from indexer.ingestion.stored_cuts import StoredCut, stored_cuts

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class ObjectTally:
    """Counts what was found, and the seconds of looking.

    Attributes:
        boxes: that pictures have, those that were stored already included.
        pictures_without: that were looked at and in which nothing was found.
        outdated: boxes of pictures that are other ones now and were not looked at.
        words: what a detector looked for.
    """

    boxes: int = 0
    pictures_without: int = 0
    outdated: int = 0
    words: tuple[str, ...] = ()
    stopwatch: Stopwatch = field(default_factory=Stopwatch)


@dataclass(kw_only=True)
class ObjectSegmenter:
    """Makes an item with boxes of each picture; see ``segments``.

    Attributes:
        decode: pixels of full size from bytes and a name; raises ``ItemError``.
        fetch: reads a source.
        ledger: tells the rows that are stored already, which lie in ``archive``.
        finder: None leaves new pictures whole, keeps the boxes of those that are in the catalog
            as they are, and embeds anew the rows that were cut before.
    """

    encoder: Encoder
    decode: Callable[[bytes, str], Pixels]
    fetch: Fetch
    archive: Archive
    ledger: Ledger
    finder: ObjectFinder | None
    tally: ObjectTally = field(default_factory=ObjectTally)

    def __call__(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """The entries; pictures with their boxes as parts."""
        self.tally.words = () if self.finder is None else self.finder.words
        for entry in entries:
            if not is_to_embed(entry, Kind.PICTURE):
                yield entry
            elif BOX in entry.part:
                yield self._embedded_again(entry)
            elif self.finder is None and not self._has_boxes(entry):
                yield entry
            else:
                yield self._with_boxes(entry)

    def _has_boxes(self, item: Item) -> bool:
        """Whether an item is stored with boxes that do not come as rows of their own."""
        if item.content_hash or not self.ledger.parts.exist:  # rows of an archive have their hash
            return False
        item_id = item.parent_id or item.item_id
        rows = self.ledger.parts.rows_of([item_id]).get(item_id, ())
        return any(f"{BOX}=" in row.row_id for row in rows)

    def _with_boxes(self, item: Item) -> Item:
        """An item with the boxes of all its pictures."""
        own, *parts = self._rows(item)
        for part in item.parts or ():
            parts += self._rows(part) if is_to_embed(part, Kind.PICTURE) else [part]
        assert isinstance(own, Item)
        return replace(own, parts=tuple(parts))

    def _rows(self, item: Item) -> list[Entry]:
        """A picture, and its boxes; those that are stored of one that can't be read."""
        stored = [box for box in stored_cuts(item, self.ledger, self.archive) if BOX in box.part]
        try:
            content = content_of(item, self.fetch)
            whole = replace(item, file_hash=sha256(content))
            if self.finder is None:
                boxes = self._stored_boxes(whole, stored)
            elif _is_complete(whole, stored, self.finder.recipe):
                boxes = _rows_of(whole, stored)
            else:
                boxes = self._new_boxes(whole, content, self.finder)
            item = replace(item, content=content)
        except ItemError:
            boxes = _rows_of(item, stored)
        self.tally.boxes += len(boxes)
        return [item, *boxes]

    def _stored_boxes(self, whole: Item, stored: Sequence[StoredCut]) -> list[Entry]:
        """The stored boxes of a file that is what it was, however they were found."""
        boxes_of_file = [box for box in stored if _is_of_file(whole, box)]
        self.tally.outdated += len(stored) - len(boxes_of_file)
        return _rows_of(whole, boxes_of_file)

    def _new_boxes(self, whole: Item, content: bytes, finder: ObjectFinder) -> list[Entry]:
        pixels = self.decode(content, whole.source)
        with self.tally.stopwatch:
            try:
                new_boxes = finder.find(pixels)
            except ItemError as error:
                _log.warning("%s: %s; it is embedded as a whole.", whole.source, error)
                new_boxes = []
            vectors = crop_vectors(self.encoder, new_boxes, pixels)
        self.tally.pictures_without += not new_boxes
        recipe = {OF: len(new_boxes), RECIPE: finder.recipe}
        parts = [{BOX: list(thing.box), **recipe} for thing in new_boxes]
        hashes = [part_hash(whole.file_hash, part) for part in parts]
        cuts = zip(parts, hashes, vectors, strict=True)
        return _rows_of(whole, [StoredCut(part=p, content_hash=h, vector=v) for p, h, v in cuts])

    def _embedded_again(self, item: Item) -> Entry:
        """A box that is known, by the model of this catalog."""
        box = box_of(item.part)
        try:
            content = content_of(item, self.fetch)
            content_hash = part_hash(sha256(content), item.part)
            if item.content_hash not in {"", content_hash}:
                message = f"{item.source} is not what it was; ingest it again with --objects"
                return failure(item, Stage.READ, Reason.CHANGED, message)
            crop = cut(self.decode(content, item.source), box)
            vector = self.encoder.embed_pictures([self.encoder.prepare(crop)])[0]
        except ItemError as error:
            return failure(item, Stage.DECODE, error.reason, str(error))
        return replace(item, vector=vector, content_hash=content_hash, content=None)


def _is_complete(whole: Item, stored: Sequence[StoredCut], recipe: str) -> bool:
    """Whether all boxes of a file are stored, found in the same way."""
    return bool(stored) and all(
        box.part.get(RECIPE) == recipe
        and box.part.get(OF) == len(stored)
        and _is_of_file(whole, box)
        for box in stored
    )


def _is_of_file(whole: Item, box: StoredCut) -> bool:
    return box.content_hash == part_hash(whole.file_hash, box.part)


def _rows_of(whole: Item, cuts: Sequence[StoredCut]) -> list[Entry]:
    """The rows of a picture's boxes, without the picture's own."""
    rows = cut_rows(replace(whole, content=None), [box.part for box in cuts])[1:]
    return [
        with_short_id(replace(row, vector=box.vector, content_hash=box.content_hash), "boxes")
        for row, box in zip(rows, cuts, strict=True)
    ]
