"""Carries labels, decisions and dead letters over from a catalog's old generation to a new one.

Every function may be called again and skips what is done. So a killed job resumes where it
stopped, and a last call adds what changed meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.fingerprints import same_contents
from indexer.catalog.item_vectors import vectors_of_items
from indexer.catalog.ledger import Place
from indexer.catalog.opening import OpenCatalog
from indexer.core.chunks import in_chunks
from indexer.core.hashing import described_hash
from indexer.core.protocols import Decision
from indexer.core.records import Failure, FloatArray, Item, Kind
from indexer.core.watch import Watch
from indexer.ingestion.storing import store_unstored
from indexer.jobs.background import embed_words
from indexer.jobs.label_sets import drop_set
from indexer.jobs.labels import replace_labels
from indexer.jobs.removal import archive_removals
from indexer.labels.examples import ITEM_KINDS, Background, LabelledFolder, LabelledItems
from indexer.labels.gates import GateFile
from indexer.labels.migration_plan import MigrationPlan
from indexer.labels.set_settings import is_by_pixels, set_by_pixels
from indexer.labels.sets import embed

_ITEMS_AT_ONCE = 500
_COLUMNS = (
    "item_id",
    "kind",
    "source",
    "title",
    "metadata_json",
    "content_hash",
    "parent_id",
    "part_json",
)


class Archived:
    """A generation's items as a source, without those that another generation has unchanged.

    Args:
        since: only shards after this one.
    """

    def __init__(self, old: OpenCatalog, new: OpenCatalog, *, since: int = 0) -> None:
        self._old = old
        self._new = new
        self._since = since
        self._carries_vectors = same_contents(old.fingerprint, new.fingerprint)

    def __iter__(self) -> Iterator[Item | Failure]:
        """Items in the order of the archive; each with the content hash that was embedded.

        Where both models embed pictures alike, all but texts come with their vectors.
        """
        for shard in self._old.archive.shards():
            if shard > self._since:
                rows = self._old.ledger.live_rows(shard)
                table = self._old.archive.table(shard, _COLUMNS).take(rows)
                vectors: FloatArray | None = None
                if self._carries_vectors:
                    vectors = self._old.archive.vectors(shard)[rows]
                for start in range(0, len(rows), _ITEMS_AT_ONCE):
                    batch = table.slice(start, _ITEMS_AT_ONCE).to_pylist()
                    batch_vectors = None if vectors is None else vectors[start:][: len(batch)]
                    yield from self._missing(batch, batch_vectors)

    def count(self) -> int:
        """Items that the new generation lacks, at least."""
        return max(0, self._old.ledger.count() - self._new.ledger.count())

    def _missing(self, rows: list[dict[str, str]], vectors: FloatArray | None) -> Iterator[Item]:
        places = self._new.ledger.find([row["item_id"] for row in rows])
        for number, row in enumerate(rows):
            place, kind = places.get(row["item_id"]), Kind(row["kind"])
            item = Item(
                item_id=row["item_id"],
                kind=kind,
                vector=None if vectors is None or kind is Kind.TEXT else vectors[number],
                source=row["source"],
                title=row["title"],
                metadata=json.loads(row["metadata_json"]),
                content_hash=row["content_hash"],
                parent_id=row["parent_id"],
                part=json.loads(row["part_json"] or "{}"),
            )
            if place is None or not _is_at(item, place):
                yield item


def remove_deleted(old: OpenCatalog, new: OpenCatalog) -> None:
    """Remove items from the new generation that are no longer in the old one."""
    removed: list[str] = []
    for item_ids in in_chunks(new.ledger.item_ids(), _ITEMS_AT_ONCE):
        current = old.ledger.find(item_ids)
        removed += [item_id for item_id in item_ids if item_id not in current]
    archive_removals(new, removed)


def carry_decisions(old: OpenCatalog, new: OpenCatalog, shard: int) -> None:
    """Copy the decisions of all label sets on the items of a new generation's shard.

    So filters by label work until the new generation is categorized.
    """
    ids = new.archive.table(shard, ["item_id"]).column("item_id").to_pylist()
    places = old.ledger.find(ids)
    for set_name, old_files in old.decisions.files.items():
        decided = lru_cache(maxsize=4)(old_files.read)
        carried: list[Decision | None] = []
        for item_id in ids:
            place = places.get(item_id)
            rows = None if place is None else decided(place.shard)
            carried.append(None if rows is None or place is None else rows[place.row])
        files = DecisionFiles(new.folder.of_set(set_name).decisions)
        if carried == (files.read(shard) or [None] * len(ids)):
            continue
        new.ledger.stored.unmark([shard])  # first: a kill leaves no stored rows without them
        files.write(shard, carried)


def catch_up_decisions(old: OpenCatalog, new: OpenCatalog) -> None:
    """Copy the old generation's current decisions, and store the rows that changed."""
    items = new.items
    for shard in new.archive.shards():
        carry_decisions(old, new, shard)
    if new.ledger.stored.missing():
        store_unstored(new.archive, new.ledger, items, decisions=new.decisions.read)


def make_sets(old: OpenCatalog, new: OpenCatalog) -> None:
    """Give the new generation the old one's label sets, and no others.

    Their labels come later: decisions of a set are carried with the items.
    """
    names = old.folder.set_names()
    for set_name in names:
        new.folder.of_set(set_name).labels.mkdir(parents=True, exist_ok=True)
    for set_name in set(new.folder.set_names()) - set(names):
        drop_set(new.of_set(set_name))


def carry_labels(old: OpenCatalog, new: OpenCatalog, watch: Watch) -> None:
    """Embed a label set and its background vocabulary by the new model.

    Args:
        old: the old generation, at the set.
        new: the new generation, at the same set.
    """
    GateFile(new.folder.labels).save(GateFile(old.folder.labels).load())
    set_by_pixels(new.folder.labels, is_by_pixels(old.folder.labels))
    MigrationPlan(new.folder.labels).carry_last(MigrationPlan(old.folder.labels))
    labels = old.label_set
    if len(labels) or len(new.label_set):
        label_set, prompts, changes = embed(
            new.label_set,
            labels.labels,
            templates=labels.templates,
            embed_texts=new.encoder.embed_texts,
            synonyms=labels.with_synonyms,
            prompts=new.prompts,
            watch=watch,
        )
        is_same_order = [label.label_id for label in new.label_set.labels] == list(label_set.places)
        if not is_same_order or changes.added or changes.changed or changes.removed:
            replace_labels(new, label_set, prompts)
    background = LabelledFolder(old.folder.labels).background()
    folder = LabelledFolder(new.folder.labels)
    stored_background = folder.background()
    if background is None:
        folder.save_background(None)
    elif stored_background is None or stored_background.words != background.words:
        vectors = embed_words(new, background.words, watch)
        folder.save_background(Background(background.words, vectors))


def carry_labelled(old: OpenCatalog, new: OpenCatalog) -> None:
    """Carry over the labelled items of a label set, with their new vectors."""
    source, target = LabelledFolder(old.folder.labels), LabelledFolder(new.folder.labels)
    for kind in ITEM_KINDS:
        target.save_items(kind, _with_new_vectors(new, source.items(kind)))


def carry_dead_letters(old: OpenCatalog, new: OpenCatalog) -> None:
    """Carry over the old generation's dead letters, without those of removed items."""
    old_letters = DeadLetters(old.folder.dead_letters).all()
    new.dead_letters.tidy()
    new_keys = {_key(letter) for letter in new.dead_letters.all()}
    for letter in old_letters:
        if _key(letter) not in new_keys:
            new.dead_letters.add(letter)
    old_keys = {_key(letter) for letter in old_letters}
    letters = new.dead_letters.all()
    current = old.ledger.find([letter.item.item_id for letter in letters])
    for letter in letters:
        if letter.item.item_id not in current and _key(letter) not in old_keys:
            new.dead_letters.forget(letter.item)
    new.dead_letters.tidy()


def _is_at(item: Item, place: Place) -> bool:
    # Whether a title was embedded is a choice of the ingestion: the item is the same.
    described = {described_hash(item), described_hash(item, with_title=True)}
    return place.content_hash == item.content_hash and place.row_hash in described


def _key(letter: Failure) -> tuple[str, str]:
    return letter.item.item_id, letter.item.source


def _with_new_vectors(new: OpenCatalog, labelled: LabelledItems | None) -> LabelledItems | None:
    """Labelled items with their vectors of the new generation; missing items are left out."""
    if labelled is None:
        return None
    stored = vectors_of_items(new.archive, new.ledger.parts, labelled.item_ids)
    rows = [row for row, item_id in enumerate(labelled.item_ids) if item_id in stored]
    if not rows:
        return None
    items = [stored[labelled.item_ids[row]] for row in rows]
    titles = [item.title for item in items]
    zeros = np.zeros(new.archive.width, dtype=np.float32)
    return LabelledItems(
        tuple(labelled.item_ids[row] for row in rows),
        tuple(labelled.label_ids[row] for row in rows),
        np.stack([item.mean for item in items]),
        np.stack([zeros if title is None else title for title in titles])
        if any(title is not None for title in titles)
        else None,
    )
