"""Takes damaged shards out of an archive: their items become dead letters, to be embedded again."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from indexer.catalog.archive import Removal
from indexer.catalog.opened import Catalog, CatalogOptions, open_catalog
from indexer.core.errors import CatalogError, DamagedShardError, StoreError
from indexer.core.failures import failure
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Item, Kind

_TEXTS = ("item_id", "removed", "kind", "source", "title", "metadata_json")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedShards:
    """What was taken out of an archive.

    Attributes:
        shards: that were damaged.
        dead_letters: items of them that can be tried again.
        unknown: items whose source is known nowhere any more: their source has to be ingested
            again.
    """

    shards: int = 0
    dead_letters: int = 0
    unknown: tuple[str, ...] = ()


def skip_damaged(options: CatalogOptions) -> SkippedShards:
    """Set damaged shards aside; what they held is a removal each, and a dead letter.

    Removals first: an older row of an item must not count again.

    Raises:
        CatalogError: there is no such catalog.
    """
    with open_catalog(options, write=True) as catalog:
        damaged = [one for one in catalog.archive.shards() if _is_damaged(catalog, one)]
        dead, unknown = 0, list[str]()
        for shard in damaged:
            found, missing = _described(catalog, shard)
            gone = [*found, *missing, *_removed_by(catalog, shard)]
            catalog.ledger.add(
                catalog.archive.write([Removal(item_id=one) for one in dict.fromkeys(gone)])
            )
            for item in found.values():
                message = f"{item.source}: its row in the archive is damaged; embed it again"
                catalog.dead_letters.add(failure(item, Stage.STORE, Reason.DAMAGED, message))
            target = catalog.archive.set_aside(shard)
            _log.warning("shard %d of the archive was moved to %s.", shard, target)
            dead += len(found)
            unknown += missing
    return SkippedShards(shards=len(damaged), dead_letters=dead, unknown=tuple(unknown))


def _is_damaged(catalog: Catalog, shard: int) -> bool:
    try:
        catalog.archive.table(shard)
        catalog.archive.title_vectors(shard)
    except DamagedShardError:
        return True
    return False


def _described(catalog: Catalog, shard: int) -> tuple[dict[str, Item], list[str]]:
    """The items that a shard holds now, and ids of those that nothing else is known of."""
    live = catalog.ledger.items_of(shard)
    columns = catalog.archive.read_undamaged(shard, _TEXTS)
    known: Mapping[str, Mapping[str, Any]]
    if all(name in columns for name in _TEXTS):
        values = zip(*(columns[name] for name in _TEXTS), strict=True)
        rows = [dict(zip(_TEXTS, row, strict=True)) for row in values]
        known = {row["item_id"]: row for row in rows if not row["removed"]}
    else:
        known = _in_database(catalog, live)
    found = {one: _item(known[one]) for one in live if one in known}
    return found, [one for one in live if one not in known]


def _in_database(catalog: Catalog, item_ids: list[str]) -> Mapping[str, Mapping[str, Any]]:
    try:
        return catalog.items.fetch(item_ids)
    except (StoreError, CatalogError):
        return {}


def _removed_by(catalog: Catalog, shard: int) -> list[str]:
    """Ids that a damaged shard took out, as far as that can still be read."""
    columns = catalog.archive.read_undamaged(shard, ("item_id", "removed"))
    if len(columns) < 2:
        _log.warning("which items shard %d took out can't be read any more.", shard)
        return []
    return [one for one, gone in zip(columns["item_id"], columns["removed"], strict=True) if gone]


def _item(row: Mapping[str, Any]) -> Item:
    return Item(
        item_id=row["item_id"],
        kind=Kind(row["kind"]),
        source=row["source"],
        title=row["title"],
        metadata=row["metadata"] if "metadata" in row else json.loads(row["metadata_json"]),
    )
