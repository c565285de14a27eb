"""Go back to the generation before, and drop generations that do not count any more."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.opened import Catalog, CatalogOptions, open_generation
from indexer.core.errors import CatalogError
from indexer.core.layout import AS_IT_IS
from indexer.ingestion.storing import store_unstored
from indexer.store import Database

READERS_PATIENCE_S = 30.0
"""How long a generation is kept for those who still read it; then until the next time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackReport:
    """What a rollback did.

    Attributes:
        model: the catalog's model now.
        items: in the generation that counts now.
        not_there: items of the generation before that it lacks: they came after the change.
    """

    model: str
    items: int
    not_there: int


def rollback(options: CatalogOptions) -> RollbackReport:
    """Go back to the generation that was kept; the one before is kept in its place.

    Raises:
        CatalogError: none was kept, or it is not whole.
    """
    options = options.without_model
    folder = options.folder
    folder.generations()
    with folder.reembed_lock(), folder.locked():
        found = folder.generations()
        if found.previous is None:
            raise CatalogError(
                f"catalog {folder.name!r} has no generation to go back to: zeroshelf reembed "
                "--keep-old keeps one."
            )
        with (
            open_generation(options, found.previous, write=True) as kept,
            open_generation(options, found.current) as left,
        ):
            _make_whole(kept)
            there = 0
            for shard in left.archive.shards():
                rows = left.ledger.live_rows(shard)
                ids = left.archive.table(shard, ["item_id"]).column("item_id").take(rows)
                there += len(kept.ledger.find(ids.to_pylist()))
            folder.write_description(found.rolled_back())
            kept.database.make_current(folder.name, found.previous)
            return RollbackReport(
                model=kept.fingerprint.model,
                items=kept.ledger.count(),
                not_there=left.ledger.count() - there,
            )


def forget(options: CatalogOptions) -> list[int]:
    """Drop the kept generation, and what an unfinished change of the model has made.

    Returns:
        Generations that are still being read; the next call drops them.
    """
    folder = options.folder
    folder.generations()
    with (
        folder.reembed_lock(),
        Database.connect(options.db_uri, token=options.token) as database,
    ):
        with folder.locked():
            folder.write_description(folder.generations().forgotten())
        return drop_orphans(options, database, patience_s=READERS_PATIENCE_S)


def drop_orphans(
    options: CatalogOptions, database: Database, *, patience_s: float = 0.0
) -> list[int]:
    """Drop generations that do not count any more, but for those that are being read.

    Collections go first: what is left of a killed call is found by its files.

    Returns:
        The generations that are still being read.
    """
    folder, left = options.folder, []
    for number in folder.orphans():
        with folder.exclusive_lease(number, patience_s=patience_s) as free:
            if not free:
                left.append(number)
                continue
            database.drop_generation(folder.name, number)
            folder.drop_orphan(number)
    return left


def _make_whole(kept: Catalog) -> None:
    """Bring the collections of a generation to what its archive holds."""
    name, number = kept.folder.name, kept.folder.number
    layout = AS_IT_IS
    if kept.database.has_catalog(name, number):
        layout = kept.database.layout(name, number)
        stored = kept.database.items(name, number).count()
        if stored != kept.ledger.count():
            kept.database.drop_generation(name, number)
    kept.create_collections(layout=layout, current=False)
    decisions = DecisionFiles(kept.folder.decisions).read
    store_unstored(kept.archive, kept.ledger, kept.items, decisions=decisions)
    kept.items.ensure_index(rows=kept.ledger.count())
    kept.labels  # noqa: B018 - compares what is stored with the label set
