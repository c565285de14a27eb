"""Keeps decisions on items whose description changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.ledger import Place
from indexer.catalog.opened import Catalog
from indexer.core.protocols import Decision
from indexer.core.records import EmbeddedItem


def carry_decisions_over(
    catalog: Catalog,
    shard: int,
    rows: Sequence[EmbeddedItem],
    previous: Mapping[str, Place],
) -> None:
    """Copy the decisions of items whose content and title are unchanged to their new rows.

    A label depends on the picture and its title, so a new price does not change it. An item with
    a new title has no decision until the next categorization.

    Args:
        shard: the new shard, not stored yet.
        rows: its rows, in order.
        previous: the place of each item's previous row, by item id.
    """
    files = DecisionFiles(catalog.folder.decisions)
    carried: list[Decision | None] = [None] * len(rows)
    decisions_by_shard: dict[int, list[Decision | None] | None] = {}
    for place, row in enumerate(rows):
        old_place = previous.get(row.item_id)
        if old_place is None or old_place.content_hash != row.content_hash:
            continue
        if old_place.shard not in decisions_by_shard:
            decisions_by_shard[old_place.shard] = files.read(old_place.shard)
        decided = decisions_by_shard[old_place.shard]
        if (
            decided is not None
            and catalog.archive.title(old_place.shard, old_place.row)[0] == row.title
        ):
            carried[place] = decided[old_place.row]
    if any(decision is not None for decision in carried):
        files.write(shard, carried)
