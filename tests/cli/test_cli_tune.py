"""``zeroshelf tune``: its table, its JSON, its refusals, and what search and status make of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import Shell, write_rows, write_vectors

COUNT = 400


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A catalog of 400 vectors with labels."""
    folder = tmp_path_factory.mktemp("shop")
    write_vectors(folder / "v.npy", COUNT)
    write_rows(folder / "items.jsonl", [{"id": f"i{row}", "title": ""} for row in range(COUNT)])
    (folder / "labels.csv").write_text("id,name\nm,mug\nc,cup\nb,bowl\n")
    write_vectors(folder / "l.npy", 3, seed=1)
    write_vectors(folder / "queries.npy", 30, seed=2)
    shell = Shell(folder, in_process=True)
    shell("ingest", "items.jsonl", "--vectors", "v.npy")
    shell("labels", "add", "labels.csv", "--vectors", "l.npy")
    return shell


def test_a_graph_is_built_measured_and_set(shop: Shell) -> None:
    """The table names each kind of query, and ``status`` tells what searches now do."""
    done = shop("tune", "--index", "hnsw", "--sample", 20)
    assert "HNSW over 400 items" in done.stdout
    assert "recall@10 items" in done.stdout
    assert "recall@10 labels" in done.stdout
    assert "Asked for 20 items, 3 labels. Searches now take ef" in done.stderr
    (row,) = shop.json("status")
    assert row["index"] == "HNSW"
    assert "measured on 400 items" in row["search"]


def test_a_quantized_graph_is_measured_with_its_refinement(shop: Shell) -> None:
    """Each number of candidates with each effort; searches then take the first that suffices."""
    found = shop.json("tune", "--index", "hnsw_sq", "--sample", 20)
    assert {rung["refine_k"] for rung in found["rungs"]} == {1, 2, 4}
    assert found["reached"]
    found = shop.json("tune", "--index", "HNSW_SQ", "--sample", 20, "--refine-k", 3)
    assert {rung["refine_k"] for rung in found["rungs"]} == {3}
    (row,) = shop.json("status")
    assert row["index"] == "HNSW_SQ"


def test_json_holds_everything(shop: Shell) -> None:
    """Rungs with their intervals, and what was chosen; vectors of a file are the queries."""
    found = shop.json("tune", "--index", "HNSW", "--queries", "queries.npy", "--limit", 5)
    assert found["reached"]
    assert found["queries"] == {"vectors": 30}
    chosen = [rung for rung in found["rungs"] if rung["effort"] == found["chosen"]]
    assert chosen[0]["recalls"]["vectors"]["recall"] >= found["target"] == 0.99
    assert all(0 < rung["median_ms"] <= rung["p95_ms"] for rung in found["rungs"])


def test_a_small_catalog_stays_exact(shop: Shell) -> None:
    """By itself the index goes back to what suits 400 items, and there is nothing to choose."""
    done = shop("tune", "--sample", 20)
    assert "FLAT is exact: there is nothing to choose" in done.stderr
    (row,) = shop.json("status")
    assert (row["index"], row["search"]) == ("FLAT", "exact")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--index", "SCANN"], "not known for Milvus Lite"),
        (["--queries", "none.txt"], "can't be read"),
        (["--queries", "none.npy"], "no such file"),
        (["--queries", "l2.npy"], "width"),
        (["--target-recall", "1.5"], "less than or equal to 1"),
        (["--index", "HNSW_SQ", "--sq-type", "SQ4U"], "has no indexes of four bits"),
        (["--index", "HNSW_SQ", "--refine-type", "FP16"], "has no refined indexes"),
        (["--index", "HNSW", "--refine-type", "FP16"], "--index HNSW_SQ"),
        (["--index", "HNSW_SQ", "--refine-k", "0"], "--refine-k"),
    ],
)
def test_wrong_usage_is_told(shop: Shell, words: list[str], told: str) -> None:
    """With the cause, and exit code 2."""
    write_vectors(shop.folder / "l2.npy", 3, width=5)
    assert told in shop("tune", *words, code=2).stderr


def test_what_people_type_is_asked(tmp_path: Path) -> None:
    """Lines are texts, or pictures where they name a file; bad ones are left out."""
    shell = Shell(tmp_path, in_process=True, model="pocket")
    rows = [{"id": f"i{row}", "text": f"a thing, number {row}"} for row in range(20)]
    write_rows(tmp_path / "items.jsonl", rows)
    shell("ingest", "items.jsonl", "--image-column", "none", "--text-column", "text")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "searches.txt").write_text("a red mug\n\na red mug\nsomething blue\nbroken.jpg\n")
    done = shell("tune", "--queries", "searches.txt", "--output", "json")
    assert '"texts": 2' in done.stdout
    assert "query left out: broken.jpg" in done.stderr
