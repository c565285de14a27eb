"""Label sets over HTTP."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.jobs.labels import add_labels


@pytest.fixture
def coloured(options: CatalogOptions) -> None:
    """The catalog, with a label set of two colours."""
    file = options.data_dir / "colours.txt"
    file.write_text("red\nblue")
    add_labels(options.of_set("colour"), str(file))


def finished(client: TestClient, job_id: str) -> dict[str, object]:
    """A job when it has ended."""
    while (job := client.get(f"/v1/jobs/{job_id}").json())["state"] in {"queued", "running"}:
        pass
    return dict(job)


@pytest.mark.usefixtures("coloured")
def test_a_set_is_listed_changed_and_decided(client: TestClient, options: CatalogOptions) -> None:
    """Labels of the set only; the category stays as it is."""
    categories = client.get("/v1/labels").json()["total"]
    assert client.get("/v1/labels?set=colour").json()["total"] == 2
    added = client.put("/v1/labels?set=colour", json={"labels": [{"name": "green"}]})
    assert added.json()["added"] == 1
    assert client.delete("/v1/labels/green?set=colour").json()["removed"] == 1
    assert client.get("/v1/labels").json()["total"] == categories
    sent = {"sets": ["category", "colour"]}
    job = finished(client, client.post("/v1/jobs/categorize", json=sent).json()["job_id"])
    assert job["state"] == "done", job["error"]
    glance = client.get("/v1/catalog?set=colour").json()
    assert (glance["label_set"], glance["labels"]) == ("colour", 2)
    assert glance["label_sets"] == ["category", "colour"]
    assert {one["label"] for one in glance["categories"]} <= {"red", "blue"}
    found = client.post("/v1/search", json={"text": "mug", "filter": 'attributes["colour"] != ""'})
    assert {hit["attributes"]["colour"] for hit in found.json()["hits"]} <= {"red", "blue"}
    with open_catalog(options) as catalog:
        assert (
            catalog.items.count('attributes["colour"] == "red" or attributes["colour"] == "blue"')
            == 8
        )


@pytest.mark.usefixtures("coloured")
def test_a_set_is_reviewed_on_its_own(client: TestClient) -> None:
    """A verdict on a colour leaves the category as it was, and teaches the colours."""
    sent = {"sets": ["category", "colour"]}
    finished(client, client.post("/v1/jobs/categorize", json=sent).json()["job_id"])
    item = client.get("/v1/review?set=colour").json()["items"][0]
    assert {one["label"] for one in item["predictions"]} == {"red", "blue"}
    before = client.get(f"/v1/items/{item['item_id']}").json()["label"]
    said = {"item_id": item["item_id"], "verdict": "corrected", "label": "blue"}
    answer = client.post("/v1/review", json=said | {"label_set": "colour"})
    assert answer.status_code == 200, answer.text
    assert client.get(f"/v1/items/{item['item_id']}").json()["label"] == before
    rows = client.get("/v1/review/corrections?set=colour").text.split("\r\n")
    assert rows == ["item_id,label_id", f"{item['item_id']},blue", ""]
    assert client.get("/v1/review/corrections").text.split("\r\n") == ["item_id,label_id", ""]
    assert client.get("/v1/review?set=colour").json()["total"] == 7
    assert client.get("/v1/review").json()["total"] == 8


@pytest.mark.usefixtures("coloured")
def test_inputs_are_labelled_and_explained_by_a_set(client: TestClient) -> None:
    """One question a set."""
    asked = {"inputs": [{"text": "a red mug"}], "options": {"label_set": "colour", "limit": 2}}
    (result,) = client.post("/v1/classify", json=asked).json()["results"]
    assert {one["label"] for one in result["predictions"]} == {"red", "blue"}
    why = client.post("/v1/explain", json={"text": "a red mug", "label_set": "colour"}).json()
    assert why["winner"] in {"red", "blue"}


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/labels?set=color", 400), ("/v1/review?set=a%20b", 400)]
)
@pytest.mark.usefixtures("coloured")
def test_a_set_that_is_not_there(client: TestClient, path: str, status: int) -> None:
    """Said with the nearest one."""
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert "label set" in answer.json()["detail"]
