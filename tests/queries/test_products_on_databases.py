"""Items of several rows in each kind of database: one hit an item, by its nearest row."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from shell import Shell

from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.jobs.rebuild import compare
from indexer.jobs.removal import remove_items
from queries.search.finding import search

WIDTH, MANY, OTHERS = 16, 400, 40


def vectors() -> tuple[list[str], FloatArray]:
    """400 rows of one item near each other, and three rows of each of 40 others."""
    rng = np.random.default_rng(3)
    near = np.eye(1, WIDTH) + 0.01 * rng.standard_normal((MANY, WIDTH))
    others = rng.standard_normal((OTHERS, WIDTH)) + 2 * np.eye(1, WIDTH)
    rows = np.repeat(others, 3, axis=0) + 0.5 * rng.standard_normal((3 * OTHERS, WIDTH))
    groups = ["many"] * MANY + [f"i{n}" for n in range(OTHERS) for _ in range(3)]
    return groups, normalise(np.concatenate([near, rows]))


@pytest.fixture(scope="module", params=["lite", pytest.param("server", marks=pytest.mark.server)])
def options(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CatalogOptions]:
    """A catalog of these rows in each kind of database."""
    folder = tmp_path_factory.mktemp("products")
    db = request.getfixturevalue("server_uri") if request.param == "server" else None
    groups, rows = vectors()
    table = pa.table(
        {
            "id": [f"r{n}" for n in range(len(groups))],
            "sku": groups,
            "vector": pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), WIDTH),
        }
    )
    pq.write_table(table, folder / "rows.parquet")
    name = f"many_{uuid4().hex[:8]}"
    shell = Shell(folder, in_process=True, catalog=name, **({} if db is None else {"db": db}))
    columns = ("--vector-column", "vector", "--group-column", "sku")
    (report,) = shell.json("ingest", "rows.parquet", *columns)
    assert (report["stored"], report["items"]) == (len(groups), OTHERS + 1)
    options = CatalogOptions(data_dir=folder / ".zeroshelf", db=db, catalog=name)
    yield options
    with open_catalog(options, write=True) as catalog:
        catalog.database.drop_catalog(catalog.folder.name, catalog.folder.number)


def nearest(query: FloatArray, gone: str = "") -> list[tuple[str, str, float]]:
    """The ten nearest items by exact comparison: item, row and cosine."""
    groups, rows = vectors()
    cosines = rows @ query
    best: dict[str, int] = {}
    for row in np.argsort(-cosines).tolist():
        if groups[row] != gone:
            best.setdefault(groups[row], row)
    return [(item, f"r{row}", float(cosines[row])) for item, row in best.items()][:10]


def check(catalog: OpenCatalog, query: FloatArray, gone: str = "") -> None:
    """The search gives what exact comparison gives."""
    expected = nearest(query, gone)
    hits = search(catalog, query, limit=10)
    assert [(hit.item_id, hit.part_id) for hit in hits] == [row[:2] for row in expected]
    assert [hit.similarity for hit in hits] == pytest.approx([row[2] for row in expected], abs=1e-4)


def test_an_item_of_many_near_rows_hides_no_other(options: CatalogOptions) -> None:
    """Milvus' own grouping gives one item here: Lite over-fetches, servers of 2.3 ignore it."""
    _, rows = vectors()
    with open_catalog(options) as catalog:
        for row in (0, 7, MANY, MANY + 31):
            check(catalog, rows[row])
        hits = search(catalog, rows[0], limit=10)
        assert len(hits[0].parts) == MANY
        assert all(len(hit.parts) == 3 for hit in hits[1:])
    assert compare(options).equal


def test_an_item_is_removed_with_all_its_rows(options: CatalogOptions) -> None:
    """No row of it is found any more."""
    _, rows = vectors()
    assert remove_items(options, ["i3"]).removed == 1
    with open_catalog(options) as catalog:
        for row in (MANY + 9, MANY + 10, MANY + 11):
            check(catalog, rows[row], gone="i3")
    assert compare(options).equal
