"""Videos over HTTP: a hit with its seconds, a frame of each shot, ranges of the file."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from indexer.catalog.opening import CatalogOptions
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from pocket.clips import write_clip


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Three scenes of four seconds."""
    path = tmp_path / "clips" / "three.mp4"
    path.parent.mkdir()
    write_clip(path, rate=10, size=128)
    return path


@pytest.fixture
def options(options: CatalogOptions, clip: Path) -> CatalogOptions:
    """The catalog of pictures with a video."""
    ingest(options, [str(clip.parent)], IngestOptions())
    return options


def test_a_search_finds_the_shot(client: TestClient) -> None:
    """With its seconds and a frame of it."""
    hits = client.post("/v1/search", json={"text": "a brown guitar", "limit": 20}).json()["hits"]
    (found,) = (hit for hit in hits if hit["item_id"] == "three.mp4")
    assert (found["kind"], found["part_id"]) == ("video", "three.mp4#start=8")
    assert (found["part"]["start"], found["part"]["end"]) == (8, 12)
    assert found["parts"] == ["three.mp4", "three.mp4#start=4", "three.mp4#start=8"]
    frames = []
    for part in found["parts"]:
        answer = client.get(f"/v1/pictures/{part.replace('#', '%23')}?side=64")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
        frames.append(np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"), float))
    assert frames[0].shape == (64, 64, 3)
    assert min(np.abs(frames[0] - frames[1]).mean(), np.abs(frames[1] - frames[2]).mean()) > 10


def test_a_video_is_served_in_ranges(client: TestClient, clip: Path) -> None:
    """A player jumps to where a shot begins without reading what comes before."""
    content = clip.read_bytes()
    whole = client.get("/v1/videos/three.mp4%23start=4")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "video/mp4")
    assert whole.content == content
    some = client.get("/v1/videos/three.mp4", headers={"range": "bytes=100-299"})
    assert (some.status_code, some.content) == (206, content[100:300])
    assert client.get("/v1/videos/mug-red.png").status_code == 404
    clip.unlink()
    assert client.get("/v1/videos/three.mp4").status_code == 404
    assert client.get("/v1/pictures/three.mp4").status_code == 404


def test_a_video_in_a_request_is_refused_with_what_to_do(client: TestClient, clip: Path) -> None:
    """It is not taken for a broken picture."""
    files = [("pictures", ("three.mp4", clip.read_bytes(), "video/mp4"))]
    items = {"items": json.dumps({"items": [{"item_id": "new"}]})}
    answer = client.post("/v1/items", data=items, files=files)
    assert "videos do not come in requests: run zeroshelf ingest" in answer.text
    assert client.get("/v1/items/new").status_code == 404
