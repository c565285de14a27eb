"""What people say of labels: kept, shown at once, exported, and explained."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from indexer.catalog.opening import CatalogOptions, open_catalog
from queries.categorizing.categorize import categorize
from queries.deciding.question import Question
from queries.deciding.settings import Settings


@pytest.fixture
def labelled(options: CatalogOptions, tmp_path: Path) -> None:
    """The catalog, categorized with write-back, and nothing sure enough to be accepted."""
    with open_catalog(options, write=True) as catalog:
        strict = Question(settings=Settings(min_score=1.0))
        categorize(catalog, tmp_path / "out.parquet", strict, write_back=True)


@pytest.mark.usefixtures("labelled")
def test_the_least_sure_come_first_and_leave_when_they_were_looked_at(client: TestClient) -> None:
    """Accepted, corrected and rejected; the item has the label, and the export says so."""
    queue = client.get("/v1/review").json()
    assert queue["total"] == 8
    assert queue["doubtful"] == 8
    wrong = [1 - one["score"] for one in queue["items"]]
    assert queue["expected_errors"] == pytest.approx(sum(wrong) / 8, abs=1e-6)
    first, second, third = queue["items"][:3]
    assert first["predictions"][0]["score"] >= first["predictions"][1]["score"]
    sent = [
        {"item_id": first["item_id"], "verdict": "accepted"},
        {"item_id": second["item_id"], "verdict": "corrected", "label": "guitar"},
        {"item_id": third["item_id"], "verdict": "rejected"},
    ]
    answers = [client.post("/v1/review", json=one) for one in sent]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[1].json()["before"] == second["label_id"]
    corrected = client.get(f"/v1/items/{second['item_id']}").json()
    assert (corrected["label"], corrected["status"]) == ("guitar", "confirmed")
    assert client.get(f"/v1/items/{third['item_id']}").json()["label"] == ""
    assert client.get("/v1/review").json()["total"] == 5
    rows = client.get("/v1/review/corrections").text.split("\r\n")
    assert rows == [
        "item_id,label_id", f"{first['item_id']},{first['label_id']}",
        f"{second['item_id']},guitar", "",
    ]  # fmt: skip
    glance = client.get("/v1/catalog").json()
    assert glance["reviewed"] == 3
    assert sum(one["items"] for one in glance["categories"]) == 8


@pytest.mark.usefixtures("labelled")
def test_what_a_person_said_outlives_the_next_categorization(client: TestClient) -> None:
    """A machine does not change a label that somebody has looked at."""
    said = {"item_id": "mug-red.png", "verdict": "corrected", "label": "laptop"}
    assert client.post("/v1/review", json=said).status_code == 200
    job_id = client.post("/v1/jobs/categorize", json={}).json()["job_id"]
    while client.get(f"/v1/jobs/{job_id}").json()["state"] in {"queued", "running"}:
        pass
    assert client.get("/v1/items/mug-red.png").json()["label"] == "laptop"
    other = client.get("/v1/items/mug-blue.png").json()
    assert (other["label"], other["status"]) == ("mug", "accepted")
    queue = client.get("/v1/review").json()
    assert (queue["total"], queue["doubtful"]) == (7, 0)


@pytest.mark.usefixtures("labelled")
def test_a_label_that_nobody_saw_is_not_accepted_and_one_that_is_gone_teaches_nothing(
    client: TestClient,
) -> None:
    """A page shows what was so a while ago."""
    said = {"item_id": "mug-red.png", "verdict": "accepted"}
    refused = client.post("/v1/review", json=said | {"seen": "guitar"})
    assert refused.status_code == 409, refused.text
    assert "look again" in refused.json()["detail"]
    assert client.get("/v1/review").json()["total"] == 8
    assert client.post("/v1/review", json=said | {"seen": "mug"}).status_code == 200
    said = {"item_id": "mug-blue.png", "verdict": "corrected", "label": "laptop"}
    assert client.post("/v1/review", json=said).status_code == 200
    assert client.delete("/v1/labels/laptop").status_code == 200
    rows = client.get("/v1/review/corrections").text.split("\r\n")
    assert rows == ["item_id,label_id", "mug-red.png,mug", ""]
    job_id = client.post("/v1/jobs/teach").json()["job_id"]
    while (job := client.get(f"/v1/jobs/{job_id}").json())["state"] in {"queued", "running"}:
        pass
    assert (job["state"], job["report"].get("removed_labels")) == ("done", 1), job["error"]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"item_id": "nobody", "verdict": "rejected"}, 409),
        ({"item_id": "mug-red.png", "verdict": "corrected", "label": "nothing"}, 400),
        ({"item_id": "mug-red.png", "verdict": "corrected"}, 422),
        ({"item_id": "mug-red.png", "verdict": "accepted", "label": "mug"}, 422),
        ({"item_id": "mug-red.png", "verdict": "accepted"}, 409),
    ],
)
def test_what_can_not_be_said(client: TestClient, said: dict[str, str], status: int) -> None:
    """No such item or label, a label missing or too much, none to accept."""
    answer = client.post("/v1/review", json=said)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.usefixtures("labelled")
def test_labels_are_explained(client: TestClient, drawn: Path) -> None:
    """A picture with the items near it, a text with its words, a stored item."""
    picture = drawn / "mug-red.png"
    files = {"picture": (picture.name, picture.read_bytes())}
    found = client.post("/v1/explain", files=files).json()
    assert found["winner"] == "mug"
    assert len(found["prompts"]) == 3
    assert found["neighbours"][0]["item_id"] == "mug-red.png"
    found = client.post("/v1/explain", json={"text": "a mug for coffee"}).json()
    assert max(found["words"], key=lambda one: one[1])[0] == "mug"
    assert client.post("/v1/explain", json={"item_id": "mug-red.png"}).json()["winner"] == "mug"
    assert client.post("/v1/explain", json={"item_id": "nobody"}).status_code == 400
