"""Find items by a vector, by words, or by both; count and group what is found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from indexer.catalog.grouping import nearest_items, of_item
from indexer.catalog.opening import OpenCatalog
from indexer.catalog.outdated_labels import notes_of_filter, notes_of_found
from indexer.core.errors import UsageError
from indexer.core.parts import place_text
from indexer.core.protocols import Hit
from indexer.core.records import FloatArray
from indexer.core.words import excluded_expression
from indexer.labels import taxonomy
from queries.results import FoundBy, SearchHit, SearchResult
from queries.search.facets import count_values, group_of, require_columns
from queries.search.listing import listed_ids
from queries.search.query import SearchQuery
from queries.search.ranking import best_of_groups, fuse
from queries.search.word_search import rank_by_words

FUSED_HITS = 100
"""Hits of each ranking that are fused, at least: an item may be far down in one of them."""

FACET_HITS = 1_000
"""Hits whose values are counted where no --min-similarity says which."""

WAITING = 100
"""Items beyond the page that are read of the database, in place of those that it lacks."""

DEEPER = 4
"""Factor by which a search looks further, until it has enough groups or all that is near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ranking:
    """The items that a search ranked, the best first, and whether there are no others.

    Attributes:
        listed: ids of a list, also of those that the database lacks.
    """

    hits: list[SearchHit]
    is_complete: bool
    listed: tuple[str, ...] = ()

    def next_after(self, query: SearchQuery) -> str | None:
        """The id behind which the next page of a list begins; None where this is the last."""
        end = query.offset + query.limit
        has_more = len(self.listed) > end or not self.is_complete
        return self.listed[end - 1] if has_more and len(self.listed) >= end else None


def search(
    catalog: OpenCatalog,
    vector: FloatArray,
    *,
    limit: int = 10,
    filter_expression: str = "",
    partition: str | None = None,
) -> list[SearchHit]:
    """The nearest items, best first.

    Args:
        vector: float32 (d,), length 1, by the catalog's model.
        filter_expression: Milvus syntax over the items' fields and ``metadata["..."]``.
        partition: only items of this one.

    Raises:
        UsageError: the filter is not valid, or there is no such partition.
    """
    query = SearchQuery(
        vector=vector, limit=limit, filter_expression=filter_expression, partition=partition
    )
    return find(catalog, query).hits


def find(catalog: OpenCatalog, query: SearchQuery) -> SearchResult:
    """The best items of a query; what both the vector and the words find comes first.

    A query of neither lists the items that its filter or its categories choose, by id
    (``queries.search.listing``).

    Raises:
        TaxonomyError: an unknown or ambiguous category.
        UsageError: the filter, the limit or a column is not valid, there is no such partition,
            or nothing is searched for.
    """
    _refuse_unclear(query)
    query = _in_categories(catalog, query)
    if query.facets or query.group_by:
        value_columns = catalog.value_columns
        require_columns(query.facets, value_columns, "--facet")
        require_columns([query.group_by] if query.group_by else [], value_columns, "--group-by")
    catalog.report_lag()
    ranking, hits = _deep_enough(catalog, query)
    counted = ranking.hits
    if query.facets and query.min_similarity is None:
        counted = counted[:FACET_HITS]
    page = hits[query.offset : query.offset + query.limit]
    return SearchResult(
        hits=_with_parts(catalog, page),
        facets=tuple(count_values(counted, column) for column in query.facets),
        counted=len(counted),
        all_counted=ranking.is_complete and len(counted) == len(ranking.hits),
        next_after=None if query.group_by else ranking.next_after(query),
        notes=tuple(
            notes_of_found(catalog, [(hit.label_id, hit.label, hit.attributes) for hit in page])
            if page
            else notes_of_filter(catalog, query.filter_expression)
        ),
    )


def _refuse_unclear(query: SearchQuery) -> None:
    """Refuse what asks for nothing, or mixes a list and a search.

    Raises:
        UsageError: as said.
    """
    if query.vector is not None or query.words:
        if query.after or query.item_ids:
            raise UsageError(
                "after and item_ids are of lists, which have an order of their own: leave them out "
                "of a search by words, picture or item."
            )
        return
    if not query.chooses:
        raise UsageError("nothing to search for: give words, --image FILE, or both.")
    if query.min_similarity is not None:
        raise UsageError("--min-similarity needs something to be like: give words or --image FILE.")
    if query.after and (query.offset or query.facets or query.group_by):
        raise UsageError(
            "after goes on with a list: offset, facets and group_by are of the whole list, so "
            "leave them out."
        )


def _in_categories(catalog: OpenCatalog, query: SearchQuery) -> SearchQuery:
    """The query with its categories in its filter."""
    if not query.categories:
        return query
    labels = catalog.label_set.labels
    category_labels = taxonomy.resolve(labels, query.categories)
    inner = [
        below for label_id in category_labels for below in taxonomy.descendants(labels, label_id)
    ]
    condition = f"label_id in {json.dumps(list(dict.fromkeys([*category_labels, *inner])))}"
    typed = query.filter_expression.strip()
    joined = f"({typed}) and {condition}" if typed else condition
    return replace(query, filter_expression=joined, categories=())


def _deep_enough(catalog: OpenCatalog, query: SearchQuery) -> tuple[_Ranking, list[SearchHit]]:
    """A ranking that holds the page, and its hits, one a group."""
    from indexer.store import MAX_LIMIT

    depth = max(query.last_hit, FUSED_HITS if query.words else 0, FACET_HITS if query.facets else 0)
    while True:
        ranking = _ranked(catalog, query, depth)
        hits = ranking.hits
        if query.group_by:
            hits = best_of_groups(hits, lambda hit: group_of(hit, query.group_by))
        has_page = len(hits) >= query.offset + query.limit
        has_facets = not query.facets or query.min_similarity is None
        if ranking.is_complete or depth >= MAX_LIMIT or (has_page and has_facets):
            return ranking, hits
        depth = min(DEEPER * depth, MAX_LIMIT)


def _ranked(catalog: OpenCatalog, query: SearchQuery, depth: int) -> _Ranking:
    """The items of a query, from the first ``depth`` of each way to find them."""
    if query.vector is None and not query.words:
        return _listed(catalog, query, depth)
    nearest, all_near = _nearest(catalog, query, depth)
    if not query.words:
        return _Ranking(
            hits=[_search_hit(hit.fields, hit.similarity, FoundBy.VECTOR) for hit in nearest],
            is_complete=all_near,
        )
    rankings = rank_by_words(catalog, query, depth)
    all_words = all(len(ranking) < depth for ranking in rankings)
    hits = _fused(catalog, query, nearest, [_items_of(catalog, ranking) for ranking in rankings])
    return _Ranking(hits=hits, is_complete=all_near and all_words)


def _listed(catalog: OpenCatalog, query: SearchQuery, depth: int) -> _Ranking:
    """The first items that the filter chooses, by id."""
    listed = listed_ids(catalog, query, depth)
    stored = _stored(catalog, query, listed.item_ids)
    hits = [
        _search_hit(stored[item_id][0], None, FoundBy.FILTER)
        for item_id in listed.item_ids
        if item_id in stored
    ]
    return _Ranking(hits=hits, is_complete=listed.is_complete, listed=listed.item_ids)


def _fused(
    catalog: OpenCatalog,
    query: SearchQuery,
    nearest: Sequence[Hit],
    word_rankings: Sequence[Sequence[str]],
) -> list[SearchHit]:
    """Hits of all rankings, without those that have an unwanted phrase.

    Items with all of the words are a ranking of their own. With the two others alone, what is in
    the middle of both comes before the one item with the three words of the title: it was the
    first hit of 12% of such queries on fashion, and is of 75%.
    """
    near = {hit.fields["item_id"]: hit for hit in nearest}
    row_ids = catalog.ledger.parts.ids_of_rows(list(near)) if query.without else ()
    unwanted_rows = catalog.texts.with_phrases(excluded_expression(query.without), row_ids)
    unwanted = set(_items_of(catalog, list(unwanted_rows)))
    near_ids = [item_id for item_id in near if item_id not in unwanted]
    fused = [item_id for item_id in fuse([*word_rankings, near_ids]) if item_id != query.leave_out]
    if not (query.facets or query.group_by):
        # To read an item costs more than to rank it. The database may lack some that wait.
        fused = fused[: query.last_hit + WAITING]
    only_words = _stored(catalog, query, [item_id for item_id in fused if item_id not in near])
    having_words = frozenset(item_id for ranking in word_rankings for item_id in ranking)
    hits = []
    for item_id in fused:
        if item_id in near:
            hit = near[item_id]
            found_by = FoundBy.BOTH if item_id in having_words else FoundBy.VECTOR
            hits.append(_search_hit(hit.fields, hit.similarity, found_by))
        elif item_id in only_words:
            fields, similarity = only_words[item_id]
            hits.append(_search_hit(fields, similarity, FoundBy.WORDS))
    return hits


def _nearest(catalog: OpenCatalog, query: SearchQuery, depth: int) -> tuple[list[Hit], bool]:
    """The nearest items, and whether no others are near enough."""
    if query.vector is None:
        return [], True
    hits = nearest_items(
        catalog,
        query.vector,
        limit=depth,
        filter_expression=query.filter_expression,
        partition=query.partition,
    )
    least = query.min_similarity
    near = [hit for hit in hits if least is None or hit.similarity >= least]
    is_all = len(hits) < depth or len(near) < len(hits)
    return [hit for hit in near if hit.fields["item_id"] != query.leave_out], is_all


def _stored(
    catalog: OpenCatalog, query: SearchQuery, item_ids: Sequence[str]
) -> Mapping[str, tuple[Mapping[str, Any], float | None]]:
    """Fields and similarity of items that only words found, by id; the database may lack some.

    Those of an item with several parts are its first part's, of those in the query's partition.
    """
    items, ledger = catalog.items_in(query.partition), catalog.ledger
    leads = ledger.parts.leads(item_ids)
    if query.partition is not None:
        leads = ledger.partitions.first_rows(item_ids, query.partition)
    if query.vector is None:
        rows = items.fetch(list(leads.values()))
        hits = {row_id: Hit(similarity=0.0, fields=fields) for row_id, fields in rows.items()}
    else:
        hits = items.hits(list(leads.values()), query.vector)
    hits_by_item = {item_id: of_item(hits[lead]) for item_id, lead in leads.items() if lead in hits}
    return {
        item_id: (hit.fields, None if query.vector is None else hit.similarity)
        for item_id, hit in hits_by_item.items()
    }


def _items_of(catalog: OpenCatalog, row_ids: Sequence[str]) -> list[str]:
    """The items that rows are of, each once, in order."""
    parents = catalog.ledger.parts.parents(row_ids)
    return list(dict.fromkeys(parents.get(row_id, row_id) for row_id in row_ids))


def _with_parts(catalog: OpenCatalog, hits: Sequence[SearchHit]) -> list[SearchHit]:
    """Hits with the ids of all parts of their items, where these have several."""
    if not catalog.ledger.parts.exist:
        return list(hits)
    rows = catalog.ledger.parts.rows_of([hit.item_id for hit in hits])
    several = {item_id: parts for item_id, parts in rows.items() if len(parts) > 1}
    return [
        replace(hit, parts=tuple(part.row_id for part in several.get(hit.item_id, ())))
        for hit in hits
    ]


_MADE_HERE = {"similarity", "found_by", "parts", "place"}
_STORED = [name for name in SearchHit.__slots__ if name not in _MADE_HERE]


def _search_hit(
    fields: Mapping[str, Any], similarity: float | None, found_by: FoundBy
) -> SearchHit:
    values = {name: fields[name] for name in _STORED}
    place = place_text(fields["part"])
    return SearchHit(similarity=similarity, found_by=found_by, place=place, **values)
