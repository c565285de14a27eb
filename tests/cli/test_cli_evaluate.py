"""The command ``evaluate``, as a user runs it: table, JSON, report, comparison, refusals."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from shell import Shell, write_rows, write_vectors

from queries.commands.sentences import MEASURES_IN_WORDS

COUNT = 30
LABELS = ["m", "c", "b"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A catalog of 30 vectors, every third without a truth, and a table of its labels."""
    folder = tmp_path_factory.mktemp("shop")
    write_vectors(folder / "v.npy", COUNT)
    rows = [
        {
            "id": f"i{row}",
            "title": f"item {row}",
            "truth": LABELS[row % 2] if row % 3 else None,
            "colour": "red" if row % 5 < 2 else "blue",
        }
        for row in range(COUNT)
    ]
    write_rows(folder / "items.jsonl", rows)
    (folder / "labels.csv").write_text("id,name\nm,mug\nc,cup\nb,bowl\n")
    write_vectors(folder / "l.npy", 3, seed=1)
    shell = Shell(folder, in_process=True)
    shell("ingest", "items.jsonl", "--vectors", "v.npy", "--partition-key", "colour")
    shell("labels", "add", "labels.csv", "--vectors", "l.npy")
    shell("categorize", "--to", "out.parquet", "--no-adapt")
    return shell


def test_a_table_for_people(shop: Shell) -> None:
    """Figures, and a table for each slice."""
    printed = shop("evaluate", "out.parquet", "--truth", "truth", "--slice", "colour").stdout
    assert "20 with a truth, 10 without a truth left out" in printed
    assert "95% interval" in printed
    assert "By colour" in printed
    assert "accuracy (top 1)" in printed
    assert "whole paths" not in printed  # the labels are flat
    assert not re.search(r"[a-z0-9]_[a-z0-9]", printed)  # the keys of the JSON
    measures = shop.json("evaluate", "out.parquet", "--truth", "truth")["measures"]
    assert measures.keys() == MEASURES_IN_WORDS.keys()


def test_confusions_and_the_files_written_are_printed(shop: Shell) -> None:
    """The most frequent pairs of labels, with their counts, as the JSON has them."""
    printed = shop("evaluate", "out.parquet", "--truth", "truth", "--to", "figures.json").stdout
    figures = json.loads((shop.folder / "figures.json").read_text())
    assert "figures.json" in printed
    first, *others = figures["confusions"]
    table = printed[printed.index("Confused most often") :]
    rows = [line.split("│")[1:-1] for line in table.splitlines() if line.startswith("│")]
    assert len(rows) == min(5, 1 + len(others))
    truth, given, items = map(str.strip, rows[0])
    names = figures["names"]
    assert (truth, given) == (names[first["truth_id"]], names[first["predicted_id"]])
    assert int(items) == first["items"]


def test_items_that_all_calibrate_are_not_called_left_out(shop: Shell) -> None:
    """Where every item was calibrated on, the table says so once and has one figure a row."""
    data = shop.folder / "data-of-calibrated"
    shutil.copytree(shop.folder / ".zeroshelf", data)
    shop("labels", "calibrate", "--truth", "truth", "--data-dir", data)
    printed = shop(
        "evaluate", "out.parquet", "--truth", "truth", "--include-taught", "--data-dir", data
    ).stdout
    assert "learnt from" in printed
    assert "the catalog has learnt from them" not in printed
    assert "with those left out" not in printed


def test_a_table_of_a_level_is_measured_at_that_level(tmp_path: Path) -> None:
    """The headline is the accuracy of the level's labels, and the level is printed."""
    write_vectors(tmp_path / "v.npy", COUNT)
    write_vectors(tmp_path / "l.npy", 6, seed=1)
    labels = [("k", ""), ("t", ""), ("m", "k"), ("c", "k"), ("s", "t"), ("b", "t")]
    truths = ("m", "c", "s", "b")
    write_rows(
        tmp_path / "items.jsonl",
        [{"id": f"i{row}", "title": "", "truth": truths[row % 4]} for row in range(COUNT)],
    )
    write_rows(
        tmp_path / "labels.jsonl", [{"id": i, "name": i, "parent": parent} for i, parent in labels]
    )
    shell = Shell(tmp_path, in_process=True)
    shell("ingest", "items.jsonl", "--vectors", "v.npy")
    shell("labels", "add", "labels.jsonl", "--vectors", "l.npy")
    shell("categorize", "--to", "top.jsonl", "--no-adapt", "--level", 1)
    parents = dict(labels)
    rows = [json.loads(line) for line in (tmp_path / "top.jsonl").read_text().splitlines()]
    right = [row["label_id"] == parents[truths[int(row["item_id"][1:]) % 4]] for row in rows]
    assert 0 < sum(right) < COUNT
    measured = shell.json("evaluate", "top.jsonl", "--truth", "truth")
    assert measured["level"] == 1
    assert measured["measures"]["acc1"] == pytest.approx(sum(right) / COUNT)
    printed = shell("evaluate", "top.jsonl", "--truth", "truth").stdout
    assert "2 of level 1, where truths are cut too" in " ".join(printed.split())


def test_without_a_table_it_categorizes_itself(shop: Shell) -> None:
    """The same figures as from the table, and nothing is left behind."""
    before = sorted(shop.folder.iterdir())
    given = shop.json("evaluate", "out.parquet", "--truth", "truth")
    made = shop.json("evaluate", "--truth", "truth", "--no-adapt")
    assert given == made
    assert sorted(shop.folder.iterdir()) == before


def test_a_missing_column_is_refused_before_items_are_categorized(shop: Shell) -> None:
    """Not after minutes of work; the error names what there is."""
    for option in (("--truth", "trueth"), ("--truth", "truth", "--slice", "trueth")):
        refused = shop("evaluate", *option, code=2).stderr
        assert f"no column 'trueth' for {option[-2]}" in refused
        assert "Did you mean 'truth'?" in refused
        assert "Categorizing" not in refused
    shop("evaluate", "--truth", "truth", "--slice", "status")


def test_a_value_for_unknowns_that_none_has_is_told(shop: Shell) -> None:
    """It may be misspelt."""
    told = shop("evaluate", "out.parquet", "--truth", "truth", "--unknown", "nune").stderr
    assert "--unknown 'nune': no item has this value in column 'truth'" in told


def test_a_partition_is_evaluated(shop: Shell) -> None:
    """Its items only; a table has no partitions but by --slice."""
    arguments = ("evaluate", "--truth", "truth", "--no-adapt")
    whole = shop.json(*arguments, "--slice", "colour")
    red = shop.json(*arguments, "--partition", "red")
    (group,) = [one for one in whole["slices"]["colour"] if one["name"] == "red"]
    assert (red["items"], red["measures"]["acc1"]) == (group["items"], group["acc1"])
    assert red["unlabelled"] == COUNT * 2 // 5 - red["items"]
    refused = shop("evaluate", "out.parquet", "--truth", "truth", "--partition", "red", code=2)
    assert "--slice" in refused.stderr


def test_an_explanation_keeps_to_a_partition(shop: Shell) -> None:
    """Its items and neighbours only, also of those that were taught; others are refused."""
    shop("labels", "teach", "--truth", "truth")
    arguments = ("explain", "--item", "i0", "--neighbours", COUNT)
    red = {f"i{row}" for row in range(COUNT) if row % 5 < 2} - {"i0"}

    def near(*more: str) -> set[str]:
        return {one["item_id"] for one in shop.json(*arguments, *more)["neighbours"]}

    taught = {f"i{row}" for row in range(COUNT) if row % 3}
    assert near("--partition", "red") == red & taught
    assert near() == taught
    shop("labels", "teach", "--forget")
    stray = shop("explain", "--item", "i2", "--partition", "red", code=2)
    assert "no item 'i2' of colour 'red'" in stray.stderr
    assert "such as: red" in shop("explain", "--item", "i0", "--partition", "rde", code=2).stderr


def test_written_files(shop: Shell, tmp_path: Path) -> None:
    """JSON with every item's outcome, and a report that is one file."""
    saved, report = tmp_path / "a.json", tmp_path / "a.html"
    shop("evaluate", "out.parquet", "--truth", "truth", "--to", saved, "--html", report)
    written = json.loads(saved.read_text())
    assert len(written["outcomes"]["item_ids"]) == 20
    assert written["measures"]["acc5"] == 1.0
    assert "<svg" in report.read_text()
    assert sorted(tmp_path.iterdir()) == [report, saved]


def test_compare(shop: Shell, tmp_path: Path) -> None:
    """The same labels differ in nothing; items of one alone are left out and said."""
    every, some = tmp_path / "every.json", tmp_path / "some.json"
    shop("evaluate", "out.parquet", "--truth", "truth", "--to", every)
    shop("evaluate", "--truth", "truth", "--filter", 'metadata["colour"] == "red"',
         "--no-adapt", "--to", some)  # fmt: skip
    done = shop("evaluate", "--compare", every, some, "--output", "json")
    found = json.loads(done.stdout)
    assert found["items"] == 8
    assert {one["difference"] for one in found["differences"]} == {0.0}
    assert f"12 items are only in {every}" in done.stderr


def test_a_file_sets_what_is_repeated(shop: Shell, tmp_path: Path) -> None:
    """Truth, unknown values and slices may stand in the configuration."""
    config = tmp_path / "z.yaml"
    config.write_text("evaluate: {truth: truth, unknown: [''], slice: [colour]}\n")
    found = shop.json("evaluate", "out.parquet", "--config", config)
    assert found["unknowns"] == 10
    assert [one["name"] for one in found["slices"]["colour"]] == ["blue", "red"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "say with --truth which column"),
        (["--truth", "price"], "no column 'price' for --truth"),
        (["none.parquet", "--truth", "truth"], "does not exist"),
        (["out.parquet", "--truth", "truth", "--filter", "x"], "--filter chooses items"),
        (["--truth", "truth", "--html", "no/such/a.html"], "folder 'no/such' does not exist"),
        (["--compare", "out.parquet", "labels.csv"], "is not JSON"),
    ],
)
def test_refusals(shop: Shell, arguments: list[str], told: str) -> None:
    """Wrong calls end with 2 and a remedy."""
    assert told in shop("evaluate", *arguments, code=2).stderr
