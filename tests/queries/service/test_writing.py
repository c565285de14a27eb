"""Changes while a job runs: a review is kept at once, others are told when to come again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from indexer.catalog.corrections import Verdict
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.jobs.removal import remove_items
from queries.categorizing.categorize import categorize
from queries.review.corrections import store_verdict
from queries.service import writer as writing
from queries.service.app import create_app
from queries.service.jobs import Job, Jobs
from queries.service.settings import ServiceSettings


@pytest.fixture
def end(client: TestClient, options: CatalogOptions, tmp_path: Path) -> Iterator[threading.Event]:
    """Ends a job that holds the catalog of the client's service, with labels written back."""
    with open_catalog(options, write=True) as catalog:
        categorize(catalog, tmp_path / "out.parquet", write_back=True)
    begun, end = threading.Event(), threading.Event()

    def held(_: Job) -> dict[str, Any]:
        with open_catalog(options, write=True):
            begun.set()
            end.wait(300)
        return {}

    jobs: Jobs = client.app.state.jobs  # type: ignore[attr-defined]

    async def start() -> None:
        jobs.start("categorize", held)

    assert client.portal is not None
    client.portal.call(start)
    assert begun.wait(60)
    yield end
    end.set()


def label_of(client: TestClient, item_id: str) -> str:
    """As it is stored."""
    return str(client.get(f"/v1/items/{item_id}").json()["label"])


def wait_for_jobs(client: TestClient) -> None:
    """Until none waits or is under way, nor what waited for it."""
    under_way = {"queued", "running"}
    while any(job["state"] in under_way for job in client.get("/v1/jobs").json()["jobs"]):
        time.sleep(0.05)
    assert client.delete("/v1/items/laptop-red.png").status_code == 204


def test_a_review_is_kept_at_once_and_stored_after_the_job(
    client: TestClient, end: threading.Event
) -> None:
    """It counts for the queue and the export meanwhile; afterwards the item has it."""
    said = {"item_id": "mug-red.png", "verdict": "corrected", "label": "guitar"}
    answer = client.post("/v1/review", json=said)
    assert (answer.status_code, answer.json()["stored"]) == (200, False), answer.text
    assert "mug-red.png,guitar" in client.get("/v1/review/corrections").text
    assert label_of(client, "mug-red.png") == "mug"
    end.set()
    wait_for_jobs(client)
    assert label_of(client, "mug-red.png") == "guitar"
    again = client.post("/v1/review", json=said | {"label": "laptop"}).json()
    assert (again["stored"], again["before"]) == (True, "guitar")
    assert label_of(client, "mug-red.png") == "laptop"


def test_what_is_kept_survives_the_end_of_the_service(
    client: TestClient, end: threading.Event, options: CatalogOptions
) -> None:
    """A service that is told to stop ends its jobs, and then gives the items their labels."""
    said = {"item_id": "mug-red.png", "verdict": "rejected"}
    assert client.post("/v1/review", json=said).json()["stored"] is False
    threading.Timer(0.5, end.set).start()
    client.__exit__()
    with open_catalog(options) as catalog:
        assert catalog.items.fetch(["mug-red.png"])["mug-red.png"]["status"] == "confirmed"
    client.__enter__()


@pytest.mark.parametrize("then", ["a job", "a review"])
def test_what_another_process_kept_from_being_stored_is_stored_later(
    client: TestClient, options: CatalogOptions, then: str
) -> None:
    """The review is kept, and says that the item does not have it yet."""
    said = {"item_id": "mug-red.png", "verdict": "corrected", "label": "guitar"}
    with open_catalog(options, write=True):
        answer = client.post("/v1/review", json=said)
    assert (answer.status_code, answer.json()["stored"]) == (200, False), answer.text
    assert label_of(client, "mug-red.png") == ""
    if then == "a job":
        client.post("/v1/jobs/retry")
    else:
        other = said | {"item_id": "mug-blue.png"}
        assert client.post("/v1/review", json=other).json()["stored"] is True
    wait_for_jobs(client)
    assert label_of(client, "mug-red.png") == "guitar"


def test_what_a_killed_service_had_kept_is_stored_when_the_next_one_starts(
    options: CatalogOptions, settings: ServiceSettings
) -> None:
    """Also beside an item that has been taken out since."""
    with open_catalog(options) as catalog:
        for item_id in ("mug-red.png", "mug-blue.png"):
            store_verdict(catalog, item_id, Verdict.CORRECTED, label="guitar")
    remove_items(options, ["mug-blue.png"])
    with TestClient(create_app(options, settings), base_url="http://localhost") as client:
        assert client.delete("/v1/items/laptop-red.png").status_code == 204
        assert label_of(client, "mug-red.png") == "guitar"


@pytest.mark.usefixtures("end")
def test_other_changes_are_told_that_a_job_is_under_way(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its name and when to try again, rather than waiting for it."""
    monkeypatch.setattr(writing, "_PATIENCE_S", 0.1)
    label = {"labels": [{"name": "sofa"}]}
    items = {"items": [{"item_id": "a", "title": "a mug"}]}
    for answer in (
        client.put("/v1/labels", json=label),
        client.delete("/v1/labels/mug"),
        client.post("/v1/items", json=items),
        client.delete("/v1/items/mug-red.png"),
    ):
        assert answer.status_code == 503, answer.text
        assert answer.json()["type"] == "urn:zeroshelf:problem:busy"
        assert "(categorize) is under way" in answer.json()["detail"]
        assert answer.headers["Retry-After"] == "30"
    assert client.get("/v1/items/mug-red.png").status_code == 200
