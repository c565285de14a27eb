"""The choice of an index, and changing it on a filled collection."""

from __future__ import annotations

import numpy as np
import pytest
import store_rows
from conftest import SHARED

from indexer.core.errors import ConfigError
from indexer.core.layout import QuantizedAs, RefinedBy
from indexer.core.records import EmbeddedItem
from indexer.core.vectors import normalise
from indexer.store import Database, MilvusItems
from indexer.store.capabilities import server_info
from indexer.store.indexes import (
    FLAT,
    HNSW,
    HNSW_SQ,
    IVF_FLAT,
    IVF_RABITQ,
    IVF_SQ8,
    SCANN,
    Backend,
    Quantization,
    backend,
    choose,
    search_params,
)
from indexer.store.tuning import Tuning, from_property

LITE = backend(server_info("milvus_lite-3.2.2"))
SERVER = backend(server_info("v2.3.5-lite"))
NEW_SERVER = backend(server_info("v2.6.4-dev"))


@pytest.mark.parametrize(
    ("kind", "rows", "where", "current", "expected"),
    [
        ("auto", 0, LITE, None, FLAT),
        ("auto", 10**6, LITE, FLAT, FLAT),
        ("auto", 10**6, LITE, HNSW, FLAT),
        ("auto", 20_000, SERVER, FLAT, FLAT),
        ("auto", 20_001, SERVER, FLAT, HNSW),
        ("auto", 19_000, SERVER, HNSW, HNSW),
        ("auto", 9_000, SERVER, HNSW, FLAT),
        ("auto", 4_000_001, SERVER, HNSW, HNSW),
        ("auto", 4_000_001, NEW_SERVER, HNSW, HNSW_SQ),
        ("auto", 3_000_000, NEW_SERVER, HNSW_SQ, HNSW_SQ),
        ("auto", 1_000_000, NEW_SERVER, HNSW_SQ, HNSW),
        ("auto", 30_000, SERVER, SCANN, HNSW),
        ("hnsw", 10, LITE, FLAT, HNSW),
        ("ivf_rabitq", 10, NEW_SERVER, FLAT, IVF_RABITQ),
        ("FLAT", 10**7, SERVER, HNSW, FLAT),
    ],
)
def test_choice(kind: str, rows: int, where: Backend, current: str | None, expected: str) -> None:
    """By size and backend; an index stays until the rows are half of what calls for it."""
    assert choose(kind, rows, where, current=current) == expected


@pytest.mark.parametrize(
    ("kind", "where"), [("HNWS", LITE), ("", LITE), ("SCANN", LITE), ("IVF_SQ8", SERVER)]
)
def test_unknown_types_are_refused(kind: str, where: Backend) -> None:
    """Milvus Lite would take them, and fail when the collection is opened again."""
    with pytest.raises(ConfigError, match="auto, FLAT, HNSW"):
        choose(kind, 1, where, current=None)


@pytest.mark.parametrize(
    ("kind", "limit", "effort", "expected"),
    [
        (HNSW, 10, None, {"ef": 512}),
        (HNSW, 1_000, None, {"ef": 2_000}),
        (HNSW, 100, 20, {"ef": 100}),
        (HNSW, 16_384, None, {"ef": 32_768}),
        (IVF_SQ8, 10, 5_000, {"nprobe": 1_024}),
        (SCANN, 100, 32, {"nprobe": 32, "reorder_k": 400}),
        (FLAT, 10, 99, {}),
    ],
)
def test_search_parameters(
    kind: str, limit: int, effort: int | None, expected: dict[str, int]
) -> None:
    """Each index gets its own, which grow with the limit, within what Milvus takes."""
    assert search_params(kind, limit, effort)["params"] == expected


@pytest.mark.parametrize(
    ("quantization", "expected"),
    [
        (Quantization(), {}),
        (Quantization(stored_as=QuantizedAs.SQ6), {"sq_type": "SQ6"}),
        (Quantization(refined_by=RefinedBy.FP16), {"refine": True, "refine_type": "FP16"}),
    ],
)
def test_a_quantization_is_read_back(
    quantization: Quantization, expected: dict[str, object]
) -> None:
    """A server gives its parameters back as texts, among others."""
    assert quantization.build_params() == expected
    described = {"index_type": HNSW_SQ, "M": "16"} | {
        name: str(value) for name, value in expected.items()
    }
    assert Quantization.of_index(described) == quantization


@pytest.mark.parametrize(
    ("quantization", "version", "told"),
    [
        (Quantization(stored_as=QuantizedAs.SQ6), "milvus_lite-3.2.2", "refined indexes"),
        (Quantization(refined_by=RefinedBy.FP32), "v2.3.5", "2.6 on"),
        (Quantization(stored_as=QuantizedAs.SQ4U), "v2.6.4", "2.6.8 on"),
        (Quantization(refined_by=RefinedBy.SQ8), "v2.6.8", "not more exact"),
    ],
)
def test_what_a_database_lacks_is_refused(
    quantization: Quantization, version: str, told: str
) -> None:
    """Milvus Lite would ignore it in silence."""
    with pytest.raises(ConfigError, match=told):
        quantization.check(server_info(version))


def test_a_new_server_takes_them() -> None:
    """By Milvus' documentation; what a refined index is asked, too."""
    four_bits = Quantization(stored_as=QuantizedAs.SQ4U, refined_by=RefinedBy.FP16)
    four_bits.check(server_info("v2.6.8"))
    assert search_params(HNSW_SQ, 10, 64, 2)["params"] == {"ef": 64, "refine_k": 2}


def test_more_candidates_make_a_quantized_index_exact(items: MilvusItems) -> None:
    """Of ten rounded hits some are wrong; of forty, put in order by whole vectors, few are."""
    vectors = normalise(
        store_rows.unit_vectors(1) + 0.02 * store_rows.unit_vectors(1_500, seed=4)
    )  # near each other, so that rounding changes their order
    rows = [store_rows.item(f"i{at}", vector) for at, vector in enumerate(vectors)]
    items.upsert(rows, [None] * len(rows))
    items.flush()
    if HNSW_SQ not in items.backend().types:
        pytest.skip("this server has no quantized graphs")
    items.ensure_index(HNSW_SQ)
    queries = vectors[:30]
    exact = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    recalls = []
    for refine_k in (1, 4):
        answers = items.search(queries, limit=10, effort=1_024, refine_k=refine_k)
        shared = [
            len({hit.fields["item_id"] for hit in hits} & {f"i{at}" for at in best})
            for hits, best in zip(answers, exact, strict=True)
        ]
        recalls.append(sum(shared) / exact.size)
    assert recalls[0] < 0.95 < recalls[1]
    with pytest.raises(ConfigError, match="--index HNSW_SQ"):
        items.ensure_index(FLAT, quantization=Quantization())
    items.ensure_index(FLAT)


def _recall(items: MilvusItems, rows: list[EmbeddedItem], effort: int | None = None) -> float:
    """Recall@10 of 20 queries."""
    queries = store_rows.unit_vectors(20, seed=3)
    exact = np.argsort(-(queries @ np.stack([row.vector for row in rows]).T), axis=1)[:, :10]
    hits = sum(
        len({hit.fields["item_id"] for hit in one} & {rows[row].item_id for row in best})
        for one, best in zip(items.search(queries, limit=10, effort=effort), exact, strict=True)
    )
    return hits / exact.size


def test_the_index_changes_in_place(items: MilvusItems) -> None:
    """Rows are all there after a rebuild, and the graph finds nearly what exact search does."""
    rows = store_rows.items(2_000)
    items.upsert(rows, [None] * len(rows))
    items.flush()
    assert items.ensure_index() == items.index_type() == FLAT
    for kind, recall in (("HNSW", 0.95), ("FLAT", 1.0)):
        items.ensure_index(kind)
        assert _recall(items, rows) >= recall
        assert items.index_type() == kind
        assert items.count() == len(rows)


def test_every_index_of_the_backend_works(items: MilvusItems) -> None:
    """Each is built, answers after opening again, and finds everything at its highest effort.

    Quantized ones too: their hits are put in order by the whole vectors.
    """
    rows = store_rows.items(2_000)
    items.upsert(rows, [None] * len(rows))
    items.flush()
    for kind in items.backend().types:
        assert items.ensure_index(kind) == items.index_type() == kind
        assert _recall(items, rows, effort=1_024) >= 0.99, kind
        hit = items.search(rows[7].vector[np.newaxis], limit=1)[0][0]
        assert hit.fields["item_id"] == rows[7].item_id
        assert hit.similarity == pytest.approx(1.0, abs=1e-5), kind
        assert "vector" not in hit.fields
    items.ensure_index(FLAT)


def test_effort_decides_what_is_found(items: MilvusItems) -> None:
    """A graph that is searched more widely finds more: the parameter reaches the index."""
    rows = store_rows.items(3_000)
    items.upsert(rows, [None] * len(rows))
    items.flush()
    items.ensure_index(HNSW)
    assert _recall(items, rows, effort=10) < _recall(items, rows, effort=1_000)
    items.ensure_index(FLAT)


@pytest.mark.parametrize("kind", [HNSW, IVF_FLAT])
def test_a_filter_that_few_rows_pass_finds_them(items: MilvusItems, kind: str) -> None:
    """Also where they are far from the query: Milvus Lite would walk past them."""
    rows = store_rows.items(3_000)
    items.upsert(rows, [None] * len(rows))
    items.flush()
    items.ensure_index(kind)
    query = store_rows.unit_vectors(1, seed=9)
    scores = np.stack([row.vector for row in rows]) @ query[0]
    expected = sorted(range(1_000, 1_015), key=lambda row: -scores[row])[:10]
    found = items.search(
        query,
        limit=10,
        effort=16,
        filter_expression='metadata["price"] >= 1000 and metadata["price"] < 1015',
    )
    assert [hit.fields["item_id"] for hit in found[0]] == [f"i{row}" for row in expected]
    items.ensure_index(FLAT)


def test_a_measurement_is_kept_with_its_index(database: Database, items: MilvusItems) -> None:
    """Searches go by it after opening again, and no longer once the index is another."""
    tuning = Tuning(index=FLAT, effort=7, limit=10, recall=0.993, target=0.99, items=50, queries=20)
    items.store_tuning(tuning)
    again = database.items(SHARED)
    assert again.tuning == tuning
    again.ensure_index(HNSW)
    assert again.tuning is None
    again.ensure_index(FLAT)


def test_a_measurement_answers_for_more_results() -> None:
    """Effort grows with the limit, and never falls below what was measured."""
    tuning = Tuning(index=HNSW, effort=64, limit=10, recall=1.0, target=0.99, items=500, queries=20)
    assert [tuning.effort_for(limit) for limit in (1, 10, 40, 1_000)] == [64, 64, 128, 640]
    assert not tuning.is_outdated(1_000)
    assert tuning.is_outdated(1_001)


@pytest.mark.parametrize("text", ["", "no json", "{}", "[1]", '{"index": "HNSW", "more": 1}'])
def test_a_foreign_measurement_is_none(text: str) -> None:
    """What another version wrote is as if nothing had been measured."""
    assert from_property(text) is None


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
