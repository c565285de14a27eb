"""What a new generation of a catalog takes over from the one before it.

Everything here may be done again: what is there already is left as it is. So a killed job
goes on where it stopped, and a last call catches up with what came meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

from indexer.catalog.archive import Removal
from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.ledger import Place
from indexer.catalog.opened import Catalog
from indexer.core.chunks import in_chunks
from indexer.core.hashing import described_hash
from indexer.core.protocols import Decision
from indexer.core.records import Failure, Item, Kind
from indexer.ingestion.storing import store_unstored
from indexer.jobs.background import embedded
from indexer.jobs.labels import replace_labels
from indexer.labels.examples import Background, Labelled, LabelledFolder
from indexer.labels.sets import embed

OnTexts = Callable[[int, int], None]

_ITEMS_AT_ONCE = 500
_COLUMNS = ("item_id", "kind", "source", "title", "metadata_json", "content_hash")


class Archived:
    """A generation's items as a source, those left out that another generation has as they are.

    Args:
        since: only shards after this one.
    """

    def __init__(self, old: Catalog, new: Catalog, *, since: int = 0) -> None:
        self._old = old
        self._new = new
        self._since = since

    def __iter__(self) -> Iterator[Item | Failure]:
        """Items in the order of the archive; pictures must still be what was embedded."""
        for shard in self._old.archive.shards():
            if shard > self._since:
                rows = self._old.ledger.live_rows(shard)
                table = self._old.archive.table(shard, _COLUMNS).take(rows)
                for some in table.to_batches(_ITEMS_AT_ONCE):
                    yield from self._missing(some.to_pylist())

    def count(self) -> int:
        """Items that the new generation lacks, at least."""
        return max(0, self._old.ledger.count() - self._new.ledger.count())

    def _missing(self, rows: list[dict[str, str]]) -> Iterator[Item]:
        known = self._new.ledger.find([row["item_id"] for row in rows])
        for row in rows:
            place = known.get(row["item_id"])
            item = Item(
                item_id=row["item_id"],
                kind=Kind(row["kind"]),
                source=row["source"],
                title=row["title"],
                metadata=json.loads(row["metadata_json"]),
                content_hash=row["content_hash"],
            )
            if place is None or not _is_at(item, place):
                yield item


def remove_gone(old: Catalog, new: Catalog) -> None:
    """Take out of the new generation what is no longer in the old one."""
    gone: list[str] = []
    for some in in_chunks(new.ledger.item_ids(), _ITEMS_AT_ONCE):
        known = old.ledger.find(some)
        gone += [item_id for item_id in some if item_id not in known]
    if gone:
        new.ledger.add(new.archive.write([Removal(item_id=one) for one in gone]))


def carry_decisions(old: Catalog, new: Catalog, shard: int) -> None:
    """Give a shard of the new generation the labels that its items have.

    Filters by label go on finding items until the new generation is categorized.
    """
    ids = new.archive.table(shard, ["item_id"]).column("item_id").to_pylist()
    places = old.ledger.find(ids)
    decided = lru_cache(maxsize=4)(DecisionFiles(old.folder.decisions).read)
    carried: list[Decision | None] = []
    for item_id in ids:
        place = places.get(item_id)
        rows = None if place is None else decided(place.shard)
        carried.append(None if rows is None or place is None else rows[place.row])
    files = DecisionFiles(new.folder.decisions)
    if carried == (files.read(shard) or [None] * len(ids)):
        return
    new.ledger.mark_unstored([shard])  # first: a kill must not leave stored rows without them
    files.write(shard, carried)


def catch_up_decisions(old: Catalog, new: Catalog) -> None:
    """Bring the labels on items to what they are in the old generation now."""
    items = new.items
    for shard in new.archive.shards():
        carry_decisions(old, new, shard)
    if new.ledger.unstored_shards():
        decisions = DecisionFiles(new.folder.decisions).read
        store_unstored(new.archive, new.ledger, items, decisions=decisions)


def carry_labels(old: Catalog, new: Catalog, on_texts: OnTexts) -> None:
    """Embed labels and background vocabulary of the old generation by the new model."""
    labels = old.label_set
    if len(labels) or len(new.label_set):
        after, prompts, changes = embed(
            new.label_set,
            labels.labels,
            templates=labels.templates,
            embed_texts=new.encoder.embed_texts,
            synonyms=labels.with_synonyms,
            prompts=new.prompts,
            on_texts=on_texts,
        )
        same = [one.label_id for one in new.label_set.labels] == list(after.places)
        if not same or changes.added or changes.changed or changes.removed:
            replace_labels(new, after, prompts)
    background = LabelledFolder(old.folder.labels).background()
    folder = LabelledFolder(new.folder.labels)
    before = folder.background()
    if background is None:
        folder.put_background(None)
    elif before is None or before.words != background.words:
        vectors = embedded(new, background.words, on_texts)
        folder.put_background(Background(background.words, vectors))


def carry_labelled(old: Catalog, new: Catalog) -> None:
    """Keep the items that were taught and calibrated on, with their new vectors."""
    source, target = LabelledFolder(old.folder.labels), LabelledFolder(new.folder.labels)
    target.teach(_embedded_anew(new, source.taught()))
    target.calibrate_on(_embedded_anew(new, source.calibrating()))
    target.put_unknown(_embedded_anew(new, source.unknown()))


def carry_dead_letters(old: Catalog, new: Catalog) -> None:
    """Keep the old generation's dead letters, and forget those of items that are gone."""
    before = DeadLetters(old.folder.dead_letters).all()
    new.dead_letters.tidy()
    there = {_key(one) for one in new.dead_letters.all()}
    for letter in before:
        if _key(letter) not in there:
            new.dead_letters.add(letter)
    wanted = {_key(letter) for letter in before}
    letters = new.dead_letters.all()
    known = old.ledger.find([letter.item.item_id for letter in letters])
    for letter in letters:
        if letter.item.item_id not in known and _key(letter) not in wanted:
            new.dead_letters.resolve(letter.item)
    new.dead_letters.tidy()


def _is_at(item: Item, place: Place) -> bool:
    described = {described_hash(item), described_hash(item, with_title=True)}
    return place.content_hash == item.content_hash and place.row_hash in described


def _key(letter: Failure) -> tuple[str, str]:
    return letter.item.item_id, letter.item.source


def _embedded_anew(new: Catalog, kept: Labelled | None) -> Labelled | None:
    """Labelled items with the vectors of the new generation; those that it lacks are left out."""
    if kept is None:
        return None
    places = new.ledger.find(kept.item_ids)
    rows = [row for row, item_id in enumerate(kept.item_ids) if item_id in places]
    if not rows:
        return None
    found = [places[kept.item_ids[row]] for row in rows]
    titles = [new.archive.title(place.shard, place.row)[1] for place in found]
    none = np.zeros(new.archive.width, dtype=np.float32)
    return Labelled(
        tuple(kept.item_ids[row] for row in rows),
        tuple(kept.label_ids[row] for row in rows),
        np.stack([new.archive.vector(place.shard, place.row) for place in found]),
        np.stack([none if one is None else one for one in titles])
        if any(one is not None for one in titles)
        else None,
    )
