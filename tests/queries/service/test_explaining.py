"""Explanations beside classifications: in pieces, between the questions of others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from starlette.requests import Request

from indexer.catalog.opening import CatalogOptions
from indexer.encoder import SentenceTransformerEncoder
from queries.service import disconnects, pieces
from queries.service.app import create_app
from queries.service.settings import ServiceSettings

PASSES = 182
"""One of the picture itself, and one for each square that is hidden."""


def form(picture: Path, heat_map: str) -> dict[str, Any]:
    """An upload with its options."""
    return {
        "files": {"picture": (picture.name, picture.read_bytes())},
        "data": {"options": json.dumps({"heat_map": heat_map})},
    }


def test_a_heat_map_comes_where_it_is_asked_for(client: TestClient, drawn: Path) -> None:
    """Of an upload and of a stored item alike; without asking there are the reasons alone."""
    picture = drawn / "mug-red.png"
    without = client.post("/v1/explain", **form(picture, "none")).json()
    assert (without["winner"], without["heat"]) == ("mug", None)
    for found in (
        client.post("/v1/explain", **form(picture, "occlusion")).json(),
        client.post("/v1/explain", json={"item_id": picture.name, "heat_map": "occlusion"}).json(),
    ):
        texts = [[one["text"] for one in answer["prompts"]] for answer in (found, without)]
        assert texts[0] == texts[1]
        assert len(found["heat"]["values"]) == len(found["heat"]["values"][0]) == 8
        assert max(map(max, found["heat"]["values"])) == 1.0
    answer = client.post("/v1/explain", **form(picture, "attention"))
    assert answer.status_code == 422


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each pass of the model has, one at a time for what is explained."""
    sizes: list[int] = []
    embed = SentenceTransformerEncoder.embed_pictures

    def noted(self: SentenceTransformerEncoder, pictures: Sequence[Any]) -> Any:
        sizes.append(len(pictures))
        return embed(self, pictures)

    monkeypatch.setattr(SentenceTransformerEncoder, "embed_pictures", noted)
    monkeypatch.setattr(pieces, "MOST_IN_PIECE", 1)
    return sizes


@asynccontextmanager
async def asking(options: CatalogOptions, settings: ServiceSettings) -> Any:
    """A client of a service that runs in the same loop, after it is warm."""
    app = create_app(options, settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
    ):
        while (await client.get("/readyz")).status_code == 503:
            await asyncio.sleep(0.05)
        yield client


def test_others_are_answered_while_a_heat_map_is_made(
    options: CatalogOptions, settings: ServiceSettings, drawn: Path, passes: list[int]
) -> None:
    """A classification that comes in the middle does not wait for the end."""
    picture = drawn / "mug-red.png"

    async def run() -> tuple[int, int]:
        async with asking(options, settings) as client:
            passes.clear()
            explaining = asyncio.create_task(
                client.post("/v1/explain", **form(picture, "occlusion"))
            )
            while len(passes) < 5:
                await asyncio.sleep(0)
            files = {"pictures": (picture.name, picture.read_bytes())}
            answer = await client.post("/v1/classify", files=files)
            assert answer.json()["results"][0]["predictions"][0]["label"] == "mug"
            at_answer = len(passes)
            assert not explaining.done()
            assert (await explaining).json()["heat"] is not None
            return at_answer, len(passes)

    at_answer, at_end = asyncio.run(run())
    assert at_answer < at_end
    assert at_end == PASSES + 2  # the uploads of both questions


def test_an_explanation_ends_with_its_client(
    options: CatalogOptions,
    settings: ServiceSettings,
    drawn: Path,
    passes: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What nobody waits for any more is not gone on with."""

    async def run() -> None:
        async with asking(options, settings) as client:
            passes.clear()

            async def gone_after_some(_: Request) -> bool:
                return len(passes) > 4

            monkeypatch.setattr(Request, "is_disconnected", gone_after_some)
            monkeypatch.setattr(disconnects, "_LOOK_S", 0.0)
            with pytest.raises(BaseException) as ended:  # noqa: PT011 (the transport's own)
                await client.post("/v1/explain", **form(drawn / "mug-red.png", "occlusion"))
            assert "Disconnect" in type(ended.value).__name__

    asyncio.run(run())
    assert len(passes) < PASSES
