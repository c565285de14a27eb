"""A small catalog and the service of it, in this process."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from indexer.build import CatalogOptions
from indexer.flow import Flow
from indexer.jobs.ingest import IngestOptions, ingest
from indexer.jobs.labels import add_labels
from indexer.sample import draw, product_type
from queries.service.app import create_app
from queries.service.settings import ServiceSettings

NAMES = ("mug", "sneaker", "laptop", "guitar")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two pictures of each of four products."""
    folder = tmp_path_factory.mktemp("service") / "pictures"
    folder.mkdir()
    rng = random.Random(5)
    for name in NAMES:
        for colour in ("red", "blue"):
            picture = draw(product_type(name), colour=colour, size=128, rng=rng)
            picture.save(folder / f"{name}-{colour}.png")
    return folder


@pytest.fixture
def options(drawn: Path, tmp_path: Path) -> CatalogOptions:
    """A catalog of the drawn pictures with their four labels."""
    options = CatalogOptions(catalog="shop", data_dir=tmp_path / "data", model="pocket")
    ingest(options, [str(drawn)], IngestOptions(flow=Flow(workers=1, batch_size=8)))
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(NAMES))
    add_labels(options, str(labels))
    return options


@pytest.fixture
def settings() -> ServiceSettings:
    """Small limits, so that tests can exceed them."""
    return ServiceSettings(
        max_body=2_000_000, max_inputs=8, max_text=200, decoders=1, request_timeout_s=60.0
    )


@pytest.fixture
def client(options: CatalogOptions, settings: ServiceSettings) -> Iterator[TestClient]:
    """A client on this machine."""
    app = create_app(options, settings)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client
