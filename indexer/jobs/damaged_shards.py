"""Removes damaged shards from an archive; their items become dead letters for a retry."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexer.catalog.archive import Removal
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import CatalogError, DamagedShardError, StoreError
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Item, Kind, failure

_COLUMNS = ("item_id", "removed", "kind", "source", "title", "metadata_json")
_PART_COLUMNS = ("parent_id", "part_json")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedShards:
    """Damaged shards that were removed from an archive.

    Attributes:
        shards: their number.
        dead_letters: items of them that can be tried again.
        unknown: ids of items whose source is lost: their tables have to be ingested again.
    """

    shards: int = 0
    dead_letters: int = 0
    unknown: tuple[str, ...] = ()


def skip_damaged(options: CatalogOptions) -> SkippedShards:
    """Move damaged shards aside; their items become removals and dead letters.

    Removals come first, so that no older row of an item becomes current again.

    Raises:
        CatalogError: there is no such catalog.
    """
    with open_catalog(options, write=True, migrating=True) as catalog:
        damaged = [shard for shard in catalog.archive.shards() if _is_damaged(catalog, shard)]
        dead, unknown = 0, list[str]()
        for shard in damaged:
            items, missing = _described(catalog, shard)
            item_ids = [*items, *missing, *_removed_by(catalog, shard)]
            removals = [Removal(item_id=item_id) for item_id in dict.fromkeys(item_ids)]
            catalog.ledger.add(catalog.archive.write(removals))
            for item in items.values():
                message = f"{item.source}: its row in the archive is damaged; embed it again"
                catalog.dead_letters.add(failure(item, Stage.STORE, Reason.DAMAGED, message))
            target = catalog.archive.set_aside(shard)
            _log.warning("shard %d of the archive was moved to %s.", shard, target)
            dead += len(items)
            unknown += missing
    return SkippedShards(shards=len(damaged), dead_letters=dead, unknown=tuple(unknown))


def _is_damaged(catalog: OpenCatalog, shard: int) -> bool:
    try:
        catalog.archive.table(shard)
        catalog.archive.title_vectors(shard)
    except DamagedShardError:
        return True
    return False


def _described(catalog: OpenCatalog, shard: int) -> tuple[dict[str, Item], list[str]]:
    """A shard's current items, and the ids of those whose other fields are lost."""
    live = catalog.ledger.items_of(shard)
    columns = catalog.archive.read_undamaged(shard, (*_COLUMNS, *_PART_COLUMNS))
    rows_by_id: Mapping[str, Mapping[str, Any]]
    if all(name in columns for name in _COLUMNS):
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        rows_by_id = {row["item_id"]: row for row in rows if not row["removed"]}
    else:
        rows_by_id = _in_database(catalog, live)
    items = {item_id: _item(rows_by_id[item_id]) for item_id in live if item_id in rows_by_id}
    return items, [item_id for item_id in live if item_id not in rows_by_id]


def _in_database(catalog: OpenCatalog, item_ids: list[str]) -> Mapping[str, Mapping[str, Any]]:
    try:
        return catalog.items.fetch(item_ids)
    except (StoreError, CatalogError):
        return {}


def _removed_by(catalog: OpenCatalog, shard: int) -> list[str]:
    """Ids that a damaged shard removes, if they can still be read."""
    columns = catalog.archive.read_undamaged(shard, ("item_id", "removed"))
    if len(columns) < 2:
        _log.warning("which items shard %d removed can't be read any more.", shard)
        return []
    return [
        item_id
        for item_id, is_removed in zip(columns["item_id"], columns["removed"], strict=True)
        if is_removed
    ]


def _item(row: Mapping[str, Any]) -> Item:
    return Item(
        item_id=row["item_id"],
        kind=Kind(row["kind"]),
        source=row["source"],
        title=row["title"],
        metadata=row["metadata"] if "metadata" in row else json.loads(row["metadata_json"]),
        **_part(row),
    )


def _part(row: Mapping[str, Any]) -> dict[str, Any]:
    """Of which item a row is a part, and which.

    In a database an item of its own is its own parent.
    """
    parent_id = row.get("parent_id", "")
    part = row["part"] if "part" in row else json.loads(row.get("part_json") or "{}")
    return {"parent_id": "" if parent_id == row["item_id"] else parent_id, "part": part}
