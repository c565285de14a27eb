"""Products of several pictures over HTTP: one hit, all pictures, one answer of all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.sources import TableOptions
from queries.categorizing.categorize import categorize
from queries.estimator import ZeroShotClassifier

SIZES = PipelineSizes(workers=1, batch_size=8)


@pytest.fixture
def options(options: CatalogOptions, drawn: Path, tmp_path: Path) -> CatalogOptions:
    """The catalog of single pictures with one more item, whose pictures are two mugs."""
    table = tmp_path / "sets.csv"
    table.write_text(f"id,image,image_2\nset,{drawn}/mug-red.png,{drawn}/mug-blue.png\n")
    how = IngestOptions(table=TableOptions(image_column="image,image_2"), sizes=SIZES)
    ingest(options, [str(table)], how)
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, tmp_path / "out.parquet", write_back=True)
    return options


def test_an_item_of_several_pictures_is_found_once(client: TestClient) -> None:
    """With the ids of its pictures, each of which is served."""
    hits = client.post("/v1/search", json={"text": "a mug", "limit": 20}).json()["hits"]
    (found,) = (hit for hit in hits if hit["item_id"] == "set")
    assert found["parts"] == ["set", "set#view=2"]
    pictures = [client.get(f"/v1/pictures/{part.replace('#', '%23')}") for part in found["parts"]]
    assert [picture.status_code for picture in pictures] == [200, 200]
    assert pictures[0].content != pictures[1].content


def test_an_item_is_told_with_all_its_pictures(client: TestClient) -> None:
    """Items of one picture have no list of them."""
    assert client.get("/v1/items/set").json()["parts"] == ["set", "set#view=2"]
    assert client.get("/v1/items/mug-red.png").json()["parts"] == []


def test_an_item_is_explained_by_each_picture(client: TestClient) -> None:
    """What each would be alone."""
    views = client.post("/v1/explain", json={"item_id": "set"}).json()["views"]
    assert [view["part_id"] for view in views] == ["set", "set#view=2"]
    assert all(view["label"] == "mug" for view in views)


def test_the_best_picture_decides_where_it_shall(client: TestClient) -> None:
    """The answer is that of the picture, which is named; an input of one picture has its own."""
    body = {
        "inputs": [{"text": "a mug"}, {"item_id": "set"}, {"item_id": "mug-red.png"}],
        "options": {"view_pooling": "best", "adapt": False},
    }
    text, item, red = client.post("/v1/classify", json=body).json()["results"]
    assert text["part_id"] == "a mug"
    assert item["part_id"] in ("set", "set#view=2")
    assert red["part_id"] == "mug-red.png"
    body["options"]["view_pooling"] = "mean"  # type: ignore[index]
    _, mean, alone = client.post("/v1/classify", json=body).json()["results"]
    assert mean["part_id"] is None
    scores = [result["predictions"][0]["score"] for result in (item, mean, red, alone)]
    assert scores[0] != pytest.approx(scores[1], abs=1e-6)
    assert scores[0] >= scores[2] - 1e-5  # the set's first picture is that one
    assert scores[2] == pytest.approx(scores[3], abs=1e-6)


def test_deleting_an_item_deletes_its_pictures(client: TestClient) -> None:
    """None of them is found or served any more."""
    assert client.delete("/v1/items/set").status_code == 204
    hits = client.post("/v1/search", json={"text": "a mug", "limit": 20}).json()["hits"]
    assert "set" not in {hit["item_id"] for hit in hits}
    assert client.get("/v1/pictures/set%23view=2").status_code == 404


def test_a_person_decides_once_for_all_pictures(
    client: TestClient, options: CatalogOptions
) -> None:
    """A verdict is of the item, and is stored on each of its rows."""
    (item,) = (
        one
        for one in client.get("/v1/review", params={"limit": 50}).json()["items"]
        if one["item_id"].startswith("set")
    )
    assert item["parts"] == ["set", "set#view=2"]
    verdict = {"item_id": "set", "verdict": "corrected", "label": "guitar"}
    assert client.post("/v1/review", json=verdict).json()["stored"]
    with open_catalog(options) as catalog:
        rows = catalog.items.fetch(["set", "set#view=2"])
    assert {row["label_id"] for row in rows.values()} == {"guitar"}


def test_the_estimator_takes_several_pictures_an_input(drawn: Path) -> None:
    """By the mean of their vectors; an input without a picture is refused."""
    classifier = ZeroShotClassifier("pocket").fit(["mug", "sneaker", "guitar"])
    pairs = [
        [str(drawn / f"{name}-{colour}.png") for colour in ("red", "blue")]
        for name in ("mug", "guitar")
    ]
    assert list(classifier.predict(pairs)) == ["mug", "guitar"]
    single = classifier.predict_proba([pair[0] for pair in pairs])
    assert classifier.predict_proba(pairs) != pytest.approx(single)
