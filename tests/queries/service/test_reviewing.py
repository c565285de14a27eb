"""What people say of labels: kept, shown at once, exported, and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    assert client.delete(f"/v1/items/{third['item_id']}").status_code == 204
    assert client.get("/v1/catalog").json()["reviewed"] == 2


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
    removed = client.delete("/v1/labels/laptop")
    assert removed.status_code == 200
    assert any("1 verdicts of people are of labels" in note for note in removed.json()["notes"])
    assert client.get("/v1/catalog").json()["reviewed"] == 1
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
        ({"item_id": "mug-red.png", "verdict": "withdrawn"}, 422),
        ({"item_id": "mug-red.png", "verdict": "accepted"}, 409),
    ],
)
def test_what_can_not_be_said(client: TestClient, said: dict[str, str], status: int) -> None:
    """No such item or label, a label missing or too much, none to accept."""
    answer = client.post("/v1/review", json=said)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


SHOWN = ("label_id", "label", "score", "status")


def stored(options: CatalogOptions, item_id: str) -> dict[str, Any]:
    """What the database and the record have of an item's decision; they agree."""
    with open_catalog(options) as catalog:
        (fields,) = catalog.items.fetch([item_id]).values()
        place = catalog.ledger.find([item_id])[item_id]
        decisions = catalog.decisions.read(place.shard)
        record = decisions[place.row] if decisions else None
    decision = {name: fields[name] for name in SHOWN}
    assert record is None or {name: getattr(record, name) for name in SHOWN} == decision
    return decision


@pytest.mark.usefixtures("labelled")
def test_what_is_taken_back_is_in_the_store_as_it_was(
    client: TestClient, options: CatalogOptions
) -> None:
    """Label, score and status, of the database and of the record; an earlier verdict first."""
    item_id = "mug-red.png"
    before, queue = stored(options, item_id), client.get("/v1/review").json()
    assert before["status"] == "review"
    given = {"item_id": item_id, "verdict": "corrected"}
    client.post("/v1/review", json=given | {"label": "laptop"})
    newest = client.post("/v1/review", json=given | {"label": "guitar"}).json()
    assert stored(options, item_id)["label"] == "guitar"
    named = {"item_id": item_id, "time": newest["time"]}
    answer = client.post("/v1/review/withdraw", json={"verdicts": [named]}).json()
    assert (answer["stored"], answer["results"][0]["error"]) == (True, None)
    assert stored(options, item_id)["label"] == "laptop"
    answer = client.post("/v1/review/withdraw", json={"verdicts": [named]}).json()
    assert "another one by now" in answer["results"][0]["error"]
    client.post("/v1/review/withdraw", json={"verdicts": [{"item_id": item_id}]})
    assert stored(options, item_id) == before
    assert client.get("/v1/review").json() == queue
    answer = client.post("/v1/review/withdraw", json={"verdicts": [{"item_id": item_id}]}).json()
    assert "nothing to take back" in answer["results"][0]["error"]
    told = client.get(f"/v1/items/{item_id}").json()["reviews"]
    assert [one["verdict"] for one in told] == ["corrected"] * 2 + ["withdrawn"] * 2


def test_an_item_without_a_decision_has_none_again(
    client: TestClient, options: CatalogOptions
) -> None:
    """A person labelled it before any categorization."""
    before = stored(options, "mug-red.png")
    given = {"item_id": "mug-red.png", "verdict": "corrected", "label": "mug"}
    client.post("/v1/review", json=given)
    assert stored(options, "mug-red.png")["label"] == "mug"
    client.post("/v1/review/withdraw", json={"verdicts": [{"item_id": "mug-red.png"}]})
    assert stored(options, "mug-red.png") == before
    assert not before["label"]


@pytest.mark.usefixtures("labelled")
def test_several_are_judged_at_once_and_one_that_is_refused_stops_no_other(
    client: TestClient, options: CatalogOptions
) -> None:
    """Each has a result; all are taken back at once."""
    before = {item_id: stored(options, item_id) for item_id in ("mug-red.png", "mug-blue.png")}
    verdicts = [
        {"item_id": "mug-red.png", "verdict": "accepted", "seen": "mug"},
        {"item_id": "guitar-red.png", "verdict": "accepted", "seen": "mug"},
        {"item_id": "mug-blue.png", "verdict": "corrected", "label": "laptop"},
    ]
    answer = client.post("/v1/review/several", json={"verdicts": verdicts}).json()
    assert answer["stored"]
    assert [bool(one["error"]) for one in answer["results"]] == [False, True, False]
    assert "look again" in answer["results"][1]["error"]
    labels = [stored(options, one["item_id"])["label"] for one in verdicts]
    assert labels == ["mug", "guitar", "laptop"]
    assert stored(options, "mug-red.png")["status"] == "confirmed"
    kept = [{"item_id": one["item_id"], "time": one["time"]} for one in answer["results"][::2]]
    client.post("/v1/review/withdraw", json={"verdicts": kept})
    assert {item_id: stored(options, item_id) for item_id in before} == before
    twice = client.post("/v1/review/several", json={"verdicts": [verdicts[0]] * 2})
    assert twice.status_code == 422


@pytest.mark.usefixtures("labelled")
def test_the_queue_is_of_some_categories_and_statuses(client: TestClient) -> None:
    """A branch means what is below it; figures are of the choice."""
    tree = [
        {"id": "kitchen", "name": "kitchen"},
        {"id": "mug", "name": "mug", "parent": "kitchen"},
        {"id": "kettle", "name": "kettle", "parent": "kitchen"},
    ]
    assert client.put("/v1/labels", json={"labels": tree}).status_code == 200
    everything = client.get("/v1/review").json()
    branch = client.get("/v1/review", params={"category": "kitchen"}).json()
    assert [one["label"] for one in branch["items"]] == ["mug", "mug"]
    wrong = sum(1 - one["score"] for one in branch["items"])
    assert branch["expected_wrong"] == pytest.approx(wrong, abs=1e-6)
    assert branch["expected_errors"] == pytest.approx(wrong / 2, abs=1e-6)
    assert not branch["calibrated"]
    two = client.get("/v1/review", params={"category": ["kitchen", "guitar"]}).json()
    assert (two["total"], two["doubtful"], two["reviewed"]) == (4, 4, 0)
    client.post("/v1/review", json={"item_id": "mug-red.png", "verdict": "accepted"})
    left = client.get("/v1/review", params={"category": "kitchen", "status": "review"}).json()
    assert (left["total"], left["reviewed"]) == (1, 1)
    sure = client.get("/v1/review", params={"status": ["accepted", "unknown"]}).json()
    assert (sure["total"], sure["items"], sure["expected_wrong"]) == (0, [], 0.0)
    assert client.get("/v1/review", params={"category": ""}).json()["total"] == 0
    assert client.get("/v1/review", params={"category": "chair"}).status_code == 400
    assert client.get("/v1/review", params={"status": "confirmed"}).status_code == 422
    assert client.get("/v1/review").json()["total"] == everything["total"] - 1
    paths = {
        one["label"]: one["path_ids"] for one in client.get("/v1/catalog").json()["categories"]
    }
    assert paths["mug"] == ["kitchen", "mug"]
    # The items of a removed label can be looked at.
    assert client.delete("/v1/labels/guitar").status_code == 200
    removed = client.get("/v1/review", params={"category": "guitar"}).json()
    assert [one["label_id"] for one in removed["items"]] == ["guitar", "guitar"]


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
