"""Ids of the items that have some words, with a filter of the database."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from indexer.catalog.opening import Catalog

FEW_MATCHES = 10_000
"""Items that a filter passes, up to which their ids are read: words are then looked for in these
alone. Of more, the items with the words are tried, the best first."""

IDS_AT_ONCE = 1_000


def ids_by_words(
    catalog: Catalog,
    words: str,
    *,
    without: Sequence[str] = (),
    limit: int,
    filter_expression: str = "",
    partition: str | None = None,
) -> list[str]:
    """Ids of the items with any of the words, the best by BM25 first.

    Args:
        without: phrases; items with one of them are left out.
        filter_expression: as ``search`` takes it.
        partition: only items of this one.

    Raises:
        UsageError: the filter is not valid, there is no such partition, or too many words.
    """
    find_words = partial(catalog.texts.find, words, without=without)
    if not filter_expression.strip() and partition is None:
        return find_words(limit=limit)
    items = catalog.items_in(partition)
    matches = items.count(filter_expression)
    if matches <= FEW_MATCHES:
        among = list(items.item_ids(filter_expression)) if matches else []
        return find_words(limit=limit, among=among)
    matching: list[str] = []
    offset = 0
    while len(matching) < limit:
        candidates = find_words(limit=IDS_AT_ONCE, offset=offset)
        passed = items.matching(candidates, filter_expression) if candidates else set()
        matching += [item_id for item_id in candidates if item_id in passed]
        offset += len(candidates)
        if len(candidates) < IDS_AT_ONCE:
            break
    return matching[:limit]
