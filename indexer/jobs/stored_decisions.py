"""Labels that were stored on items, when the items are described anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from indexer.catalog.archive import Archive
from indexer.catalog.decisions import DecisionFiles
from indexer.catalog.ledger import Place
from indexer.core.protocols import Decision
from indexer.core.records import EmbeddedItem


def carry_over(
    files: DecisionFiles,
    archive: Archive,
    shard: int,
    rows: Sequence[EmbeddedItem],
    before: Mapping[str, Place],
) -> None:
    """Keep the decisions on items that are described anew, but look and read as they did.

    A label was of the picture and its title: another price does not change it. Where the
    title is another, the item waits for the next categorization.

    Args:
        shard: the new one, not yet in the database.
        rows: its rows, in order.
        before: by item id, where the item's row before lies.
    """
    kept: list[Decision | None] = [None] * len(rows)
    known: dict[int, list[Decision | None] | None] = {}
    for place, row in enumerate(rows):
        old = before.get(row.item_id)
        if old is None or old.content_hash != row.content_hash:
            continue
        if old.shard not in known:
            known[old.shard] = files.read(old.shard)
        decided = known[old.shard]
        if decided is not None and archive.title(old.shard, old.row)[0] == row.title:
            kept[place] = decided[old.row]
    if any(one is not None for one in kept):
        files.write(shard, kept)
