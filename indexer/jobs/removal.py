"""Take items out of a catalog, so that no answer holds them any more.

A removal is a promise about privacy. It is a row of the archive first; then the database, the
examples that people taught, the dead letters, and the generation that a rollback would go back
to follow. Until the database has it, searches leave such items out by the archive.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from indexer.catalog.archive import Removal
from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.opened import Catalog, CatalogOptions, open_catalog, open_generation
from indexer.core.errors import CatalogError, StoreError
from indexer.ingestion.storing import store_unstored
from indexer.labels.examples import Labelled, LabelledFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalReport:
    """What a removal did.

    Attributes:
        removed: items that were taken out.
        finished: of them, those whose removal a command before had begun and not finished.
        examples: of them, those that labels were taught or calibrated with; these are forgotten.
        kept_generation: of them, those that were in the generation a rollback goes back to.
    """

    removed: int
    finished: int = 0
    examples: int = 0
    kept_generation: int = 0


def remove_items(options: CatalogOptions, item_ids: Sequence[str]) -> RemovalReport:
    """Remove items: from the archive's view, the database, examples and dead letters.

    The same call again finishes what a killed one began.

    Raises:
        CatalogError: an id is not in the catalog; nothing is removed then.
        StoreError: the database failed. The removal is in the archive, searches leave the items
            out, and the same call, or any that writes, finishes it.
    """
    with open_catalog(options, write=True) as catalog:
        catalog.create_collections()
        waiting = catalog.lag.removals
        wanted = list(dict.fromkeys(item_ids))
        known = catalog.ledger.find(wanted)
        unknown = [one for one in wanted if one not in known and one not in waiting]
        if unknown:
            raise CatalogError(
                f"catalog {catalog.folder.name!r} has no item "
                f"{', '.join(map(repr, unknown[:5]))}{' ...' if unknown[5:] else ''}. "
                "Nothing was removed: correct the ids."
            )
        return take_out(catalog, wanted)


def take_out(catalog: Catalog, item_ids: Sequence[str]) -> RemovalReport:
    """Remove items from a catalog that is open for writing; what it lacks is only forgotten.

    Args:
        item_ids: each once.

    Raises:
        StoreError: as ``remove_items``.
    """
    known = list(catalog.ledger.find(item_ids))
    _archive_removals(catalog, known)
    examples = _forget_examples(catalog, item_ids)
    _forget_dead_letters(catalog, item_ids)
    catalog.origins.forget(item_ids)
    kept = _remove_from_kept(catalog.options, item_ids)
    bring_to_database(catalog)
    return RemovalReport(
        removed=len(item_ids),
        finished=len(item_ids) - len(known),
        examples=examples,
        kept_generation=kept,
    )


def _archive_removals(catalog: Catalog, item_ids: Sequence[str]) -> None:
    if item_ids:
        removals = [Removal(item_id=one) for one in item_ids]
        catalog.ledger.add(catalog.archive.write(removals))


def bring_to_database(catalog: Catalog) -> None:
    """Store all that waits, removals among it.

    Raises:
        StoreError: the database failed.
    """
    decisions = DecisionFiles(catalog.folder.decisions).read
    try:
        store_unstored(catalog.archive, catalog.ledger, catalog.items, decisions=decisions)
    except StoreError as error:
        raise type(error)(
            f"{error}. The removal is kept, and searches of zeroshelf leave the items out; the "
            f"database forgets them with: zeroshelf retry --catalog {catalog.folder.name}"
        ) from error


def _remove_from_kept(options: CatalogOptions, item_ids: Sequence[str]) -> int:
    """Remove items from the generation that a rollback goes back to; a rollback stores it."""
    number = options.folder.generations().previous
    if number is None:
        return 0
    with open_generation(options, number, write=True) as kept:
        there = list(kept.ledger.find(list(item_ids)))
        _archive_removals(kept, there)
        if there and kept.database.has_catalog(kept.folder.name, number):
            bring_to_database(kept)
        return len(there)


def _forget_examples(catalog: Catalog, item_ids: Sequence[str]) -> int:
    """Forget the vectors of items that labels were taught or calibrated with."""
    folder, gone = LabelledFolder(catalog.folder.labels), set(item_ids)
    taught, calibrating, unknown = folder.taught(), folder.calibrating(), folder.unknown()
    if taught is not None and not gone.isdisjoint(taught.item_ids):
        folder.teach(_without(taught, gone))
    if calibrating is not None and not gone.isdisjoint(calibrating.item_ids):
        folder.calibrate_on(_without(calibrating, gone))
    if unknown is not None and not gone.isdisjoint(unknown.item_ids):
        folder.put_unknown(_without(unknown, gone))
    examples = {one for part in (taught, calibrating, unknown) if part for one in part.item_ids}
    return len(examples & gone)


def _without(labelled: Labelled, gone: Collection[str]) -> Labelled | None:
    rows = [row for row, item_id in enumerate(labelled.item_ids) if item_id not in gone]
    return labelled.take(rows) if rows else None


def _forget_dead_letters(catalog: Catalog, item_ids: Sequence[str]) -> None:
    """Forget failures of removed items: a retry would bring them in again."""
    gone = set(item_ids)
    letters = [one for one in catalog.dead_letters.all() if one.item.item_id in gone]
    for letter in letters:
        catalog.dead_letters.resolve(letter.item)
    if letters:
        catalog.dead_letters.tidy()
