"""Tables by the commands that read them: types that are kept, vectors in a column, messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from shell import Shell

Table = Callable[..., Path]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A working folder with two pictures."""
    (tmp_path / "pics").mkdir()
    for number in range(2):
        Image.new("RGB", (8, 8), (99 * number, 9, 9)).save(tmp_path / "pics" / f"{number}.png")
    return Shell(tmp_path, in_process=True, model="pocket")


def table(shell: Shell, *values: str, name: str = "t.csv", column: str = "gtin") -> Path:
    """A CSV file with one value a row."""
    lines = [f"{number},pics/{number}.png,{value}" for number, value in enumerate(values)]
    path = shell.folder / name
    path.write_text("\n".join([f"id,image,{column}", *lines]) + "\n")
    return path


def test_next_week_keeps_the_types(shell: Shell) -> None:
    """A column is what it was: a file that differs is refused by name, until its type is said."""
    shell("ingest", table(shell, "4006381333931", "4006381333948"))
    told = shell("ingest", table(shell, "4006381333931", "0012345678905"), code=2).stderr
    assert "'gtin' is of the type number in the catalog" in told
    assert "t.csv#3 says '0012345678905'" in told
    assert "--column-type gtin:text" in told
    done = shell("ingest", shell.folder / "t.csv", "--column-type", "gtin:text")
    assert "was of the type number" in done.stderr
    hits = shell.json("search", "red", "--filter", 'metadata["gtin"] == "0012345678905"')
    assert [hit["item_id"] for hit in hits] == ["1"]
    shell("ingest", table(shell, "1", "2"))  # numbers are texts from now on
    hits = shell.json("search", "red", "--filter", 'metadata["gtin"] == "1"')
    assert [hit["item_id"] for hit in hits] == ["0"]


def test_what_helps_a_row_that_can_not_be_read(shell: Shell) -> None:
    """The summary says that trying again does not, and then trying again says the same."""
    told = shell("ingest", table(shell, "a", "b,c")).stderr
    assert "correct their table, and ingest it again" in " ".join(told.split())
    assert "1 were left alone" in shell("retry").stderr
    assert "correct their table" not in shell("ingest", table(shell, "a", "bc")).stderr


def test_vectors_in_a_column(shell: Shell) -> None:
    """A catalog of the vectors of a table; a bad one is a dead letter that can be retried."""
    vectors = np.random.default_rng(0).normal(size=(3, 8)).astype(np.float32)
    vectors[1] = 0
    rows = [{"id": str(n), "emb": list(vector), "size": n} for n, vector in enumerate(vectors)]
    path = shell.folder / "v.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    report = shell.json("ingest", path, "--vector-column", "emb")[0]
    assert (report["stored"], report["dead_by_reason"]) == (2, {"bad_vector": 1})
    letter = json.loads((shell.catalog / "dead_letters.jsonl").read_text())
    assert letter["source"] == f"{path}#2&column=emb"
    rows[1]["emb"] = list(vectors[0])
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert shell.json("retry")[0]["stored"] == 1
    wide = shell.folder / "w.parquet"
    pq.write_table(pa.Table.from_pylist([{"id": "9", "emb": [1.0] * 16}]), wide)
    told = shell("ingest", wide, "--vector-column", "emb", code=2).stderr
    assert "have width 16, the catalog has 8" in told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--column-type", "gtin"), "write COLUMN:TYPE, such as gtin:text"),
        (("--column-type", "gtn:text"), "--column-type names 'gtn'"),
        (("--columns", "gtn"), "--columns names 'gtn'"),
        (("--exclude-columns", "gtn"), "--exclude-columns names 'gtn'"),
        (("--delimiter", ";;"), "give one character"),
        (("--encoding", "latin-99"), "there is no such encoding"),
        (("--vector-column", "emb"), "no column 'emb'"),
    ],
)
def test_options_that_can_not_be(shell: Shell, arguments: tuple[str, ...], says: str) -> None:
    """A typing error in an option is an error before anything is stored."""
    told = shell("ingest", table(shell, "1", "2"), *arguments, code=2).stderr
    assert says in told
    assert not shell.catalog.exists()
