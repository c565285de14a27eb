"""A service is ready when all that requests ask for has been done once."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Sized
from pathlib import Path

import numpy as np
import pytest
from asking import when_ready
from fastapi.testclient import TestClient
from PIL import Image

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.encoder import SentenceTransformerEncoder
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.sources.decoding import Decoder
from queries.classify import Classifier
from queries.deciding.question import Question
from queries.service import warm_up as warming
from queries.service.app import create_app
from queries.service.batching import QueueFullError
from queries.service.engine import Engine
from queries.service.metrics import Metrics
from queries.service.settings import ServiceSettings
from queries.service.warm_up import batch_sizes


def test_ready_means_that_everything_was_used(
    options: CatalogOptions, settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts, pictures one by one and in full batches, decoders and labels."""
    used: list[str] = []

    def noted(kind: type, name: str) -> None:
        real = getattr(kind, name)

        def noting(self: object, inputs: Sized, **how: object) -> object:
            used.append(f"{name} {len(inputs)}")
            return real(self, inputs, **how)

        monkeypatch.setattr(kind, name, noting)

    noted(SentenceTransformerEncoder, "embed_texts")
    noted(SentenceTransformerEncoder, "embed_pictures")
    noted(Classifier, "classify")
    app = create_app(options, settings)
    with TestClient(app, base_url="http://localhost") as client:
        assert when_ready(client).status_code == 200
        pictures = [f"embed_pictures {size}" for size in (1, 2, 4, 8, 16, 32)]
        assert used == ["embed_texts 1", *pictures, "classify 1"]
        assert [one.name for one in multiprocessing.active_children()] == ["pebble_pool_worker"]


def test_warming_waits_where_requests_came_first_and_ends_whatever_happens(
    options: CatalogOptions, settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it raised would be told to everyone who asks whether the service is ready."""
    tried: list[str] = []

    async def full_at_first(_: Engine) -> None:
        tried.append("full")
        if len(tried) < 3:
            raise QueueFullError

    async def failing(_: Engine) -> None:
        tried.append("failing")
        raise RuntimeError("broken")

    async def last(_: Engine) -> None:
        tried.append("last")

    monkeypatch.setattr(warming, "_PAUSE_S", 0.0)
    for name, step in (("_texts", full_at_first), ("_pictures", failing), ("_labels", last)):
        monkeypatch.setattr(warming, name, step)
    asyncio.run(warming.warm(Engine(options, settings, Metrics())))
    assert tried == ["full", "full", "full", "failing", "last"]


def test_batches_are_prepared_for_up_to_the_largest() -> None:
    """A size between two of them takes what was prepared for one."""
    assert batch_sizes(1) == [1]
    assert batch_sizes(24) == [1, 2, 4, 8, 16, 24]
    assert batch_sizes(32) == [1, 2, 4, 8, 16, 32]


def test_a_catalog_without_labels_gets_ready(
    drawn: Path, tmp_path: Path, settings: ServiceSettings
) -> None:
    """Searches are answered; who classifies is told what is missing."""
    options = CatalogOptions(catalog="bare", data_dir=tmp_path / "data", model="pocket")
    ingest(options, [str(drawn)], IngestOptions())
    with TestClient(create_app(options, settings), base_url="http://localhost") as client:
        assert when_ready(client).status_code == 200
        assert client.post("/v1/search", json={"text": "a mug"}).json()["hits"]
        answer = client.post("/v1/classify", json={"inputs": [{"text": "a mug"}]})
        assert (answer.status_code, "labels add" in answer.text) == (409, True)


def test_photos_are_decoded_as_those_of_the_catalog(
    options: CatalogOptions, settings: ServiceSettings, tmp_path: Path
) -> None:
    """A large JPEG at a fraction of its size: the same vector as ``ingest`` gives it."""
    noise = np.random.default_rng(0).integers(0, 256, (1_500, 1_800, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.jpg")
    content = (tmp_path / "photo.jpg").read_bytes()
    with open_catalog(options) as catalog:
        encoder = catalog.encoder
        pixels = Decoder(least_side=encoder.least_side).decode(content, "photo")
        assert pixels.shape < noise.shape
        expected = encoder.embed_pictures([encoder.prepare(pixels)])

    async def embedded() -> np.ndarray:
        engine = Engine(options, settings, Metrics())
        found = await engine.embed_pictures([await engine.decode(content, "photo")])
        await engine.classify(found, Question())
        await engine.close()
        return found

    np.testing.assert_allclose(asyncio.run(embedded()), expected, atol=1e-6)
