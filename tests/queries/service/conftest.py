"""A small catalog and the service of it, in this process."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from asking import when_ready
from fastapi.testclient import TestClient
from shell import SCRIPT
from warm import WarmProcess

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.labels import add_labels
from pocket.drawing import draw, product_type
from queries.categorizing.categorize import categorize
from queries.deciding.question import Question
from queries.deciding.settings import Settings
from queries.service import writer as writing
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


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that nothing holds up is carried out, however busy the machine is."""
    monkeypatch.setattr(writing, "_PATIENCE_S", 60.0)


@pytest.fixture(scope="session")
def made(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the catalog that each test gets a copy of."""
    folder = tmp_path_factory.mktemp("made")
    options = CatalogOptions(catalog="shop", data_dir=folder / "data", model="pocket")
    ingest(options, [str(drawn)], IngestOptions(sizes=PipelineSizes(workers=1, batch_size=8)))
    labels = folder / "labels.txt"
    labels.write_text("\n".join(NAMES))
    add_labels(options, str(labels))
    return options.data_dir


@pytest.fixture
def options(made: Path, tmp_path: Path) -> CatalogOptions:
    """A catalog of the drawn pictures with their four labels."""
    shutil.copytree(made, tmp_path / "data")
    return CatalogOptions(catalog="shop", data_dir=tmp_path / "data", model="pocket")


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


@pytest.fixture(scope="session")
def categorized(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a categorized catalog, with a hostile title in it; not to be changed."""
    folder = tmp_path_factory.mktemp("page")
    table = folder / "products.csv"
    rows = [f"{path.stem},{path},{path.stem.replace('-', ' ')}" for path in sorted(drawn.iterdir())]
    rows[0] = rows[0].rsplit(",", 1)[0] + ",<img src=x onerror=alert(1)>"
    table.write_text("\n".join(["id,image,title", *rows]))
    options = CatalogOptions(catalog="shop", data_dir=folder / "data", model="pocket")
    ingest(options, [str(table)], IngestOptions(sizes=PipelineSizes(workers=1, batch_size=8)))
    (folder / "labels.txt").write_text("mug\nsneaker\nlaptop\nguitar\nteapot")
    add_labels(options, str(folder / "labels.txt"))
    (folder / "colours.txt").write_text("red\nblue")
    add_labels(options.of_set("colour"), str(folder / "colours.txt"))
    with open_catalog(options, write=True) as catalog:
        strict = Question(settings=Settings(min_score=1.0))
        sets = ["category", "colour"]
        categorize(catalog, folder / "out.parquet", strict, sets=sets, write_back=True)
    return options.data_dir


@pytest.fixture(scope="session")
def address(categorized: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service process of the categorized catalog, for tests that change nothing in it."""
    with served_copy(categorized, tmp_path_factory.mktemp("served")) as url:
        yield url


@pytest.fixture(scope="module")
def own_address(categorized: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Likewise, for a module whose tests change the catalog, or try to break the service."""
    with served_copy(categorized, tmp_path_factory.mktemp("served")) as url:
        yield url


@contextmanager
def served_copy(data: Path, folder: Path) -> Iterator[str]:
    """A service of a copy, by its address; it ends with the block, whatever happens in it."""
    shutil.copytree(data, folder / "data")
    command = [
        SCRIPT, "serve", "--port", 0, "--catalog", "shop", "--data-dir", folder / "data",
        "--decoders", 1, "--request-timeout", 300,
    ]  # fmt: skip
    with (folder / "told.txt").open("w+") as told:
        process = WarmProcess(command, cwd=folder, stderr=told)
        try:
            while not (url := re.search(r"http://\S+", (folder / "told.txt").read_text())):
                assert process.poll() is None, "the service did not start"
                time.sleep(0.02)
            with httpx.Client(base_url=url[0], timeout=300) as client:
                assert when_ready(client).status_code == 200
            yield url[0]
        finally:
            process.terminate()
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
