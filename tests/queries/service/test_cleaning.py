"""Jobs that look for look-alikes and wrong labels, and the rows of their tables."""

from __future__ import annotations

import time
from typing import Any

from fastapi.testclient import TestClient


def ended(client: TestClient, job: dict[str, Any]) -> dict[str, Any]:
    """The job when it is over."""
    while job["state"] in {"queued", "running"}:
        time.sleep(0.05)
        job = client.get(f"/v1/jobs/{job['job_id']}").json()
    return job


def test_look_alikes_are_found_and_their_rows_are_read(client: TestClient) -> None:
    """With thresholds that make one group of all pictures; rows come page by page."""
    asked = {"near": 1.0, "product": 0.0}
    answer = client.post("/v1/jobs/duplicates", json=asked)
    assert answer.status_code == 202
    job = ended(client, answer.json())
    assert (job["state"], job["error"]) == ("done", "")
    assert job["report"]["items"] == 8
    path = f"/v1/jobs/{job['job_id']}/rows"
    rows = client.get(path).json()
    assert rows["total"] == len(rows["rows"]) == job["report"]["grouped"] > 1
    assert {row["kind"] for row in rows["rows"]} == {"centre", "variant"}
    second = client.get(path, params={"offset": 1, "limit": 1}).json()
    assert second["rows"] == rows["rows"][1:2]


def test_an_audit_that_can_not_be_made_says_why(client: TestClient) -> None:
    """Eight items are too few; a job that failed has no rows."""
    job = ended(client, client.post("/v1/jobs/audit", json={"truth": "folder"}).json())
    assert job["state"] == "failed"
    assert "folder" in job["error"] or "20 items" in job["error"]
    answer = client.get(f"/v1/jobs/{job['job_id']}/rows")
    assert answer.status_code == 409
    assert answer.json()["title"] == "No result"
    assert client.get("/v1/jobs/none/rows").status_code == 404


def test_options_are_checked(client: TestClient) -> None:
    """A cosine above 1 and an audit without a column are refused."""
    assert client.post("/v1/jobs/duplicates", json={"near": 2}).status_code == 422
    assert client.post("/v1/jobs/audit", json={}).status_code == 422
