"""Ids of the items that have some words, with a filter of the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from indexer.catalog.opening import OpenCatalog
from queries.search.query import SearchQuery

FEW_MATCHES = 10_000
"""Items that a filter passes, up to which their ids are read: words are then looked for in these
alone. Of more, the items with the words are tried, the best first."""

IDS_AT_ONCE = 1_000

FindWords = Callable[..., list[str]]


def rank_by_words(catalog: OpenCatalog, query: SearchQuery, limit: int) -> list[list[str]]:
    """Ids of the items with all of a query's words, and with any, each the best by BM25 first.

    Args:
        limit: ids of each ranking.

    Raises:
        UsageError: the filter is not valid, there is no such partition, or too many words.
    """
    find_words = partial(catalog.texts.find, query.words, without=query.without)
    if not query.filter_expression.strip() and query.partition is None:
        return [find_words(every=every, limit=limit) for every in (True, False)]
    items = catalog.items_in(query.partition)
    matches = items.count(query.filter_expression)
    if matches <= FEW_MATCHES:
        among = list(items.item_ids(query.filter_expression)) if matches else []
        return [find_words(every=every, limit=limit, among=among) for every in (True, False)]
    matching = partial(items.matching, filter_expression=query.filter_expression)
    return [
        _that_match(partial(find_words, every=every), matching, limit) for every in (True, False)
    ]


def _that_match(
    find_words: FindWords, matching: Callable[[Sequence[str]], set[str]], limit: int
) -> list[str]:
    """The first ids that pass a filter of the database, tried some at a time."""
    passed: list[str] = []
    offset = 0
    while len(passed) < limit:
        candidates = find_words(limit=IDS_AT_ONCE, offset=offset)
        passing = matching(candidates) if candidates else set()
        passed += [item_id for item_id in candidates if item_id in passing]
        offset += len(candidates)
        if len(candidates) < IDS_AT_ONCE:
            break
    return passed[:limit]
