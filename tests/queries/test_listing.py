"""Lists by a filter: both ways to make a page give the same, however many pages there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from catalogs import make_catalog

from indexer.catalog.opening import OpenCatalog, open_catalog
from indexer.core.vectors import normalise
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.sources import TableOptions
from queries.search import listing
from queries.search.finding import find
from queries.search.query import SearchQuery


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenCatalog]:
    """50 items of one row, and 10 of three rows each, whose ids lie between theirs."""
    folder = tmp_path_factory.mktemp("listing")
    vectors = normalise(np.random.default_rng(0).normal(size=(50, 8)))
    options = make_catalog(folder / "data", vectors, np.eye(2, 8, dtype=np.float32))
    rows = [
        {"id": f"row{n}", "group": f"i{n // 3}x", "title": "grouped", "n": n} for n in range(30)
    ]
    table, block = folder / "groups.jsonl", folder / "groups.npy"
    table.write_text("\n".join(map(json.dumps, rows)))
    np.save(block, normalise(np.random.default_rng(1).normal(size=(30, 8))))
    grouped = TableOptions(vectors=str(block), group_column="group")
    ingest(options, [str(table)], IngestOptions(table=grouped))
    with open_catalog(options) as catalog:
        yield catalog


EVERY = sorted([*(f"i{n}" for n in range(50)), *(f"i{n}x" for n in range(10))])
GROUPED = sorted(f"i{n}x" for n in range(10))


def pages(catalog: OpenCatalog, query: SearchQuery) -> list[str]:
    """The ids of all pages, one after the other."""
    ids: list[str] = []
    after: str | None = ""
    while after is not None:
        result = find(catalog, replace(query, after=after))
        ids += [hit.item_id for hit in result.hits]
        after = result.next_after
    return ids


@pytest.mark.parametrize("few", [1, 10_000], ids=["walked", "read"])
@pytest.mark.parametrize("limit", [1, 7, 100])
@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ('item_id != ""', EVERY),
        ('title == "grouped"', GROUPED),
        ('metadata["n"] == 4', ["i1x"]),
        ('title == "nothing"', []),
    ],
)
def test_pages_are_the_whole_list(
    catalog: OpenCatalog,
    monkeypatch: pytest.MonkeyPatch,
    *,
    few: int,
    limit: int,
    expression: str,
    expected: list[str],
) -> None:
    """Each item once, by id; of an item with several rows one that matches is enough."""
    monkeypatch.setattr(listing, "_FEW", few)
    monkeypatch.setattr(listing, "_AT_ONCE", 4)
    query = SearchQuery(vector=None, filter_expression=expression, limit=limit)
    assert pages(catalog, query) == expected
    offset = find(catalog, replace(query, offset=2, limit=5))
    assert [hit.item_id for hit in offset.hits] == expected[2:7]


def test_a_walk_that_finds_little_is_given_up(
    catalog: OpenCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not more ids are walked than rows match: then these are read."""
    monkeypatch.setattr(listing, "_FEW", 1)
    monkeypatch.setattr(listing, "_AT_ONCE", 4)
    asked: list[int] = []
    matching = listing._matching

    def counted(catalog: OpenCatalog, query: SearchQuery, chunks: object) -> Iterator[str]:
        asked.append(1)
        return matching(catalog, query, chunks)  # type: ignore[arg-type]

    monkeypatch.setattr(listing, "_matching", counted)
    query = SearchQuery(vector=None, filter_expression='item_id in ["i8", "i9"]', limit=1)
    assert [hit.item_id for hit in find(catalog, query).hits] == ["i8"]
    assert len(asked) == 2  # the first few, and one part of the walk


def test_a_page_of_items_that_mostly_match_counts_and_reads_nothing_else(
    catalog: OpenCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Milvus Lite looks through all rows for either."""

    def refused(*_: object) -> int:
        raise AssertionError

    catalog.report_lag()  # counts once
    monkeypatch.setattr(type(catalog.items), "count", refused)
    monkeypatch.setattr(type(catalog.items), "item_ids", refused)
    query = SearchQuery(vector=None, filter_expression='title != "grouped"', limit=5, after="i3")
    assert [hit.item_id for hit in find(catalog, query).hits] == ["i30", "i31", "i32", "i33", "i34"]


def test_given_ids_are_listed_as_far_as_they_match(catalog: OpenCatalog) -> None:
    """In the order of ids, each once, unknown ones left out."""
    query = SearchQuery(vector=None, item_ids=("i9x", "i1", "nothing", "i1"), limit=10)
    assert pages(catalog, query) == ["i1", "i9x"]
    grouped = replace(query, filter_expression='title == "grouped"')
    assert pages(catalog, grouped) == ["i9x"]
