"""Removes items from a catalog, so that no answer contains them any more.

A removal is a promise about privacy. The examples, the dead letters and the generation for a
rollback forget an item before the archive does. So where a removal was killed, the item is still
there and can be removed again, whatever commands run in between. From the archive on, searches
leave the items out, and any command that writes brings the removal to the database.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from indexer.catalog.archive import Removal
from indexer.catalog.near_ids import hint
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog, open_generation
from indexer.core.errors import StoreError, UnknownItemError
from indexer.core.parts import noun_of, source_id_of
from indexer.core.records import Item, Kind
from indexer.ingestion.storing import store_unstored
from indexer.labels.examples import ITEM_KINDS, LabelledFolder, LabelledItems


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalReport:
    """Counts of a removal.

    Attributes:
        removed: removed items.
        parts: rows of them beyond one each, such as their further pictures.
        part_noun: what these are: picture, window, shot or box; part where they are of several
            sorts.
        finished: of them, those whose removal an earlier command had started.
        examples: of them, those that were examples for teaching or calibration.
        kept_generation: of them, those that were in the generation for a rollback.
    """

    removed: int
    parts: int = 0
    part_noun: str = "part"
    finished: int = 0
    examples: int = 0
    kept_generation: int = 0


def remove_items(options: CatalogOptions, item_ids: Sequence[str]) -> RemovalReport:
    """Remove items from the archive, the database, examples and dead letters.

    The same call again finishes a killed one.

    Raises:
        UnknownItemError: an id is not in the catalog; nothing is removed then.
        StoreError: the database failed. The removal is in the archive, searches leave the items
            out, and the same call, or any that writes, finishes it.
    """
    with open_catalog(options, write=True) as catalog:
        catalog.create_collections()
        requested_ids = list(dict.fromkeys(item_ids))
        removable = removable_ids(catalog, requested_ids)
        unknown = [item_id for item_id in requested_ids if item_id not in removable]
        if unknown:
            more = "".join(f", {item_id!r}" for item_id in unknown[1:5])
            raise UnknownItemError(
                f"catalog {catalog.folder.name!r} has no item {unknown[0]!r}"
                f"{hint(catalog.ledger, unknown[0])}{more}{' ...' if unknown[5:] else ''}. "
                "Nothing was removed: correct the ids."
            )
        return remove_from(catalog, requested_ids)


def removable_ids(catalog: OpenCatalog, item_ids: Sequence[str]) -> set[str]:
    """Those of some ids that are items or parts of items, and all whose removal was started."""
    parts = catalog.ledger.parts
    return {*parts.rows_of(item_ids), *parts.parents(item_ids), *catalog.lag.removals}


def remove_from(catalog: OpenCatalog, item_ids: Sequence[str]) -> RemovalReport:
    """Remove items from a catalog that is open for writing.

    Args:
        item_ids: each once; an item goes with all its parts, and the id of a part stands for
            that part.

    Raises:
        StoreError: as ``remove_items``.
    """
    parts = catalog.ledger.parts
    parents = parts.parents(item_ids)
    current = parts.rows_of(item_ids).keys() | parents.keys()
    row_ids = parts.ids_of_rows(item_ids)
    noun = _noun_of(catalog, row_ids)
    removed_ids = sorted({*item_ids} - parents.keys() | _emptied(catalog, parents, row_ids))
    examples = _forget_examples(catalog, removed_ids)
    _forget_dead_letters(catalog, [*item_ids, *removed_ids], or_by=attrgetter("parent_id"))
    removed_previous = _remove_from_previous(catalog.options, item_ids)
    catalog.origins.forget([*item_ids, *row_ids])
    archive_removals(catalog, row_ids)
    _store_everywhere(catalog)
    return RemovalReport(
        removed=len(removed_ids),
        parts=len(row_ids) - len(removed_ids) + len(item_ids) - len(current),
        part_noun=noun,
        finished=len(item_ids) - len(current),
        examples=examples,
        kept_generation=removed_previous,
    )


def _emptied(
    catalog: OpenCatalog, parents: Mapping[str, str], removed_rows: Sequence[str]
) -> set[str]:
    """Items that go with their last part, with their examples."""
    rows_by_item = catalog.ledger.parts.rows_of(sorted(set(parents.values())))
    removed = set(removed_rows)
    return {
        item_id
        for item_id, rows in rows_by_item.items()
        if removed.issuperset(row.row_id for row in rows)
    }


def _noun_of(catalog: OpenCatalog, row_ids: Sequence[str]) -> str:
    """What the rows that are parts of items are called."""
    places = catalog.ledger.find(sorted(catalog.ledger.parts.parents(row_ids)))
    kinds = {
        shard: catalog.archive.table(shard, ["kind"]).column("kind")
        for shard in {place.shard for place in places.values()}
    }
    nouns = {
        noun_of(row_id, Kind(kinds[place.shard][place.row].as_py()))
        for row_id, place in places.items()
    }
    return nouns.pop() if len(nouns) == 1 else "part"


def remove_rows(catalog: OpenCatalog, source_ids: Sequence[str]) -> None:
    """Remove what rows of a source became; other rows of the same items stay.

    Args:
        source_ids: ids of the source's rows, each once; one may be removed already.

    Raises:
        StoreError: as ``remove_items``.
    """
    parts = catalog.ledger.parts
    row_ids = parts.ids_of_source_rows(source_ids)
    parents = parts.parents(row_ids)
    item_ids = {*source_ids, *(parents.get(row_id, row_id) for row_id in row_ids)}
    current = parts.rows_of(sorted(item_ids))
    staying = {
        item_id
        for item_id, rows in current.items()
        if not {row.row_id for row in rows} <= {*row_ids}
    }
    removed_ids = sorted(item_ids - staying)
    _forget_examples(catalog, removed_ids)
    _forget_dead_letters(catalog, removed_ids, or_by=attrgetter("parent_id"))
    _forget_dead_letters(catalog, source_ids, or_by=lambda item: source_id_of(item.item_id))
    with _previous_generation(catalog.options) as previous:
        if previous is not None:
            archive_removals(previous, previous.ledger.parts.ids_of_source_rows(source_ids))
    catalog.origins.forget([*source_ids, *row_ids])
    archive_removals(catalog, row_ids)
    _store_everywhere(catalog)


def archive_removals(catalog: OpenCatalog, item_ids: Sequence[str]) -> None:
    """Write a shard that removes rows, of items or of their parts; the database has them still."""
    if item_ids:
        parents = catalog.ledger.parts.parents(item_ids)
        removals = [
            Removal(item_id=item_id, parent_id=parents.get(item_id, "")) for item_id in item_ids
        ]
        catalog.ledger.add(catalog.archive.write(removals))


def store_removals(catalog: OpenCatalog) -> None:
    """Store all unstored shards, with their removals.

    Raises:
        StoreError: the database failed.
    """
    decisions = catalog.decisions.read
    try:
        store_unstored(catalog.archive, catalog.ledger, catalog.items, decisions=decisions)
    except StoreError as error:
        raise type(error)(
            f"{error}. The removal is kept, and searches of zeroshelf leave the items out; the "
            f"database forgets them with: zeroshelf retry --catalog {catalog.folder.name}"
        ) from error


@contextlib.contextmanager
def _previous_generation(options: CatalogOptions) -> Iterator[OpenCatalog | None]:
    """The generation for a rollback, opened for writing; None where there is none."""
    number = options.folder.generations().previous
    if number is None:
        yield None
        return
    with open_generation(options, number, write=True) as previous:
        yield previous


def _remove_from_previous(options: CatalogOptions, item_ids: Sequence[str]) -> int:
    """Remove items from the archive of the generation for a rollback; returns their number."""
    with _previous_generation(options) as previous:
        if previous is None:
            return 0
        current = previous.ledger.parts.rows_of(item_ids)
        archive_removals(previous, previous.ledger.parts.ids_of_rows(item_ids))
        return len(current)


def _store_everywhere(catalog: OpenCatalog) -> None:
    """Store the removals in the collections of both generations.

    A rollback stores those of its generation itself, so a kill between the two does no harm.
    """
    store_removals(catalog)
    with _previous_generation(catalog.options) as previous:
        if previous is not None and previous.database.has_catalog(
            previous.folder.name, previous.folder.number
        ):
            store_removals(previous)


def _forget_examples(catalog: OpenCatalog, item_ids: Sequence[str]) -> int:
    """Remove items from the examples of all label sets; returns how many items were examples."""
    return len(set().union(*(_forget_examples_of(at_set, item_ids) for at_set in catalog.sets)))


def _forget_examples_of(catalog: OpenCatalog, item_ids: Sequence[str]) -> set[str]:
    """Remove items from the examples of one label set; returns those that were examples."""
    folder, removed_ids = LabelledFolder(catalog.folder.labels), set(item_ids)
    examples: set[str] = set()
    for kind in ITEM_KINDS:
        labelled = folder.items(kind)
        if labelled is not None and not removed_ids.isdisjoint(labelled.item_ids):
            examples |= removed_ids.intersection(labelled.item_ids)
            folder.save_items(kind, _without(labelled, removed_ids))
    return examples


def _without(labelled: LabelledItems, removed_ids: Collection[str]) -> LabelledItems | None:
    rows = [row for row, item_id in enumerate(labelled.item_ids) if item_id not in removed_ids]
    return labelled.take(rows) if rows else None


def _forget_dead_letters(
    catalog: OpenCatalog, ids: Iterable[str], *, or_by: Callable[[Item], str]
) -> None:
    """Remove the dead letters of what is removed, since a retry would ingest it again.

    Args:
        or_by: a second id of a letter's item: that of the item or the source's row that it is of.
    """
    removed_ids = set(ids)
    items = [letter.item for letter in catalog.dead_letters.all()]
    removed = [item for item in items if not removed_ids.isdisjoint((item.item_id, or_by(item)))]
    for item in removed:
        catalog.dead_letters.forget(item)
    if removed:
        catalog.dead_letters.tidy()
