"""Recall against exact search: what counts, what is chosen, and what is kept of it."""

from __future__ import annotations

import json
from pathlib import Path

import catalogs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import UsageError
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.jobs import status
from indexer.sources import Fetcher
from indexer.sources.decoding.contents import ContentDecoder
from indexer.store.indexes import HNSW
from queries.tuning import tuning
from queries.tuning.tuning import Rung, tune
from queries.tuning.tuning_queries import ITEMS, LABELS, Queries, queries_of_file, usual_queries

ROWS, WIDTH = 3_000, 16


def unit_vectors(count: int, seed: int) -> FloatArray:
    """float32 (count, 16), rows of length 1."""
    return normalise(np.random.default_rng(seed).normal(size=(count, WIDTH)))


VECTORS = unit_vectors(ROWS, seed=0)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> CatalogOptions:
    """A catalog of 3,000 vectors and 20 labels with a graph index; tests only read it."""
    options = catalogs.make_catalog(
        tmp_path_factory.mktemp("graph"), VECTORS, unit_vectors(20, seed=1)
    )
    with open_catalog(options) as catalog:
        catalog.items.ensure_index(HNSW)
    return options


def by_hand(found: list[list[str]], kind: Queries, limit: int) -> float:
    """Recall by a full sort; of random vectors no two are alike."""
    hits = 0
    for row, ids in enumerate(found):
        scores = VECTORS @ kind.vectors[row]
        if kind.item_ids:
            scores[int(kind.item_ids[row][1:])] = -np.inf
        hits += len(set(ids) & {f"i{best}" for best in np.argsort(-scores)[:limit]})
    return hits / (len(found) * limit)


def test_recall_is_that_of_a_full_sort(graph: CatalogOptions) -> None:
    """For each kind of query and each effort, items never among their own results."""
    with open_catalog(graph) as catalog:
        kinds = usual_queries(catalog, 40)
        report = tune(catalog, kinds, limit=10)
        for kind in kinds:
            for rung in report.rungs:
                answers = catalog.items.search(
                    kind.vectors, limit=10 + (kind.kind == ITEMS), effort=rung.effort
                )
                found = [[hit.fields["item_id"] for hit in hits] for hits in answers]
                if kind.item_ids:
                    found = [
                        [one for one in ids if one != own][:10]
                        for own, ids in zip(kind.item_ids, found, strict=True)
                    ]
                one = rung.recalls[kind.kind]
                assert one.recall == pytest.approx(by_hand(found, kind, 10))
                assert one.low <= one.recall <= one.high
    assert report.queries == {ITEMS: 40, LABELS: 20}
    assert report.rungs[0].worst < 1 == report.rungs[-1].worst


def test_the_smallest_effort_that_reaches_the_target_is_chosen(graph: CatalogOptions) -> None:
    """By the kind of query that is hardest; a higher target takes no less."""
    with open_catalog(graph) as catalog:
        kinds = usual_queries(catalog, 40)
        reports = [tune(catalog, kinds, target=target) for target in (0.5, 0.99, 1.0)]
    for report in reports:
        enough = [rung.effort for rung in report.rungs if rung.worst >= report.target]
        assert report.chosen == enough[0]
    assert [one.chosen for one in reports] == sorted(one.chosen or 0 for one in reports)


def test_what_is_kept_decides_searches(tmp_path: Path) -> None:
    """After opening again, too; ``status`` tells it, and that the catalog has outgrown it."""
    options = catalogs.make_catalog(tmp_path, VECTORS[:200], unit_vectors(3, seed=1))
    with open_catalog(options) as catalog:
        catalog.items.ensure_index(HNSW)
        assert "its recall was not measured" in catalog_search(catalog)
        found = tune(catalog, usual_queries(catalog, 20), limit=5).tuning()
        assert found is not None
        catalog.items.store_tuning(found)
    with open_catalog(options) as catalog:
        assert catalog.items.tuning == found
        assert f"ef {found.effort}: recall@5 {found.recall:.4f}" in catalog_search(catalog)
        assert "now" not in catalog_search(catalog)
        catalog.items.store_tuning(
            tuning.Tuning(
                index=HNSW, effort=16, limit=10, recall=1.0, target=0.99, items=99, queries=1
            )
        )
        assert "there are 200 now" in catalog_search(catalog)


def catalog_search(catalog: OpenCatalog) -> str:
    """The line of ``status`` about search."""
    return status._search(catalog)


def test_status_tells_that_the_index_no_longer_suits(graph: CatalogOptions) -> None:
    """A graph for 3,000 items is not what auto takes."""
    (row,) = status.catalog_status(graph)
    assert row["index"] == HNSW
    assert "FLAT suits 3,000 items better: zeroshelf tune --catalog catalog" in row["search"]


def test_an_exact_index_has_nothing_to_choose(tmp_path: Path) -> None:
    """It finds all; copies of one picture stand for each other, whichever come back."""
    copies = np.repeat(VECTORS[:20], 10, axis=0)
    options = catalogs.make_catalog(tmp_path, copies, unit_vectors(3, seed=1))
    with open_catalog(options) as catalog:
        report = tune(catalog, usual_queries(catalog, 50))
    assert (report.index, report.parameter, report.chosen) == ("FLAT", "", 0)
    assert [rung.worst for rung in report.rungs] == [1.0]


def test_rows_that_the_database_lost_lower_the_recall(tmp_path: Path) -> None:
    """The archive says what there is to find, not the database."""
    options = catalogs.make_catalog(tmp_path, VECTORS[:50], unit_vectors(3, seed=1))
    with open_catalog(options) as catalog:
        catalog.items.delete([f"i{row}" for row in range(0, 50, 2)])
        catalog.items.flush()
        report = tune(catalog, [Queries(kind="vectors", vectors=unit_vectors(30, seed=5))])
    assert 0.3 < report.rungs[0].worst < 0.7
    assert report.chosen is None
    assert report.tuning() is None


def test_too_few_items_are_wrong_usage(tmp_path: Path) -> None:
    """And so are no queries at all."""
    options = catalogs.make_catalog(tmp_path, VECTORS[:10], unit_vectors(3, seed=1))
    with open_catalog(options) as catalog:
        with pytest.raises(UsageError, match="smaller --limit"):
            tune(catalog, usual_queries(catalog, 5), limit=10)
        with pytest.raises(UsageError, match="--queries"):
            tune(catalog, [Queries(kind="none", vectors=VECTORS[:0])], limit=5)


def test_queries_can_be_vectors(graph: CatalogOptions, tmp_path: Path) -> None:
    """Normalised; rows that can't be queries are left out, and a sample is taken."""
    rows = 3 * unit_vectors(9, seed=4)
    rows[2] = 0
    np.save(tmp_path / "q.npy", rows)
    with open_catalog(graph) as catalog, Fetcher() as fetcher:
        given = {"decoder": ContentDecoder(), "fetcher": fetcher}
        (all_,) = queries_of_file(catalog, tmp_path / "q.npy", 100, **given)
        (some,) = queries_of_file(catalog, tmp_path / "q.npy", 4, **given)
        with pytest.raises(UsageError, match="no such file"):
            queries_of_file(catalog, tmp_path / "none.npy", 4, **given)
    np.testing.assert_allclose(all_.vectors, normalise(np.delete(rows, 2, axis=0)), atol=1e-6)
    assert 3 <= len(some.vectors) <= 4


@given(shares=st.lists(st.integers(0, 10), min_size=2, max_size=50))
def test_the_interval_holds_the_recall(shares: list[int]) -> None:
    """For any recalls of queries, and it is wider than if all results were trials by themselves."""
    found = tuning._recall(np.array(shares) / 10, 10)
    assert 0 <= found.low <= found.recall <= found.high <= 1
    assert found.recall == pytest.approx(np.mean(shares) / 10)


def test_misses_that_come_together_widen_the_interval() -> None:
    """Half of the queries at 0 and half at 1 tell less than all of them at a half."""
    together, apart = np.repeat([0.0, 1.0], 50), np.full(100, 0.5)
    wide, narrow = tuning._recall(together, 10), tuning._recall(apart, 10)
    assert wide.high - wide.low > 2.5 * (narrow.high - narrow.low)


def test_rows_tell_each_kind() -> None:
    """A column for recall and its ends for each kind, and the latencies."""
    recalls = {"texts": tuning.Recall(recall=0.9, low=0.8, high=0.95)}
    report = tuning.TuningReport(
        index=HNSW,
        parameter="ef",
        items=5,
        limit=3,
        target=0.9,
        queries={"texts": 4},
        rungs=(Rung(effort=16, recalls=recalls, median_ms=1.0, p95_ms=2.0),),
        chosen=16,
    )
    (row,) = tuning.as_rows(report)
    assert json.loads(json.dumps(row)) == {
        "ef": 16,
        "recall@3 texts": 0.9,
        "texts low": 0.8,
        "texts high": 0.95,
        "median_ms": 1.0,
        "p95_ms": 2.0,
    }


@pytest.mark.server
def test_on_a_server(tmp_path: Path, server_uri: str) -> None:
    """Every index of a real server is measured, and its effort kept and used."""
    options = CatalogOptions(data_dir=tmp_path / "data", db=server_uri, catalog="tuned")
    catalogs.add_items(options, VECTORS)
    catalogs.set_labels(options, unit_vectors(5, seed=1))
    with open_catalog(options) as catalog:
        for kind in catalog.items.backend().types:
            catalog.items.ensure_index(kind)
            report = tune(catalog, usual_queries(catalog, 40))
            found = report.tuning()
            assert report.index == kind
            assert found is not None, kind
            catalog.items.store_tuning(found)
    with open_catalog(options) as catalog:
        assert catalog.items.tuning == found
        assert "nprobe" in catalog_search(catalog)
        catalog.database.drop_catalog("tuned")
