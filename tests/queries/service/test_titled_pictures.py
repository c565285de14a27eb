"""Pictures that come with a title: both decide, as in ``zeroshelf classify --title``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.labels import add_labels
from indexer.sources.decoding import Decoder
from queries import Classifier
from queries.service.app import create_app
from queries.service.settings import ServiceSettings

TITLE = "a guitar of dark wood"


@pytest.fixture
def titled(drawn: Path, tmp_path: Path) -> CatalogOptions:
    """A catalog whose items have titles."""
    rows = [f"{one.stem},{one},{one.stem.replace('-', ' ')}" for one in sorted(drawn.iterdir())]
    table = tmp_path / "products.csv"
    table.write_text("\n".join(["id,image,title", *rows]))
    options = CatalogOptions(catalog="shop", data_dir=tmp_path / "data", model="pocket")
    ingest(options, [str(table)], IngestOptions(sizes=PipelineSizes(workers=1, batch_size=8)))
    (tmp_path / "labels.txt").write_text("mug\nsneaker\nlaptop\nguitar")
    add_labels(options, str(tmp_path / "labels.txt"))
    return options


@pytest.fixture
def client(titled: CatalogOptions, settings: ServiceSettings) -> Iterator[TestClient]:
    """A client of its service."""
    app = create_app(titled, settings)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


def asked(client: TestClient, pictures: list[Path], **options: Any) -> Any:
    """What the service answers to uploads."""
    files = [("pictures", (one.name, one.read_bytes())) for one in pictures]
    return client.post("/v1/classify", files=files, data={"options": json.dumps(options)})


def scores(one: dict[str, Any]) -> dict[str, float]:
    """Scores of one result, by label."""
    return {row["label"]: row["score"] for row in one["predictions"]}


def test_a_title_decides_as_in_the_library(
    client: TestClient, titled: CatalogOptions, drawn: Path
) -> None:
    """Of two pictures one has a title; the other is scored as if alone."""
    pictures = [drawn / "mug-red.png", drawn / "laptop-blue.png"]
    both = asked(client, pictures, titles=[TITLE, ""]).json()["results"]
    alone = asked(client, pictures).json()["results"]
    with open_catalog(titled) as catalog:
        encoder = catalog.encoder
        pixels = Decoder(least_side=encoder.least_side).decode(pictures[0].read_bytes(), "mug")
        found = Classifier(catalog).classify(
            encoder.embed_pictures([encoder.prepare(pixels)]), titles=encoder.embed_texts([TITLE])
        )[0]
    assert scores(both[0]) == pytest.approx({one.label: one.score for one in found}, abs=1e-4)
    assert scores(both[0]) != pytest.approx(scores(alone[0]), abs=1e-2)
    assert scores(both[1]) == pytest.approx(scores(alone[1]), abs=1e-4)


def test_a_share_of_nothing_leaves_titles_out(client: TestClient, drawn: Path) -> None:
    """As --text-weight 0 does."""
    picture = [drawn / "mug-red.png"]
    without = asked(client, picture, titles=[TITLE], text_weight=0.0).json()["results"][0]
    alone = asked(client, picture).json()["results"][0]
    assert scores(without) == pytest.approx(scores(alone), abs=1e-4)


def test_titles_that_do_not_fit_are_refused(client: TestClient, drawn: Path) -> None:
    """One for each picture; none for texts and stored items."""
    answer = asked(client, [drawn / "mug-red.png"], titles=[TITLE, TITLE])
    assert answer.status_code == 422
    assert "2 titles for 1 pictures" in answer.json()["detail"]
    answer = client.post("/v1/classify", json={"inputs": [{"text": "a mug", "title": TITLE}]})
    assert answer.status_code == 422
    assert "a title is of a picture" in answer.json()["detail"]
    answer = asked(client, [drawn / "mug-red.png"], titles=["x" * 201])
    assert answer.status_code == 413
