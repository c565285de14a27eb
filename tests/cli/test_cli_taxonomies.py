"""Shopify's and Google's taxonomies: one command builds their index; levels and back-off."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from shell import Shell

TAXONOMIES = {"google_product_taxonomy.txt": 5_000, "shopify_categories.txt": 10_000}
PICTURES = "clothing/hat"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=TAXONOMIES)
def shop(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    shared_data: Path,
    shared_models: Path,
) -> Shell:
    """A dozen photos and a whole taxonomy, by a small real model."""
    file = shared_data / "taxonomies" / request.param
    if not file.exists() or not (shared_data / PICTURES).is_dir():
        pytest.skip(f"needs {file.name} and {PICTURES} in ../shared/data")
    model = shared_models / "lit-mobilenetv2-tinybert"
    folder = tmp_path_factory.mktemp("taxonomy")
    shell = Shell(folder, in_process=True, model=model, device="cpu")
    shell("ingest", shared_data / PICTURES)
    prompts = ("--template", "a photo of a {label}.")  # one a label: what prompts do is no matter
    added = json.loads(shell("labels", "add", file, *prompts, "--output", "json").stdout)
    assert added[0]["added"] > TAXONOMIES[request.param]
    return shell


def categorized(shop: Shell, *options: object) -> list[dict[str, Any]]:
    """The rows that categorize writes, labels as the model has them; made once."""
    to = shop.folder / ("out" + "_".join(map(str, options)) + ".jsonl")
    if not to.exists():
        shop("categorize", "--to", to, "--no-adapt", *options)
    return [json.loads(line) for line in to.read_text().splitlines()]


def parts(row: dict[str, Any]) -> list[str]:
    """The names on a row's path."""
    return [name for name in row["path"].split(" > ") if name]


def test_leaves_decide_and_name_their_path(shop: Shell) -> None:
    """Every label has its path from the root, and ends in itself."""
    rows = categorized(shop)
    assert len(rows) >= 10
    assert all(parts(row)[-1] == row["label"] for row in rows)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_level_answers_at_that_level(shop: Shell, level: int) -> None:
    """No path is longer, and a parent is at least as probable as its best leaf."""
    leaves = {row["item_id"]: row for row in categorized(shop)}
    rows = categorized(shop, "--level", level)
    assert all(1 <= len(parts(row)) <= level for row in rows)
    for row in rows:
        leaf = leaves[row["item_id"]]
        assert row["score"] >= leaf["score"] - 1e-6
    assert len({row["path"] for row in rows}) > 1


def test_back_off_goes_up_as_far_as_it_must(shop: Shell) -> None:
    """What has a label has the probability; a lower threshold is more specific."""
    depths = []
    for threshold in (0.3, 0.6):
        rows = categorized(shop, "--back-off", threshold)
        assert all(row["score"] >= threshold - 1e-6 for row in rows if row["label"])
        assert {row["status"] for row in rows if row["label"]} <= {"accepted", "unknown"}
        depths.append(sum(len(parts(row)) for row in rows))
    assert depths[0] >= depths[1]


def test_a_single_picture_gets_the_level_of_the_bulk_job(shop: Shell, shared_data: Path) -> None:
    """Classify and categorize roll up alike."""
    rows = {row["item_id"]: row for row in categorized(shop, "--level", 2)}
    name, row = sorted(rows.items())[0]
    picture = shared_data / PICTURES / name
    told = shop("classify", picture, "--level", 2, "--limit", 1, "--no-adapt", "--output", "json")
    found = json.loads(told.stdout)[0][0]
    assert found["label_id"] == row["label_id"]
    assert found["score"] == pytest.approx(row["score"], abs=1e-3)


def test_the_top_level_has_few_labels(shop: Shell) -> None:
    """All of the runners-up are roots, each once."""
    row = categorized(shop, "--level", 1)[0]
    names = [row[name] for name in row if name.startswith("label_id")]
    assert max(Counter(names).values()) == 1
