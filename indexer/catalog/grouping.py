"""The nearest items: one hit an item, its best part.

Milvus groups a search itself, and not dependably: Lite 3.2 takes the groups from max(10 k, 3 k x
group size) hits only, so that items of many parts hide others, and a server 2.3 ignores the
grouping in silence. So more hits are asked for until there are enough items.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from typing import TYPE_CHECKING

from indexer.core.protocols import Hit
from indexer.core.records import FloatArray

if TYPE_CHECKING:
    from indexer.catalog.catalog import OpenCatalog

FindHits = Callable[[int], list[Hit]]
"""The nearest rows, at most so many, best first."""


def nearest_items(
    catalog: OpenCatalog,
    vector: FloatArray,
    *,
    limit: int,
    filter_expression: str = "",
    partition: str | None = None,
) -> list[Hit]:
    """The nearest items, best first, without those whose removal still waits to be stored.

    An item with several parts is one hit, with the fields of its nearest part; ``part_id`` is
    the id of that row.

    Args:
        vector: float32 (d,), length 1, by the catalog's model.
        filter_expression: Milvus syntax over the items' fields and ``metadata["..."]``.
        partition: only items of this one.

    Raises:
        UsageError: the filter or the limit is not valid, or there is no such partition.
    """
    from indexer.store import MAX_LIMIT

    items, removals = catalog.items_in(partition), catalog.lag.removals

    def find(rows: int) -> list[Hit]:
        (hits,) = items.search(vector[None], limit=rows, filter_expression=filter_expression)
        return hits

    rows = limit * (2 if catalog.ledger.parts.exist else 1) + len(removals)
    most = max(limit, MAX_LIMIT)  # a limit that is too large is refused by the search
    return best_parts(find, limit=limit, hidden=removals, first=rows, most=most)


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
