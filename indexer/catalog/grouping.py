"""One hit an item: its best part.

Milvus groups a search itself, and not dependably: Lite 3.2 takes the groups from max(10 k, 3 k x
group size) hits only, so that items of many parts hide others, and a server 2.3 ignores the
grouping in silence. So more hits are asked for until there are enough items.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace

from indexer.core.protocols import Hit

FindHits = Callable[[int], list[Hit]]
"""The nearest rows, at most so many, best first."""


def best_parts(
    find: FindHits, *, limit: int, hidden: Container[str], first: int, most: int
) -> list[Hit]:
    """The nearest items, best first, each with the fields of its nearest part.

    Args:
        limit: items to find.
        hidden: ids of rows that are left out.
        first: rows that are asked for at first; twice as many each time that they are of too few
            items.
        most: rows that may be asked for.
    """
    count = min(first, most)
    while True:
        hits = find(count)
        by_item: dict[str, Hit] = {}
        for hit in hits:
            if hit.fields["item_id"] not in hidden:
                by_item.setdefault(hit.fields["parent_id"], hit)
        if len(by_item) >= limit or len(hits) < count or count == most:
            return [of_item(hit) for hit in by_item.values()][:limit]
        count = min(2 * count, most)


def of_item(hit: Hit) -> Hit:
    """A hit under its item's id, with that of the row as ``part_id``."""
    ids = {"item_id": hit.fields["parent_id"], "part_id": hit.fields["item_id"]}
    return replace(hit, fields=hit.fields | ids)
