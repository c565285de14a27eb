"""Goes back to the previous generation, and drops generations that are not used."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from indexer.catalog.opening import (
    CatalogOptions,
    OpenCatalog,
    open_generation,
    refuse_while_migrating,
)
from indexer.core.errors import CatalogError, StoreError
from indexer.core.layout import AS_IT_IS
from indexer.ingestion.storing import store_unstored
from indexer.labels.examples import LabelledFolder
from indexer.labels.gates import GateFile
from indexer.store import Database

_log = logging.getLogger(__name__)

READERS_PATIENCE_S = 30.0
"""Seconds to wait for readers of a generation before its drop is left to the next command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollbackReport:
    """The result of a rollback.

    Attributes:
        model: the catalog's model after it.
        items: in the generation that is current after it.
        not_there: items that this generation lacks, since they were added later.
    """

    model: str
    items: int
    not_there: int


def rollback(options: CatalogOptions) -> RollbackReport:
    """Exchange the current generation with the previous one.

    Raises:
        CatalogError: there is no previous one, it is incomplete, or labels are on the move.
    """
    options = options.without_model
    folder = options.folder
    folder.generations()
    with folder.reembed_lock(), folder.locked():
        generations = folder.generations()
        if generations.previous is None:
            raise CatalogError(
                f"catalog {folder.name!r} has no generation to go back to: zeroshelf reembed "
                "--keep-old keeps one."
            )
        with (
            open_generation(options, generations.previous, write=True) as previous,
            open_generation(options, generations.current) as current,
        ):
            refuse_while_migrating(current.folder)
            # Killed between the files and the database, a rollback is finished, not undone.
            is_half_done = _stands_for(current.database, folder.name, generations.previous)
            target, left = (current, previous) if is_half_done else (previous, current)
            if not is_half_done:
                _complete_collections(target)
            shared = 0
            for shard in left.archive.shards():
                rows = left.ledger.live_rows(shard)
                ids = left.archive.table(shard, ["item_id"]).column("item_id").take(rows)
                shared += len(target.ledger.find(ids.to_pylist()))
            _warn_of_labels(target, left)
            if not is_half_done:
                folder.write_description(generations.rolled_back())
            target.database.make_current(folder.name, target.folder.number)
            return RollbackReport(
                model=target.fingerprint.model,
                items=target.ledger.item_count(),
                not_there=left.ledger.count() - shared,
            )


def _warn_of_labels(target: OpenCatalog, left: OpenCatalog) -> None:
    """Warn of labels and labelled items that are others than in the generation that is left."""
    target_sets = {at_set.folder.set_name: at_set for at_set in target.sets}
    labels, taught = [], []
    for at_set in left.sets:
        name = at_set.folder.set_name
        at_target = target_sets.get(name)
        old_labels = () if at_target is None else at_target.label_set.labels
        changed = {label.label_id for label in {*old_labels} ^ {*at_set.label_set.labels}}
        if changed:
            labels.append(f"{len(changed):,} of {name}")
        if at_target and _gate(at_set) != _gate(at_target):
            labels.append(f"the gate of {name}")
        if _labelled(at_set) != (() if at_target is None else _labelled(at_target)):
            taught.append(name)
    if labels:
        _log.warning(
            "labels that are others than before this rollback, since each model has its own: %s. "
            "Change them again with zeroshelf labels add, remove and gate.",
            ", ".join(labels),
        )
    if taught:
        _log.warning(
            "taught and calibrating items are others than before this rollback: of %s. Give them "
            "again with zeroshelf labels teach and zeroshelf labels calibrate.",
            ", ".join(taught),
        )


def _gate(catalog: OpenCatalog) -> set[str]:
    return {branch.label_id for branch in GateFile(catalog.folder.labels).load()}


def _labelled(catalog: OpenCatalog) -> tuple[tuple[str, str], ...]:
    """Item and label of the taught and calibrating items of a set, each kind in order."""
    folder = LabelledFolder(catalog.folder.labels)
    return tuple(
        pair
        for items in (folder.items("taught"), folder.items("calibrating"))
        if items is not None
        for pair in zip(items.item_ids, items.label_ids, strict=True)
    )


def _stands_for(database: Database, name: str, generation: int) -> bool:
    """Whether the database's aliases of a catalog point to a generation."""
    try:
        return database.current_generation(name) == generation
    except (CatalogError, StoreError):
        return False  # there are no aliases


def forget(options: CatalogOptions) -> list[int]:
    """Drop the previous generation, and that of an unfinished change of the model.

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
    """Drop generations that the catalog does not use, except those that are being read.

    Collections are dropped first: after a kill the files still name the generation.

    Returns:
        The generations that are still being read.
    """
    folder, left = options.folder, []
    for number in folder.orphans():
        with folder.exclusive_lease(number, patience_s=patience_s) as is_free:
            if not is_free:
                left.append(number)
                continue
            database.drop_generation(folder.name, number)
            folder.drop_orphan(number)
    return left


def _complete_collections(catalog: OpenCatalog) -> None:
    """Make the collections of a generation hold all of its archive."""
    name, number = catalog.folder.name, catalog.folder.number
    layout = AS_IT_IS
    if catalog.database.has_catalog(name, number):
        layout = catalog.database.layout(name, number)
        stored = catalog.database.items(name, number).count()
        if stored != catalog.ledger.count():
            catalog.database.drop_generation(name, number)
    catalog.create_collections(layout=layout, current=False)
    decisions = catalog.decisions.read
    store_unstored(catalog.archive, catalog.ledger, catalog.items, decisions=decisions)
    catalog.items.ensure_index(rows=catalog.ledger.count())
    for at_set in catalog.sets:
        at_set.labels  # noqa: B018 - compares what is stored with the label set
