"""Sounds over HTTP: labelled, explained, found, brought in, shown and played."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from asking import inside
from fastapi.testclient import TestClient
from PIL import Image
from sounds import RATE, tone, write, write_clap

from indexer.catalog.opening import CatalogOptions
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.labels import add_labels
from queries.service.app import create_app
from queries.service.settings import ServiceSettings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, two sounds and a catalog of them with labels."""
    folder = tmp_path_factory.mktemp("sounds")
    write(folder / "sounds" / "low.wav", tone(220, 4))
    write(folder / "sounds" / "long.flac", tone(880, 23))
    options = options_of(folder, write_clap(folder / "clap"))
    ingest(options, [str(folder / "sounds")], IngestOptions())
    (folder / "labels.txt").write_text("low bell\nhigh bell\nsiren\n")
    add_labels(options, str(folder / "labels.txt"))
    return folder


def options_of(folder: Path, model: Path) -> CatalogOptions:
    """Of the catalog in a folder."""
    return CatalogOptions(data_dir=folder / "data", model=str(model))


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    """A client of its service."""
    settings = ServiceSettings(decoders=1, request_timeout_s=120.0, max_sound_s=60.0)
    app = create_app(options_of(folder, folder / "clap"), settings)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def upload(path: Path) -> tuple[str, bytes]:
    """A file as a form has it."""
    return path.name, path.read_bytes()


def test_an_uploaded_sound_is_labelled_and_explained(client: TestClient, folder: Path) -> None:
    """By the mean of its windows, or by the best one, whose seconds are told."""
    long = upload(folder / "sounds" / "long.flac")
    answer = client.post("/v1/classify", files=[("pictures", long)])
    assert answer.status_code == 200, answer.text
    mean = answer.json()["results"][0]
    stored = client.post("/v1/classify", json={"inputs": [{"item_id": "long.flac"}]})
    expected = stored.json()["results"][0]["predictions"]
    assert [one["label"] for one in mean["predictions"]] == [one["label"] for one in expected]
    assert mean["predictions"][0]["score"] == pytest.approx(expected[0]["score"], abs=1e-4)
    best = client.post(
        "/v1/classify",
        files=[("pictures", long)],
        data={"options": json.dumps({"view_pooling": "best"})},
    ).json()["results"][0]
    assert best["part_id"] in {f"long.flac {place}" for place in PLACES}

    explained = client.post("/v1/explain", files=[("picture", long)]).json()
    assert [view["place"] for view in explained["views"]] == PLACES


PLACES = ["0:00-0:10", "0:10-0:20", "0:13-0:23"]


def test_a_sound_finds_sounds(client: TestClient, folder: Path) -> None:
    """Each once, with the place of its nearest window."""
    low = upload(folder / "sounds" / "low.wav")
    hits = client.post("/v1/search", files=[("picture", low)]).json()["hits"]
    assert {hit["item_id"] for hit in hits} >= {"low.wav", "long.flac"}
    assert hits[0]["item_id"] == "low.wav"
    assert hits[0]["similarity"] == pytest.approx(1, abs=1e-3)
    assert hits[0]["place"] == "0:00-0:04"
    assert hits[0]["kind"] == "sound"


def test_the_python_client_fetches_a_sound(
    client: TestClient, folder: Path, tmp_path: Path
) -> None:
    """As it was ingested, also by the id of a window."""
    (window, *_) = inside(client).item("long.flac").parts
    file = inside(client).download_sound(window, tmp_path / "new" / "long.flac")
    assert file.read_bytes() == (folder / "sounds" / "long.flac").read_bytes()


def test_a_sound_is_played_and_its_spectrogram_seen(client: TestClient, folder: Path) -> None:
    """The sound is the file; a window has a spectrogram of its own."""
    sound = client.get("/v1/sounds/long.flac")
    assert sound.headers["content-type"] == "audio/flac"
    assert sound.content == (folder / "sounds" / "long.flac").read_bytes()
    again = client.get("/v1/sounds/long.flac", headers={"if-none-match": sound.headers["etag"]})
    assert again.status_code == 304
    pictures = [
        client.get(f"/v1/pictures/{name}")
        for name in ("long.flac", "long.flac%23start=10", "low.wav")
    ]
    assert [picture.status_code for picture in pictures] == [200, 200, 200]
    assert len({picture.headers["etag"] for picture in pictures}) == 3
    with Image.open(io.BytesIO(pictures[0].content)) as image:
        assert image.size == (256, 128)
    assert "media-src 'self' blob:" in pictures[0].headers["content-security-policy"]
    assert client.get("/v1/sounds/none.wav").status_code == 404


def test_bad_sounds_and_pictures_are_refused_one_by_one(client: TestClient, folder: Path) -> None:
    """One that is none, one that is too long, a picture for a model of sounds."""
    picture = io.BytesIO()
    Image.new("RGB", (8, 8)).save(picture, "PNG")
    too_long = write(folder / "too-long.wav", np.zeros(61 * RATE, dtype=np.float32))
    files = [
        ("pictures", upload(folder / "sounds" / "low.wav")),
        ("pictures", ("bad.wav", b"RIFF0000WAVEjunk")),
        ("pictures", upload(too_long)),
        ("pictures", ("red.png", picture.getvalue())),
    ]
    results = client.post("/v1/classify", files=files).json()["results"]
    assert [bool(one["predictions"]) for one in results] == [True, False, False, False]
    for one, words in zip(results[1:], ("not a sound", "1:01", "sees no pictures"), strict=True):
        assert words in one["error"]


def test_a_sound_is_brought_in(client: TestClient, folder: Path) -> None:
    """With its windows; a bad one is told."""
    new = write(folder / "new.ogg", tone(330, 12))
    answer = client.post(
        "/v1/items",
        files=[("pictures", upload(new)), ("pictures", ("bad.wav", b"RIFF0000WAVEjunk"))],
        data={"items": json.dumps({"items": [{"item_id": "new"}, {"item_id": "bad"}]})},
    )
    assert answer.status_code == 200, answer.text
    errors = [one["error"] for one in answer.json()["results"]]
    assert errors[0] is None
    assert "not a sound" in errors[1]
    item = client.get("/v1/items/new").json()
    assert (item["kind"], item["parts"]) == ("sound", ["new", "new#start=2"])
    client.delete("/v1/items/new")
    assert client.get("/v1/items/new").status_code == 404
