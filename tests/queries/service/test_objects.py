"""``/v1/objects``: the things in a picture, their labels, and the items like each."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from shell import Shell

from indexer.catalog.opening import CatalogOptions
from indexer.core.object_options import ObjectOptions
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from queries import Client
from queries.results import PictureObject
from queries.service.app import create_app
from queries.service.settings import ServiceSettings

pytestmark = pytest.mark.usefixtures("coarse_grid")


@pytest.fixture(scope="session")
def scene(drawn: Path) -> bytes:
    """A red mug at the left and a blue guitar at the right, on white."""
    picture = Image.new("RGB", (340, 170), "white")
    for name, x in (("mug-red", 15), ("guitar-blue", 195)):
        picture.paste(Image.open(drawn / f"{name}.png"), (x, 20))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def look(client: TestClient, picture: bytes, status: int = 200, **query: Any) -> Any:
    """The answer to an upload."""
    files, data = {"picture": ("scene.png", picture)}, {"query": json.dumps(query)}
    answer = client.post("/v1/objects", files=files, data=data)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_things_come_with_labels_and_items(client: TestClient, scene: bytes) -> None:
    """Each in its box, and what is like it first."""
    found = look(client, scene, items=2, options={"limit": 1})
    assert (found["width"], found["height"], found["is_whole"]) == (340, 170, False)
    best = {thing["predictions"][0]["label"]: thing for thing in reversed(found["objects"])}
    assert {"mug", "guitar"} <= best.keys()
    assert best["mug"]["box"][0] < 170 < sum(best["guitar"]["box"][::2])
    assert best["mug"]["hits"][0]["item_id"].startswith("mug")
    assert best["guitar"]["hits"][0]["item_id"].startswith("guitar")
    assert all(len(thing["hits"]) == 2 for thing in found["objects"])


def test_limits_and_filters_hold(client: TestClient, scene: bytes) -> None:
    """So many things, so many items, and only what passes."""
    found = look(client, scene, max_objects=1, items=3, filter='item_id like "laptop%"')
    assert len(found["objects"]) == 1
    ids = [hit["item_id"] for hit in found["objects"][0]["hits"]]
    assert ids
    assert all(item_id.startswith("laptop") for item_id in ids)
    assert look(client, scene, items=0)["objects"][0]["hits"] == []


def test_the_whole_picture_stands_where_nothing_is_found(client: TestClient) -> None:
    """As on the command line."""
    buffer = io.BytesIO()
    Image.new("RGB", (12, 12), "grey").save(buffer, "PNG")
    found = look(client, buffer.getvalue())
    assert found["is_whole"]
    assert [thing["box"] for thing in found["objects"]] == [[0, 0, 12, 12]]


def test_what_can_not_be_used_is_refused(client: TestClient, scene: bytes) -> None:
    """With the cause."""
    assert "detail" in look(client, b"no picture", status=422)
    assert client.post("/v1/objects", json={}).status_code == 422
    look(client, scene, status=422, items=1_000)
    look(client, scene, status=400, filter="((")


def test_the_client_and_the_command_have_the_library_s_types(
    address: str, scene: bytes, tmp_path: Path
) -> None:
    """A picture as bytes, or as a file."""
    with Client(address) as client:
        found = client.objects(scene, items=1, options={"limit": 2})
    assert isinstance(found.objects[0], PictureObject)
    assert len(found.objects[0].predictions) == 2
    assert found.objects[0].hits[0].item_id
    (tmp_path / "scene.png").write_bytes(scene)
    shell = Shell(tmp_path, in_process=True, server=address)
    by_search = shell.json("search", "--image", "scene.png", "--objects", "--limit", 1)
    by_label = shell.json("classify", "scene.png", "--objects", "--limit", 2)[0]
    boxes = [list(thing.box) for thing in found.objects]
    assert [thing["box"] for thing in by_search["objects"]] == boxes
    assert [thing["box"] for thing in by_label["objects"]] == boxes
    refused = shell("search", "--image", "scene.png", "--objects", "--detector", "x", code=2)
    assert "of the service" in " ".join(refused.stderr.split())


def test_a_thing_s_picture_is_its_box(
    options: CatalogOptions, settings: ServiceSettings, scene: bytes, tmp_path: Path
) -> None:
    """Of an item with boxes each part has its own crop."""
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "room.png").write_bytes(scene)
    sizes = PipelineSizes(workers=1, batch_size=8)
    how = IngestOptions(sizes=sizes, objects=ObjectOptions())
    report = ingest(options, [str(tmp_path / "scenes")], how)
    assert report.boxes >= 2
    app = create_app(options, settings)
    with TestClient(app, base_url="http://localhost") as client:
        hits = client.post("/v1/search", json={"text": "a guitar", "limit": 20}).json()["hits"]
        hit = next(hit for hit in hits if hit["item_id"] == "room.png")
        assert hit["part"]["box"][0] > 100
        for part_id, is_square in ((hit["part_id"], True), ("room.png", False)):
            answer = client.get(f"/v1/pictures/{quote(part_id, safe='')}")
            assert answer.status_code == 200
            width, height = Image.open(io.BytesIO(answer.content)).size
            assert (width == height) == is_square
            assert answer.headers["X-Picture-Size"] == "340x170"
        body = {"inputs": [{"item_id": "room.png"}, {"item_id": "mug-red.png"}]}
        scene_answer, single = client.post("/v1/classify", json=body).json()["results"]
        assert scene_answer["part_id"].startswith("room.png#box=")
        assert single["part_id"] is None
        why = {"item_id": "room.png", "heat_map": "occlusion"}
        explained = client.post("/v1/explain", json=why).json()
        views = {view["part_id"]: view for view in explained["views"]}
        x, _, width, _ = views[explained["deciding"]]["box"]
        assert explained["deciding"] == scene_answer["part_id"]
        assert explained["heat"]["left"] == pytest.approx(x / 340, abs=0.01)
        assert explained["heat"]["right"] == pytest.approx((x + width) / 340, abs=0.01)
