"""The service while another model takes its catalog over, and with a divided catalog."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from two_models import HOW, NEW, OLD, Faked, draw

from indexer.jobs.ingest import ingest
from indexer.jobs.labels import add_labels
from indexer.jobs.reembed import reembed
from queries.service.app import create_app
from queries.service.engine import Engine
from queries.service.settings import ServiceSettings

HOST = "http://127.0.0.1"


@pytest.fixture
def shop(tmp_path: Path) -> Faked:
    """Pictures of three shops by the old model, with labels."""
    options = Faked(data_dir=tmp_path / "data", model=OLD)
    how = replace(HOW.ingest, partition_key="shop")
    ingest(options, [str(draw(tmp_path / "shop", range(30)))], how)
    (tmp_path / "labels.txt").write_text("mug\nboot\njacket\nlamp")
    add_labels(options, str(tmp_path / "labels.txt"))
    return replace(options, model=None)


def ask(client: TestClient) -> list[Any]:
    """A search and a classification, both by words."""
    hits = client.post("/v1/search", json={"text": "a mug", "limit": 5})
    labels = client.post("/v1/classify", json={"inputs": [{"text": "a mug"}]})
    assert hits.status_code == labels.status_code == 200, (hits.text, labels.text)
    return [hits.json(), labels.json()]


@pytest.mark.parametrize("path", ["/v1/search", "/v1/classify"])
def test_a_question_that_was_embedded_by_the_old_model_is_embedded_again(
    shop: Faked, settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """The other model takes over between embedding and searching; the answer is all its own."""
    name = "embed_queries" if path == "/v1/search" else "embed_texts"
    real = getattr(Engine, name)
    asked: list[str] = []

    async def embed(self: Engine, texts: Sequence[str]) -> Any:
        found = await real(self, texts)
        asked.extend(texts)
        if len(asked) == 1:
            await asyncio.to_thread(reembed, replace(shop, model=NEW), HOW)
        return found

    monkeypatch.setattr("indexer.jobs.reembed.READERS_PATIENCE_S", 0.1)
    question = {"/v1/search": {"text": "a mug", "limit": 5}}.get(
        path, {"inputs": [{"text": "a mug"}]}
    )
    with TestClient(create_app(shop, settings), base_url=HOST) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Engine, name, embed)
            during = client.post(path, json=question)
        assert during.status_code == 200, during.text
        assert asked == ["a mug", "a mug"]
        assert during.json() == client.post(path, json=question).json()
    assert shop.folder.fingerprint().model == NEW


def test_the_service_takes_the_new_model_without_a_restart(
    shop: Faked, settings: ServiceSettings
) -> None:
    """Answers before and after are those of a service that knows one model only."""
    with TestClient(create_app(shop, settings), base_url=HOST) as client:
        before = ask(client)
        reembed(replace(shop, model=NEW), replace(HOW, keep_old=True))
        after = ask(client)
        assert before != after
    with TestClient(create_app(shop, settings), base_url=HOST) as client:
        assert ask(client) == after


def test_a_job_after_the_new_model_came_has_that_model(
    shop: Faked, settings: ServiceSettings
) -> None:
    """Nobody has asked in between; labels that do not exclude each other need neutral texts."""
    with TestClient(create_app(shop, settings), base_url=HOST) as client:
        ask(client)
        reembed(replace(shop, model=NEW), replace(HOW, keep_old=True))
        job = client.post("/v1/jobs/categorize", json={"options": {"multi_label": True}}).json()
        while job["state"] in {"queued", "running"}:
            time.sleep(0.05)
            job = client.get(f"/v1/jobs/{job['job_id']}").json()
        assert (job["state"], job["error"]) == ("done", "")


def test_one_partition_is_searched(shop: Faked, settings: ServiceSettings) -> None:
    """And an unknown one is a problem that names others."""
    with TestClient(create_app(shop, settings), base_url=HOST) as client:
        asked = {"text": "a mug", "limit": 30, "partition": "shop 1"}
        hits = client.post("/v1/search", json=asked).json()["hits"]
        assert {hit["metadata"]["shop"] for hit in hits} == {"shop 1"}
        assert len(hits) == 10
        unknown = client.post("/v1/search", json=asked | {"partition": "shop 9"})
        assert unknown.status_code in range(400, 500)
        assert "such as: shop" in unknown.text
