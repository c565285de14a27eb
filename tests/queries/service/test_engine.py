"""The opened catalog: kept as long as it holds, and one question's error is nobody else's."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from asking import when_ready
from fastapi.testclient import TestClient

from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.errors import ItemError, UsageError
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.core.records import FloatArray
from indexer.jobs.labels import remove_labels
from queries.deciding.question import Question
from queries.deciding.settings import Settings
from queries.service import pieces
from queries.service.engine import Engine
from queries.service.metrics import Metrics
from queries.service.settings import ServiceSettings


def test_reading_opens_the_catalog_once(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger's files come and go beside it: that is no change of the catalog."""
    assert when_ready(client).status_code == 200
    opened: list[str] = []

    def noting(options: CatalogOptions) -> Any:
        opened.append(options.catalog)
        return open_catalog(options)

    monkeypatch.setattr("queries.service.current_catalog.open_catalog", noting)
    for _ in range(2):
        for path in ("/metrics", "/v1/items/mug-red.png", "/v1/catalog", "/readyz"):
            assert client.get(path).status_code == 200
    assert opened == []


def test_the_model_is_at_hand_while_the_catalog_is_opened_anew(
    options: CatalogOptions, settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that runs in its own thread meanwhile asks for it; the generation stays known."""
    engine = Engine(options, settings, Metrics())
    seen: list[object] = []

    @contextmanager
    def looking(asked: CatalogOptions) -> Iterator[OpenCatalog]:
        seen.extend((engine.model(), engine._generation))
        with open_catalog(asked) as catalog:
            yield catalog

    async def ask() -> object:
        await engine.load()
        before = engine.model()
        remove_labels(options, ["mug"])
        with monkeypatch.context() as patch:
            patch.setattr("queries.service.current_catalog.open_catalog", looking)
            await engine.run(lambda catalog: catalog.label_set)
        assert engine.model() is before
        await engine.close()
        return before

    assert [asyncio.run(ask()), 1] == seen


def test_a_bad_question_fails_alone(options: CatalogOptions, settings: ServiceSettings) -> None:
    """Those that are answered in the same call are not told of it."""
    good = Question()
    bad = Question(settings=Settings(level=99))

    async def ask() -> list[Any]:
        engine = Engine(options, settings, Metrics())
        width = await engine.run(lambda catalog: catalog.fingerprint.width)
        vectors = np.eye(1, width, dtype=np.float32)
        wider = np.eye(1, width + 1, dtype=np.float32)
        found = await asyncio.gather(
            engine.classify(vectors, good),
            engine.classify(vectors, bad),
            engine.classify(wider, good),
            engine.classify(vectors, good),
            return_exceptions=True,
        )
        await engine.close()
        return found

    first, refused, older, last = asyncio.run(ask())
    assert first == last
    assert len(first[0]) == 4
    assert isinstance(refused, UsageError)
    assert "another model" in str(older)


def test_a_picture_that_cannot_be_prepared_fails_alone(
    options: CatalogOptions, settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures of other requests in the same forward pass get their vectors."""
    plain: Pixels = np.zeros((64, 64, 3), np.uint8)

    async def ask() -> list[Any]:
        engine = Engine(options, settings, Metrics())
        await engine.load()
        prepare = engine.model().prepare
        engine.model().embed_pictures([prepare(plain)])  # it prepares probes of its own once

        def refusing(pixels: Pixels) -> Any:
            if pixels is not plain:
                raise ItemError(Reason.NOT_A_PICTURE, "too thin")
            return prepare(pixels)

        monkeypatch.setattr(engine.model(), "prepare", refusing)
        found = await asyncio.gather(
            *(engine.embed_pictures([one]) for one in (plain, plain.copy(), plain)),
            return_exceptions=True,
        )
        await engine.close()
        return found

    first, refused, last = asyncio.run(ask())
    np.testing.assert_allclose(first, last, atol=1e-6)
    assert isinstance(refused, ItemError)


@pytest.mark.parametrize(("patience_s", "meanwhile"), [(math.inf, 1), (0.0, 3)])
def test_a_piece_waits_for_the_questions_of_others(
    options: CatalogOptions,
    settings: ServiceSettings,
    monkeypatch: pytest.MonkeyPatch,
    patience_s: float,
    meanwhile: int,
) -> None:
    """Another question comes during the first of three pieces, and takes long."""
    monkeypatch.setattr(pieces, "PATIENCE_S", patience_s)
    monkeypatch.setattr(pieces, "_LOOK_S", 0.0)
    monkeypatch.setattr(pieces, "MOST_IN_PIECE", 1)

    async def ask() -> tuple[int, int]:
        engine = Engine(options, settings, Metrics())
        await engine.load()
        loop, begun, end = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        pieces: list[object] = []
        others: list[asyncio.Task[bool]] = []

        async def other() -> bool:
            begun.set()
            return await end.wait()

        def begin() -> None:
            others.append(loop.create_task(engine.whole(other)))

        def embed(_: object, piece: object) -> FloatArray:
            if not pieces:
                loop.call_soon_threadsafe(begin)
            pieces.append(piece)
            return np.zeros((1, 1), np.float32)

        explaining = loop.create_task(
            engine.whole(lambda: engine.pieces.embed(["a", "b", "c"], embed))
        )
        await begun.wait()
        # Each waits in the engine's thread behind the piece before it, and a next piece that does
        # not wait is there before the next of these: no clock has a part in it.
        for _ in range(4):
            await engine.run(lambda _: None)
        seen = len(pieces)
        end.set()
        await asyncio.gather(explaining, *others)
        await engine.close()
        return seen, len(pieces)

    assert asyncio.run(ask()) == (meanwhile, 3)
