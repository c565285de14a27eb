"""A catalog of vectors that came with its items: what can be answered without a model is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from asking import when_ready
from catalogs import add_titles, make_catalog
from fastapi.testclient import TestClient
from shell import Shell, write_rows

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from queries.categorizing.categorize import categorize
from queries.service.app import create_app
from queries.service.settings import ServiceSettings


def vectors(count: int, seed: int) -> FloatArray:
    """float32 (count, 16), rows of length 1."""
    return normalise(np.random.default_rng(seed).normal(size=(count, 16)))


@pytest.fixture
def given(tmp_path: Path) -> CatalogOptions:
    """Sixty items near one of six labels; two in three have a title near one."""
    labels = vectors(6, 0)
    near = np.random.default_rng(1).integers(0, 6, 60)
    items = normalise(labels[near] + 1.2 * vectors(60, 2))
    titles = normalise(labels[near] + 0.8 * vectors(60, 3))
    titles[::3] = 0
    options = make_catalog(tmp_path / "data", items, labels)
    add_titles(options, titles)
    return options


@pytest.fixture
def client(given: CatalogOptions, settings: ServiceSettings) -> Iterator[TestClient]:
    """A client of its service."""
    app = create_app(given, settings)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def rows_of(options: CatalogOptions, to: Path, **choices: Any) -> dict[str, dict[str, Any]]:
    """What a categorization says, by item."""
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, to, **choices)
    return {row["item_id"]: row for row in pq.read_table(to).to_pylist()}


def test_stored_items_get_the_labels_that_categorize_gives(
    client: TestClient, given: CatalogOptions, tmp_path: Path
) -> None:
    """By their pictures and titles, also where both kinds come together; so in the review."""
    rows = rows_of(given, tmp_path / "out.parquet", write_back=True)
    ids = sorted(rows)
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(ids), 8):
        inputs = [{"item_id": one} for one in ids[start : start + 8]]
        answer = client.post("/v1/classify", json={"inputs": inputs})
        assert answer.status_code == 200, answer.text
        found |= {one["input"]: one["predictions"][0] for one in answer.json()["results"]}
    assert {one: found[one]["label_id"] for one in ids} == {
        one: rows[one]["label_id"] for one in ids
    }
    for one in ids:
        assert found[one]["score"] == pytest.approx(rows[one]["score"], abs=1e-4)
    for doubt in client.get("/v1/review", params={"limit": 100}).json()["items"]:
        assert doubt["predictions"][0]["score"] == pytest.approx(doubt["score"], abs=1e-4)


def test_a_picture_that_came_with_a_vector_is_shown(
    drawn: Path, settings: ServiceSettings, tmp_path: Path
) -> None:
    """As a JPEG; an item without one has none."""
    rows = [{"id": "a", "image": str(drawn / "mug-red.png")}, {"id": "b", "image": ""}]
    write_rows(tmp_path / "items.jsonl", rows)
    np.save(tmp_path / "vectors.npy", vectors(2, 0))
    Shell(tmp_path, in_process=True)("ingest", "items.jsonl", "--vectors", "vectors.npy")
    app = create_app(CatalogOptions(data_dir=tmp_path / ".zeroshelf"), settings)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        shown = client.get("/v1/pictures/a")
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
        assert client.get("/v1/pictures/b").status_code == 404


def test_it_is_ready_and_says_what_it_can_not_do(client: TestClient) -> None:
    """An input that a model would have to embed has an error, and what can be is answered."""
    assert when_ready(client).status_code == 200
    inputs = [{"item_id": "i0"}, {"text": "a mug"}]
    known, unknown = client.post("/v1/classify", json={"inputs": inputs}).json()["results"]
    assert known["predictions"]
    assert "no model is named" in unknown["error"]
    assert "item_id" in unknown["error"]
    assert client.post("/v1/search", json={"item_id": "i0"}).json()["hits"]
    assert client.post("/v1/explain", json={"item_id": "i0"}).status_code == 200
    for answer in (
        client.post("/v1/classify", json={"inputs": inputs[1:]}),
        client.post("/v1/classify", files={"pictures": ("a.jpg", b"any")}),
        client.post("/v1/search", json={"text": "a mug"}),
        client.post("/v1/explain", json={"text": "a mug"}),
        client.post("/v1/items", json={"items": [{"item_id": "a", "title": "b"}]}),
        client.put("/v1/labels", json={"labels": [{"name": "sofa"}]}),
        client.post("/v1/jobs/retry"),
    ):
        assert answer.status_code == 422, answer.text
        assert "no model is named" in answer.json()["detail"]
