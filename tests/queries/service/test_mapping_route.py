"""``/v1/jobs/map``: another taxonomy is sent, and its labels come out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from asking import inside
from fastapi.testclient import TestClient
from test_app import wait_for


def test_the_catalogs_labels_get_their_counterparts(client: TestClient, tmp_path: Path) -> None:
    """The client reads a label file of any kind; only its labels come out, with their paths."""
    file = tmp_path / "other.txt"
    file.write_text("1 - Home\n2 - Home > Coffee Mugs\n3 - Home > Guitars\n4 - Home > Laptops\n")
    rows = inside(client).map_labels(file, items=False)
    targets = {row["label_id"]: row["target_path"] for row in rows}
    assert targets["guitar"] == "Home > Guitars"
    assert targets["laptop"] == "Home > Laptops"
    assert {row["target_id"] for row in rows} <= {"1", "2", "3", "4", ""}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"labels": [{"id": "a", "name": "a", "parent": "b"}]}, "the labels of the request"),
        ({"labels": [{"name": "a"}], "label_set": "colour"}, "no label set 'colour'"),
    ],
)
def test_a_mapping_that_can_not_be_made_says_why(
    client: TestClient, asked: dict[str, Any], told: str
) -> None:
    """A parent that is not there, and a label set that is not."""
    job = wait_for(client, client.post("/v1/jobs/map", json=asked).json()["job_id"])
    assert job["state"] == "failed"
    assert told in job["error"]


def test_a_mapping_to_nothing_is_refused(client: TestClient) -> None:
    """One label at least."""
    assert client.post("/v1/jobs/map", json={"labels": []}).status_code == 422
