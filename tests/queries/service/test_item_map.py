"""The map over HTTP: laid out by a job, read as compact columns."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from indexer.catalog.opening import CatalogOptions, open_catalog
from queries.categorizing.categorize import categorize
from queries.deciding.question import Question
from queries.projection.item_map import current_map


def numbers(text: str) -> np.ndarray:
    """The uint16 numbers of a column."""
    return np.frombuffer(base64.b64decode(text), "<u2")


def lay_out(client: TestClient) -> None:
    """Run the job to its end."""
    job = client.post("/v1/jobs/project", json={"method": "pca"}).json()
    while job["state"] in {"queued", "running"}:
        time.sleep(0.05)
        job = client.get(f"/v1/jobs/{job['job_id']}").json()
    assert job["state"] == "done", job["error"]
    assert job["report"]["method"] == "pca"


def test_items_are_laid_out_by_a_job_and_read_as_columns(
    client: TestClient, options: CatalogOptions, tmp_path: Path
) -> None:
    """Places are those of the file; values are in the order of the items; both are compressed."""
    none = client.get("/v1/map").json()
    assert (none["method"], none["item_ids"], none["missing"]) == (None, [], 8)
    refused = client.get("/v1/map/values")
    assert refused.status_code == 404
    assert "/v1/jobs/project" in refused.json()["detail"]
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, tmp_path / "out.parquet", Question(), write_back=True)
    lay_out(client)
    answer = client.get("/v1/map", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    found = answer.json()
    with open_catalog(options) as catalog:
        item_map = current_map(catalog)
    assert item_map is not None
    assert found["item_ids"] == item_map.item_ids.to_pylist()
    assert (found["items"], found["missing"], found["drawn_from"]) == (8, 0, None)
    assert numbers(found["x"]) / 65_535 == pytest.approx(item_map.places[:, 0], abs=1e-5)
    assert numbers(found["y"]) / 65_535 == pytest.approx(item_map.places[:, 1], abs=1e-5)
    assert found["columns"][:3] == ["label", "status", "kind"]
    plain = client.get("/v1/map", headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers
    assert plain.json() == found
    values = client.get("/v1/map/values", params={"column": "label"}).json()
    assert values["version"] == found["version"]
    items = {
        item_id: client.get(f"/v1/items/{item_id}").json()["label_id"]
        for item_id in found["item_ids"]
    }
    assert [values["values"][code]["value"] for code in numbers(values["codes"])] == list(
        items.values()
    )
    unknown = client.get("/v1/map/values", params={"column": "brnd"})
    assert unknown.status_code == 400
    assert client.delete(f"/v1/items/{found['item_ids'][0]}").status_code == 204
    later = client.get("/v1/map").json()
    assert later["item_ids"] == found["item_ids"][1:]
    assert later["version"] != found["version"]
