"""The service as a client sees it: real model, real Milvus Lite, real decoder processes."""

from __future__ import annotations

import io
import json
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from asking import when_ready
from fastapi.testclient import TestClient
from PIL import Image

from indexer.catalog.dead_letters import DeadLetters
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, Item, Kind
from queries.classify import Classifier
from queries.service.app import create_app
from queries.service.keys import KeyFile, Scope
from queries.service.settings import ServiceSettings

NAMES = ("mug", "sneaker", "laptop", "guitar")


def problem(answer: Any, status: int, kind: str) -> str:
    """The detail of a problem document that is as it should be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content = answer.json()
    assert content["type"] == f"urn:zeroshelf:problem:{kind}"
    assert content["status"] == status
    return str(content["detail"])


def upload(path: Path) -> tuple[str, bytes]:
    """A picture as a part of a form."""
    return path.name, path.read_bytes()


def wait_for(client: TestClient, job_id: str) -> dict[str, Any]:
    """The job once it is over."""
    for _ in range(600):
        job: dict[str, Any] = client.get(f"/v1/jobs/{job_id}").json()
        if job["state"] not in {"queued", "running"}:
            return job
        time.sleep(0.1)
    raise AssertionError(job)


def test_pictures_get_the_labels_that_the_library_gives(
    client: TestClient, drawn: Path, options: CatalogOptions
) -> None:
    """Several in a request; a bad one among them has an error of its own."""
    paths = [drawn / "mug-red.png", drawn / "guitar-blue.png"]
    files = [("pictures", upload(path)) for path in paths]
    files.insert(1, ("pictures", ("bad.jpg", b"no picture")))
    answer = client.post("/v1/classify", files=files, data={"options": '{"limit": 2}'})
    assert answer.status_code == 200, answer.text
    first, bad, last = answer.json()["results"]
    assert (first["input"], bad["input"], last["input"]) == (
        "mug-red.png", "bad.jpg", "guitar-blue.png",
    )  # fmt: skip
    assert "not a picture" in bad["error"]
    assert bad["predictions"] == []
    with open_catalog(options) as catalog:
        place = catalog.ledger.find(["mug-red.png"])["mug-red.png"]
        vector = catalog.archive.vector(place.shard, place.row)
        (expected,) = Classifier(catalog).classify(vector[None], limit=2)
    assert [one["label_id"] for one in first["predictions"]] == [one.label_id for one in expected]
    assert first["predictions"][0]["score"] == pytest.approx(expected[0].score, abs=1e-3)


def test_texts_and_stored_items_are_labelled(client: TestClient) -> None:
    """As JSON, with options."""
    asked = {
        "inputs": [{"text": "a coffee mug"}, {"item_id": "laptop-red.png"}],
        "options": {"labels": ["mug", "laptop"], "limit": 5},
    }
    answer = client.post("/v1/classify", json=asked)
    assert answer.status_code == 200, answer.text
    found = [one["predictions"] for one in answer.json()["results"]]
    assert [len(one) for one in found] == [2, 2]
    assert found[0][0]["label"] == "mug"


@pytest.mark.parametrize(
    ("asked", "status", "kind"),
    [
        ({}, 422, "validation"),
        ({"inputs": []}, 422, "validation"),
        ({"inputs": [{"text": "a", "url": "http://b"}]}, 422, "validation"),
        ({"inputs": [{"text": "a"}], "more": 1}, 422, "validation"),
        ({"inputs": [{"text": "a"}], "options": {"limit": 0}}, 422, "validation"),
        ({"inputs": [{"text": "  "}]}, 422, "unusable-input"),
        ({"inputs": [{"item_id": "nobody"}]}, 422, "unusable-input"),
        ({"inputs": [{"text": "a"}], "options": {"labels": ["nobody"]}}, 400, "bad-request"),
        ({"inputs": [{"url": "http://example.com/a.jpg"}]}, 403, "urls-disabled"),
        ({"inputs": [{"text": "a"}] * 9}, 413, "too-many"),
        ({"inputs": [{"text": "a" * 201}]}, 413, "too-large"),
    ],
)
def test_bad_requests_are_told_as_problems(
    client: TestClient, asked: dict[str, Any], status: int, kind: str
) -> None:
    """Each with its status, its type and a detail."""
    assert problem(client.post("/v1/classify", json=asked), status, kind)


def test_a_body_over_the_limit_is_refused(client: TestClient) -> None:
    """Announced or not."""
    problem(client.post("/v1/classify", content=b"x" * 2_000_001), 413, "too-large")
    chunks = (b"x" * 100_000 for _ in range(30))
    problem(client.post("/v1/classify", content=chunks), 413, "too-large")


def test_a_decompression_bomb_is_refused_from_its_header(client: TestClient) -> None:
    """A small file that claims a billion pixels."""
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "PNG")
    answer = client.post("/v1/classify", files=[("pictures", ("bomb.png", stream.getvalue()))])
    assert "400,000,000 pixels" in problem(answer, 422, "unusable-input")


def test_items_are_found_by_words_by_picture_and_by_likeness(
    client: TestClient, drawn: Path
) -> None:
    """An item is not among those like it, and no path of the machine is told."""
    answer = client.post("/v1/search", json={"text": "guitar", "limit": 2})
    assert [hit["item_id"].split("-")[0] for hit in answer.json()["hits"]] == ["guitar"] * 2
    assert str(drawn) not in answer.text
    files = {"picture": upload(drawn / "mug-red.png")}
    answer = client.post("/v1/search", files=files, data={"query": '{"limit": 1}'})
    assert answer.json()["hits"][0]["item_id"] == "mug-red.png"
    answer = client.post("/v1/search", json={"item_id": "mug-red.png", "limit": 7})
    ids = [hit["item_id"] for hit in answer.json()["hits"]]
    assert len(ids) == 7
    assert "mug-red.png" not in ids
    problem(client.post("/v1/search", json={}), 400, "bad-request")
    problem(client.post("/v1/search", json={"text": "a", "filter": "drop ("}), 400, "bad-request")


def test_labels_change_and_requests_see_it_at_once(client: TestClient) -> None:
    """A label that is added decides, and one that is taken out does not."""
    asked = {"inputs": [{"text": "a sofa"}], "options": {"limit": 1}}
    before = client.post("/v1/classify", json=asked).json()["results"][0]["predictions"][0]
    assert before["label"] != "sofa"
    added = client.put("/v1/labels", json={"labels": [{"name": "sofa", "synonyms": ["couch"]}]})
    assert added.json()["added"] == 1, added.text
    after = client.post("/v1/classify", json=asked).json()["results"][0]["predictions"][0]
    assert after["label"] == "sofa"
    listed = client.get("/v1/labels", params={"contains": "SOF"}).json()
    assert [one["name"] for one in listed["labels"]] == ["sofa"]
    assert client.delete("/v1/labels/sofa").json()["removed"] == 1
    again = client.post("/v1/classify", json=asked).json()["results"][0]["predictions"][0]
    assert again == before
    problem(client.delete("/v1/labels/sofa"), 400, "bad-request")


def test_items_come_and_go(client: TestClient, drawn: Path, options: CatalogOptions) -> None:
    """A hostile id is an id, not a path; a bad picture is told and leaves nothing."""
    hostile = "../../etc/passwd"
    before = Item(item_id=hostile, kind=Kind.PICTURE, source="/elsewhere/secret.png")
    DeadLetters(options.folder.dead_letters).add(
        Failure(item=before, stage=Stage.READ, reason=Reason.MISSING, message="gone", time="")
    )
    items = {"items": [{"item_id": hostile, "title": "<b>", "metadata": {"price": 3}},
                       {"item_id": "bad"}]}  # fmt: skip
    files = [("pictures", upload(drawn / "mug-red.png")), ("pictures", ("b.jpg", b"nothing"))]
    answer = client.post("/v1/items", files=files, data={"items": json.dumps(items)})
    assert answer.status_code == 200, answer.text
    good, bad = answer.json()["results"]
    assert good == {"item_id": hostile, "error": None}
    assert "not a picture" in bad["error"]
    stored = client.get("/v1/items/..%2F..%2Fetc%2Fpasswd")
    assert stored.json()["title"] == "<b>"
    assert stored.json()["metadata"] == {"price": 3}
    picture = client.get("/v1/pictures/..%2F..%2Fetc%2Fpasswd", params={"side": 64})
    assert Image.open(io.BytesIO(picture.content)).size == (64, 64)
    known = {"If-None-Match": picture.headers["ETag"]}
    again = client.get("/v1/pictures/..%2F..%2Fetc%2Fpasswd", params={"side": 64}, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    kept = [path for path in (options.data_dir / "uploads").rglob("*") if path.is_file()]
    assert len(kept) == 1
    assert client.delete("/v1/items/..%2F..%2Fetc%2Fpasswd").status_code == 204
    problem(client.get("/v1/items/..%2F..%2Fetc%2Fpasswd"), 404, "not-found")
    problem(client.get("/v1/items/bad"), 404, "not-found")


def test_jobs_ingest_and_categorize(client: TestClient, drawn: Path, tmp_path: Path) -> None:
    """A tar of pictures comes in, all items get labels, and the table is downloaded."""
    archive = tmp_path / "more.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(drawn / "mug-red.png", "extra/one.png")
    started = client.post("/v1/jobs/ingest", files={"archive": upload(archive)})
    assert started.status_code == 202, started.text
    ingested = wait_for(client, started.json()["job_id"])
    assert (ingested["state"], ingested["report"]["stored"]) == ("done", 1)
    job_id = client.post("/v1/jobs/categorize", json={}).json()["job_id"]
    done = wait_for(client, job_id)
    assert (done["state"], done["report"]["items"]) == ("done", 9)
    assert (done["stage"], done["done"], done["total"]) == ("Storing", 9, 9)
    table = client.get(f"/v1/jobs/{job_id}/result")
    assert table.content[:4] == b"PAR1"
    assert client.get("/v1/items/mug-red.png").json()["label"] == "mug"
    listed = client.get("/v1/jobs").json()["jobs"]
    assert [job["kind"] for job in listed] == ["categorize", "ingest"]
    problem(client.get(f"/v1/jobs/{started.json()['job_id']}/result"), 409, "no-result")
    problem(client.get("/v1/jobs/nobody"), 404, "not-found")


def test_it_tells_that_it_is_ready_and_what_it_did(client: TestClient) -> None:
    """For those who run it."""
    assert client.get("/healthz").json() == {"status": "ok"}
    assert when_ready(client).json() == {"status": "ok"}
    client.post("/v1/classify", json={"inputs": [{"text": "a mug"}]})
    counted = client.get("/metrics").text
    assert (
        'zeroshelf_requests_total{method="POST",route="/v1/classify",status="200"} 1.0' in counted
    )
    assert "zeroshelf_items 8.0" in counted
    assert 'zeroshelf_batch_size_count{kind="text"} 1.0' in counted


def test_other_sites_pages_get_nothing(client: TestClient) -> None:
    """Neither by their origin, nor by a name that was made to point here."""
    problem(client.get("/v1/labels", headers={"Origin": "https://evil.example"}), 403, "cross-site")
    problem(client.get("/v1/labels", headers={"Host": "evil.example"}), 403, "cross-site")
    assert client.get("/v1/labels", headers={"Origin": "http://localhost"}).status_code == 200


def test_answers_carry_the_headers_that_browsers_obey(client: TestClient) -> None:
    """Of every kind of answer."""
    for answer in (client.get("/healthz"), client.get("/nothing")):
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.fixture
def guarded(
    options: CatalogOptions, settings: ServiceSettings
) -> tuple[TestClient, dict[Scope, str]]:
    """A client of a service with a key of each scope, asked from elsewhere."""
    keys = KeyFile(options.data_dir)
    texts = {scope: keys.create(scope, scope) for scope in Scope}
    app = create_app(options, settings)
    return TestClient(app, base_url="http://shop.example"), texts


def test_keys_open_what_their_scope_allows(
    guarded: tuple[TestClient, dict[Scope, str]], options: CatalogOptions
) -> None:
    """Without a key nothing, with one to read no writing, and a revoked one at once nothing."""
    client, texts = guarded
    with client:
        read = {"Authorization": f"Bearer {texts[Scope.READ]}"}
        admin = {"X-API-Key": texts[Scope.ADMIN]}
        problem(client.get("/v1/labels"), 401, "unauthorized")
        problem(client.get("/v1/labels", headers={"X-API-Key": "zs_a_b"}), 401, "unauthorized")
        assert client.get("/v1/labels", headers=read).status_code == 200
        label = {"labels": [{"name": "sofa"}]}
        problem(client.put("/v1/labels", json=label, headers=read), 403, "forbidden")
        assert client.put("/v1/labels", json=label, headers=admin).status_code == 200
        assert client.get("/healthz").status_code == 200
        keys = KeyFile(options.data_dir)
        keys.revoke(keys.all()[0].key_id)
        problem(client.get("/v1/labels", headers=read), 401, "unauthorized")
