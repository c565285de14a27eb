"""Ids, titles and metadata that try to be something else, in every command."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from shell import Shell, write_rows, write_vectors

HOSTILE = [
    "plain",
    "o'brien",
    'double "quoted"',
    "both ' and \"",
    "back\\slash",
    "ends with \\",
    "line\nbreak",
    "tab\tand\rreturn",
    "\N{GRINNING FACE} \N{MATHEMATICAL BOLD CAPITAL A}",
    "\u2028 \x85 \ufeff",
    "item_id != ''",
    "'] or item_id in ['plain",
    '"] or true or item_id in ["',
    "x' or 1 == 1 or 'y",
    "{ids}",
    "%",
    "a_b",
    "a%b",
    "--help",
    "-",
    "../../etc/passwd",
    "[bold red]markup[/]",
    "<script>alert(1)</script>",
    "=HYPERLINK(1)",
    " leading and trailing ",
    "null",
    "0",
    "\x01\x1b[31m",
    "é",
    "e\u0301",
    "z" * 2000,
]
LABELS = ["mu'g", 'cu"p\\', "] or true [\N{GRINNING FACE}"]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Items and labels of hostile ids, titles and metadata."""
    folder = tmp_path_factory.mktemp("hostile")
    write_vectors(folder / "v.npy", len(HOSTILE))
    write_rows(
        folder / "t.jsonl",
        [{"id": one, "title": one, one: one, "n": row} for row, one in enumerate(HOSTILE)],
    )
    write_rows(folder / "l.jsonl", [{"id": one, "name": one} for one in LABELS])
    write_vectors(folder / "l.npy", len(LABELS), seed=1)
    shell = Shell(folder, in_process=True)
    (report,) = shell.json("ingest", "t.jsonl", "--vectors", "v.npy")
    assert (report["stored"], report["dead_letters"]) == (len(HOSTILE), 0)
    shell("labels", "add", "l.jsonl", "--vectors", "l.npy")
    return shell


def test_every_row_is_there_as_it_was(hostile: Shell) -> None:
    """Database and archive agree on ids, titles and metadata, and a rebuild changes nothing."""
    hostile("rebuild", "--verify")
    hostile("rebuild")
    hostile("rebuild", "--verify")
    hostile("export", "--to", "out")
    (file,) = (hostile.folder / "out").glob("items-*")
    rows = {row["item_id"]: row for row in pq.read_table(file).to_pylist()}
    assert set(rows) == set(HOSTILE)
    for one in HOSTILE:
        assert (rows[one]["title"], json.loads(rows[one]["metadata"])[one]) == (one, one)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_categorize_names_every_item_as_it_is(hostile: Shell, suffix: str) -> None:
    """Whatever the format, ids and labels come back whole."""
    hostile("categorize", "--to", f"c.{suffix}", "--no-adapt", "--write-back", "--csv-raw")
    file = hostile.folder / f"c.{suffix}"
    if suffix == "parquet":
        rows = pq.read_table(file).to_pylist()
    elif suffix == "csv":
        with file.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    else:
        rows = [json.loads(line) for line in file.read_text().split("\n") if line]
    assert {row["item_id"] for row in rows} == set(HOSTILE)
    assert {row["label_id"] for row in rows} <= set(LABELS)


def test_listing_labels(hostile: Shell) -> None:
    """Machine formats give them back; the table does not read them as markup."""
    assert [row["label_id"] for row in hostile.json("labels", "list")] == LABELS
    assert "] or true [" in hostile("labels", "list").stdout


@pytest.mark.parametrize("label", LABELS)
def test_labels_are_chosen_by_hostile_names(hostile: Shell, label: str) -> None:
    """The restriction is that label, and nothing else."""
    hostile("categorize", "--to", "one.jsonl", "--labels", label)
    lines = (hostile.folder / "one.jsonl").read_text().split("\n")
    rows = [json.loads(line) for line in lines if line]
    assert {row["label_id"] for row in rows} == {label}


def test_a_removal_takes_out_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    """Each hostile id in turn: the count falls by one, and the rows match the archive."""
    write_vectors(tmp_path / "v.npy", len(HOSTILE))
    write_rows(tmp_path / "t.jsonl", [{"id": one} for one in HOSTILE])
    shell = Shell(tmp_path, in_process=True)
    shell("ingest", "t.jsonl", "--vectors", "v.npy")
    for left, one in zip(range(len(HOSTILE) - 1, 19, -1), HOSTILE[1:], strict=False):
        shell("remove", "--", one)
        (facts,) = shell.json("status")
        assert (facts["items"], facts["items_in_database"]) == (left, left)
    shell("rebuild", "--verify")


def test_hostile_dead_letters_are_tried_again(tmp_path: Path) -> None:
    """A letter's id survives the file, and what is mended is stored under it."""
    vectors = write_vectors(tmp_path / "v.npy", len(HOSTILE))
    good = vectors.copy()
    vectors[:] = np.nan
    np.save(tmp_path / "v.npy", vectors)
    write_rows(tmp_path / "t.jsonl", [{"id": one} for one in HOSTILE])
    shell = Shell(tmp_path, in_process=True)
    (report,) = shell.json("ingest", "t.jsonl", "--vectors", "v.npy", code=1)
    assert report["dead_letters"] == len(HOSTILE)
    np.save(tmp_path / "v.npy", good)
    (report,) = shell.json("retry")
    assert (report["stored"], report["dead_letters"]) == (len(HOSTILE), 0)
    assert not (shell.catalog / "dead_letters.jsonl").exists()
    shell("rebuild", "--verify")


def test_what_can_not_be_an_id_is_a_dead_letter(tmp_path: Path) -> None:
    """Empty, too long, of another type, half a surrogate pair; the good row is stored."""
    ids = ["good", "", None, "z" * 2049, "\N{GRINNING FACE}" * 513, ["a"], {"a": 1}, "\ud800", True]
    write_vectors(tmp_path / "v.npy", len(ids))
    write_rows(tmp_path / "t.jsonl", [{"id": one, "title": "t"} for one in ids])
    shell = Shell(tmp_path, in_process=True)
    (report,) = shell.json("ingest", "t.jsonl", "--vectors", "v.npy")
    assert (report["stored"], report["dead_by_reason"]) == (1, {"bad_id": len(ids) - 1})
    assert "bad_id" in shell("status").stdout


def test_an_address_longer_than_the_database_keeps_is_a_dead_letter(tmp_path: Path) -> None:
    """It does not block the shard that it would have come with."""
    write_vectors(tmp_path / "v.npy", 2)
    write_rows(tmp_path / "t.jsonl", [{"id": "a", "image": "x/" * 5000}, {"id": "b"}])
    shell = Shell(tmp_path, in_process=True)
    (report,) = shell.json("ingest", "t.jsonl", "--vectors", "v.npy")
    assert (report["stored"], report["dead_by_reason"]) == (1, {"bad_metadata": 1})


@pytest.mark.parametrize(
    "expression", ["item_id ==", "nothing == 1", "1; drop", "'", "item_id in ["]
)
def test_a_filter_that_is_none_is_refused(hostile: Shell, expression: str) -> None:
    """Wrong usage, with the filter in the message, and no table."""
    done = hostile("categorize", "--to", "f.csv", "--filter", expression, code=2)
    assert done.stderr.startswith("Error: filter")
    assert not (hostile.folder / "f.csv").exists()
