"""zeroshelf reembed and rollback, and a divided catalog, as a user types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from shell import Shell

from indexer.encoder import PACKAGED_MODELS
from indexer.jobs.sample import write_shop

ITEMS = 24


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged model with its vectors turned in the space that both sides share."""
    folder = tmp_path_factory.mktemp("models") / "turned"
    shutil.copytree(PACKAGED_MODELS["pocket"], folder)
    (file,) = folder.rglob("*.safetensors")
    weights = load_file(file)
    names = [name for name in weights if name.endswith("_projection.weight")]
    assert len(names) == 2
    width = weights[names[0]].shape[0]
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(width, width)))[0]
    for name in names:
        weights[name] = (turn @ weights[name]).astype(weights[name].dtype)
    save_file(weights, file, metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A few products by the packaged model, divided by colour, with labels."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder / "shop")
    lines = (folder / "shop" / "products.csv").read_text().splitlines()
    (folder / "shop" / "few.csv").write_text("\n".join(lines[: ITEMS + 1]))
    shell = Shell(folder, in_process=True)
    shell("ingest", "shop/few.csv", "--model", "pocket", "--partition-key", "colour")
    (folder / "labels.txt").write_text("jacket\ncandle\nmug\nboot")
    shell("labels", "add", "labels.txt")
    return shell


def test_a_model_is_changed_and_gone_back_to(shop: Shell, other: Path) -> None:
    """The report says what became of the items; searches are by the model that counts."""
    before = shop.json("search", "a jacket", "--limit", 3)
    (report,) = shop.json("reembed", "--model", other, "--keep-old")
    assert (report["before"], report["model"]) == ("pocket", str(other))
    assert (report["items"], report["dead_letters"], report["recall"]) == (ITEMS, {}, 1.0)
    assert report["agreement"]["share"] > 0.9  # turned vectors decide alike, but for rounding
    (status,) = shop.json("status")
    assert status["model"] == str(other)
    assert "pocket (kept" in status["other_models"]
    after = shop.json("search", "a jacket", "--limit", 3)
    assert [one["item_id"] for one in after] == [one["item_id"] for one in before]
    again = shop("reembed", "--model", other)
    assert "is of model" in again.stderr
    refused = shop("search", "a jacket", "--model", "pocket", code=2)
    assert "holds vectors of" in refused.stderr
    back = shop("rollback")
    assert "pocket" in back.stdout
    assert shop.json("search", "a jacket", "--limit", 3) == before
    shop("rollback", "--forget")
    assert "no generation to go back to" in shop("rollback", code=1).stderr
    shop("rebuild", "--verify")


def test_a_partition_is_asked_for_by_its_name(shop: Shell) -> None:
    """search, categorize, export and classify --item; others are refused by name."""
    (status,) = shop.json("status")
    assert status["partitions"].endswith(" by colour")
    hits = shop.json("search", "a jacket", "--partition", "pink", "--limit", 50)
    assert hits
    assert {hit["metadata"]["colour"] for hit in hits} == {"pink"}
    shop("categorize", "--to", "pink.jsonl", "--partition", "pink")
    lines = (shop.folder / "pink.jsonl").read_text().splitlines()
    assert {json.loads(line)["item_id"] for line in lines} == {hit["item_id"] for hit in hits}
    assert f"Wrote {len(hits)} items" in shop("export", "--to", "o", "--partition", "pink").stderr
    item = hits[0]["item_id"]
    assert shop.json("classify", "--item", item, "--partition", "pink")[0]
    stray = shop("classify", "--item", item, "--partition", "white", code=2)
    assert "no such item of colour 'white'" in stray.stderr
    assert "such as: pink" in shop("search", "x", "--partition", "pnik", code=2).stderr
    assert "--item" in shop("classify", "x.jpg", "--partition", "pink", code=2).stderr
