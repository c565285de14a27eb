"""The choice of an index, and changing it on a filled collection."""

from __future__ import annotations

import numpy as np
import pytest
import store_rows

from indexer.errors import ConfigError
from indexer.store import Database, MilvusItems
from indexer.store.indexes import FLAT, HNSW, choose, search_params


@pytest.mark.parametrize(
    ("kind", "rows", "is_lite", "current", "expected"),
    [
        ("auto", 0, True, None, FLAT),
        ("auto", 50_000, True, FLAT, FLAT),
        ("auto", 50_001, True, FLAT, HNSW),
        ("auto", 20_000, False, FLAT, FLAT),
        ("auto", 20_001, False, FLAT, HNSW),
        ("auto", 19_000, False, HNSW, HNSW),
        ("auto", 9_000, False, HNSW, FLAT),
        ("hnsw", 10, True, FLAT, HNSW),
        ("FLAT", 10**7, False, HNSW, FLAT),
    ],
)
def test_choice(kind: str, rows: int, is_lite: bool, current: str | None, expected: str) -> None:
    """By size and backend; a graph stays until the rows are half of what calls for one."""
    assert choose(kind, rows, is_lite=is_lite, current=current) == expected


@pytest.mark.parametrize("kind", ["HNWS", "", "IVF"])
def test_unknown_types_are_refused(kind: str) -> None:
    """Milvus Lite would take them, and fail when the collection is opened again."""
    with pytest.raises(ConfigError, match="auto, FLAT, HNSW"):
        choose(kind, 1, is_lite=True, current=None)


def test_search_looks_at_more_than_it_gives() -> None:
    """``ef`` grows with the limit, within what Milvus takes."""
    assert search_params(10, None)["params"] == {"ef": 64}
    assert search_params(100, None)["params"] == {"ef": 200}
    assert search_params(100, 20)["params"] == {"ef": 100}
    assert search_params(16_384, None)["params"] == {"ef": 32_768}


def test_the_index_changes_in_place(items: MilvusItems) -> None:
    """Rows are all there after a rebuild, and the graph finds nearly what exact search does."""
    rows = store_rows.items(2_000)
    items.upsert(rows, [None] * len(rows))
    items.flush()
    queries = store_rows.unit_vectors(20, seed=3)
    exact = np.argsort(-(queries @ np.stack([row.vector for row in rows]).T), axis=1)[:, :10]
    assert items.ensure_index() == items.index_type() == FLAT
    for kind, recall in (("HNSW", 0.95), ("auto", 0.95), ("FLAT", 1.0)):
        items.ensure_index(kind, rows=15_000 if items._collection.is_lite is False else 30_000)
        found = items.search(queries, limit=10)
        hits = sum(
            len({hit.fields["item_id"] for hit in one} & {f"i{row}" for row in best})
            for one, best in zip(found, exact, strict=True)
        )
        assert hits >= recall * exact.size
        assert items.index_type() == ("FLAT" if kind == "FLAT" else "HNSW")
        assert items.count() == len(rows)


def test_a_lost_index_is_built_when_opened(database: Database, catalog: str) -> None:
    """A command that was killed between dropping and building leaves a usable catalog."""
    database.create_catalog(catalog, store_rows.FINGERPRINT)
    items = database.items(catalog)
    items.upsert(store_rows.items(10), [None] * 10)
    items.flush()
    database._client.release_collection(f"{catalog}_items_001")
    database._client.drop_index(f"{catalog}_items_001", "vector")
    items = database.items(catalog)
    assert items.index_type() == FLAT
    assert len(items.search(store_rows.unit_vectors(1), limit=10)[0]) == 10
