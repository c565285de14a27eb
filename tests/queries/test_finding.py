"""Searches by vector and words with filters, groups and counts, on Milvus Lite and on a server."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.catalog.opening import OpenCatalog, open_catalog
from indexer.catalog.options import CatalogOptions
from indexer.core.errors import UsageError
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.removal import remove_items
from indexer.sources import TableOptions
from indexer.store import Database
from queries.results import FoundBy
from queries.search import word_search
from queries.search.finding import FACET_HITS, find
from queries.search.query import SearchQuery

COUNT = 1_500
BRANDS = ("acme", "zenith", "hong")


def unit(count: int, seed: int = 0) -> FloatArray:
    """float32 (count, 8), rows of length 1."""
    return normalise(np.random.default_rng(seed).normal(size=(count, 8)))


def row(number: int) -> dict[str, Any]:
    """Item i0, i1, ...: each with a sku of its own, one of three brands, and some a colour."""
    colour = "red" if number % 2 else None
    return {
        "id": f"i{number}",
        "title": f"thing {number}",
        "sku": f"SK-{number:05d}",
        "brand": BRANDS[number % 3],
        "colour": colour,
        "shop": "north" if number % 10 else "south",
    }


@pytest.fixture(scope="module", params=["lite", pytest.param("server", marks=pytest.mark.server)])
def database(request: pytest.FixtureRequest) -> str | None:
    """Each kind of database in turn, as ``CatalogOptions`` takes it."""
    return None if request.param == "lite" else str(request.getfixturevalue("server_uri"))


@contextmanager
def made(folder: Path, uri: str | None, count: int) -> Iterator[CatalogOptions]:
    """A catalog of vectors with titles, skus and brands, divided into two shops."""
    (folder / "items.jsonl").write_text("\n".join(json.dumps(row(at)) for at in range(count)))
    np.save(folder / "v.npy", unit(count))
    options = CatalogOptions(catalog=f"finding_{count}", data_dir=folder / "data", db=uri)
    table = TableOptions(vectors=str(folder / "v.npy"))
    how = IngestOptions(
        table=table, sizes=PipelineSizes(workers=1, batch_size=64), partition_key="shop"
    )
    ingest(options, [str(folder / "items.jsonl")], how)
    yield options
    if uri is not None:
        with Database.connect(uri) as server:
            server.drop_catalog(options.catalog)


@pytest.fixture(scope="module")
def options(
    database: str | None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CatalogOptions]:
    """A catalog of 1,500 items."""
    with made(tmp_path_factory.mktemp("finding"), database, COUNT) as options:
        yield options


@pytest.fixture
def catalog(options: CatalogOptions) -> Iterator[OpenCatalog]:
    """The catalog, opened."""
    with open_catalog(options) as catalog:
        yield catalog


QUERY = unit(1, seed=5)[0]


def nearest(count: int = COUNT) -> list[str]:
    """Ids by exact search."""
    return [f"i{at}" for at in np.argsort(-(unit(COUNT) @ QUERY))[:count]]


def ids(catalog: OpenCatalog, **query: Any) -> list[str]:
    """What a query finds."""
    return [hit.item_id for hit in find(catalog, SearchQuery(vector=QUERY, **query)).hits]


def test_an_exact_sku_is_first(catalog: OpenCatalog) -> None:
    """However far its vector is; its similarity is told all the same."""
    last = nearest()[-1]
    number = int(last[1:])
    result = find(catalog, SearchQuery(vector=QUERY, words=f"sk-{number:05d}", limit=3))
    hit = result.hits[0]
    assert (hit.item_id, hit.found_by) == (last, FoundBy.WORDS)
    assert hit.similarity == pytest.approx(float(unit(COUNT)[number] @ QUERY), abs=1e-5)
    assert hit.metadata["sku"] == f"SK-{number:05d}"


def test_a_filter_and_a_partition_hold_for_words(catalog: OpenCatalog) -> None:
    """The word is in a third of the items, the filter passes few, the partition a tenth."""
    few = 'metadata["sku"] in ["SK-00000", "SK-00001", "SK-00003"]'
    assert set(ids(catalog, words="acme", filter_expression=few)) == {"i0", "i1", "i3"}
    south = find(catalog, SearchQuery(vector=None, words="acme", partition="south", limit=COUNT))
    assert {hit.item_id for hit in south.hits} == {f"i{at}" for at in range(0, COUNT, 30)}
    assert ids(catalog, words="SK-00001", partition="south", limit=1) != ["i1"]


def test_a_filter_alone_lists_items_by_id_in_pages(catalog: OpenCatalog) -> None:
    """All that pass, each once, whatever the page; in a partition only its own; counted."""
    red, zenith = 'metadata["colour"] == "red"', 'metadata["brand"] == "zenith"'
    query = SearchQuery(vector=None, filter_expression=f"{red} and {zenith}", limit=100)
    pages = [find(catalog, replace(query, offset=at)).hits for at in range(0, 400, 100)]
    expected = sorted(f"i{at}" for at in range(COUNT) if at % 2 and at % 3 == 1)
    assert [hit.item_id for page in pages for hit in page] == expected
    assert {(hit.similarity, hit.found_by) for hit in pages[0]} == {(None, FoundBy.FILTER)}
    south = find(catalog, replace(query, filter_expression=zenith, partition="south")).hits
    assert {hit.item_id for hit in south} == {f"i{at}" for at in range(10, COUNT, 30)}
    counted = find(catalog, replace(query, facets=("brand", "shop")))
    assert [facet.values for facet in counted.facets] == [{"zenith": 250}, {"north": 250}]
    assert counted.all_counted
    with pytest.raises(UsageError, match="something to be like"):
        find(catalog, replace(query, min_similarity=0.5))


def test_a_filter_that_many_pass_is_asked_in_pages(
    catalog: OpenCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same items as when the ids that pass are read at once."""
    query = SearchQuery(
        vector=None, words="acme zenith", filter_expression='metadata["colour"] == "red"', limit=700
    )
    at_once = find(catalog, query).hits
    monkeypatch.setattr(word_search, "FEW_MATCHES", 10)
    monkeypatch.setattr(word_search, "IDS_AT_ONCE", 100)
    assert find(catalog, query).hits == at_once
    assert len(at_once) == sum(
        1 for at in range(COUNT) if row(at)["colour"] and row(at)["brand"] != "hong"
    )


def test_a_filter_can_not_leave_its_partition(catalog: OpenCatalog) -> None:
    """Words of another shop are not found by a filter that closes the condition before it."""
    with pytest.raises(UsageError):
        ids(catalog, words="SK-00001", partition="south", filter_expression='1 == 1) or (key != ""')


def test_lists_of_metadata_mean_the_same_everywhere(catalog: OpenCatalog) -> None:
    """``in`` and ``not in``; an item without the column is in neither."""
    wanted = ids(catalog, filter_expression='metadata["brand"] in ["acme", "hong"]', limit=COUNT)
    assert len(wanted) == 1_000
    others = ids(
        catalog, filter_expression='metadata["brand"] not in ["acme", "hong"]', limit=COUNT
    )
    assert sorted(wanted + others) == sorted(nearest())


def test_groups_are_found_however_deep_they_are(catalog: OpenCatalog) -> None:
    """One hit a brand, the best of each; what has no colour is no group."""
    found = ids(catalog, group_by="brand", limit=3)
    expected: dict[str, str] = {}
    for item_id in nearest():
        expected.setdefault(BRANDS[int(item_id[1:]) % 3], item_id)
    assert found == list(expected.values())
    rare = ids(catalog, group_by="shop", limit=2)
    assert {row(int(item_id[1:]))["shop"] for item_id in rare} == {"north", "south"}
    colours = [row(int(one[1:]))["colour"] for one in ids(catalog, group_by="colour", limit=50)]
    assert Counter(colours) == {"red": 1, None: 49}


def test_values_are_counted_over_what_is_said(catalog: OpenCatalog) -> None:
    """The nearest thousand; or all above a similarity; or all that a filter passes."""
    plain = find(catalog, SearchQuery(vector=QUERY, facets=("brand", "colour"), limit=5))
    assert (plain.counted, plain.all_counted, len(plain.hits)) == (FACET_HITS, False, 5)
    brands = Counter(BRANDS[int(item_id[1:]) % 3] for item_id in nearest(FACET_HITS))
    assert plain.facets[0].values == brands
    assert plain.facets[1].values["red"] + plain.facets[1].without == FACET_HITS
    above = find(catalog, SearchQuery(vector=QUERY, facets=("brand",), min_similarity=-1.0))
    assert (above.counted, above.all_counted) == (COUNT, True)
    similar = float(np.sort(unit(COUNT) @ QUERY)[-1_200]) - 1e-6
    above = find(catalog, SearchQuery(vector=QUERY, facets=("brand",), min_similarity=similar))
    assert (above.counted, above.all_counted) == (1_200, True)
    red = find(
        catalog,
        SearchQuery(
            vector=QUERY, facets=("brand",), filter_expression='metadata["colour"] == "red"'
        ),
    )
    assert (red.counted, red.all_counted) == (COUNT // 2, True)


def test_pages_of_a_hybrid_search_go_on(catalog: OpenCatalog) -> None:
    """Nothing twice, nothing left out within what is fused."""
    whole = ids(catalog, words="acme", limit=60)
    pages = [ids(catalog, words="acme", limit=20, offset=offset) for offset in (0, 20, 40)]
    assert [item_id for page in pages for item_id in page] == whole
    assert len(set(whole)) == 60


def test_a_removed_item_is_not_found_by_words(tmp_path: Path, database: str | None) -> None:
    """The index of words follows the archive, whatever the database is."""
    query = SearchQuery(vector=QUERY, words="SK-00007")
    with made(tmp_path, database, 20) as options:
        with open_catalog(options) as catalog:
            assert find(catalog, query).hits[0].item_id == "i7"
        remove_items(options, ["i7"])
        with open_catalog(options) as catalog:
            assert "i7" not in {hit.item_id for hit in find(catalog, query).hits}
