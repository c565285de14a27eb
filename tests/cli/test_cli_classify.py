"""How ``classify`` shows what it found: to people, to programs, and what it says of errors."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from PIL import Image
from shell import Shell

CANDIDATES = ("--candidate-labels", "shoe,red hat")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder without a catalog: candidate labels need none."""
    return Shell(tmp_path, in_process=True, model="pocket")


def test_csv_has_the_path_in_words(shell: Shell) -> None:
    """As ``categorize`` writes it, and no Python notation."""
    told = shell("classify", "--text", "a shoe", *CANDIDATES, "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(told.stdout)))
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert {row["path"] for row in rows} == {"shoe", "red hat"}


def test_the_table_names_an_input_once(shell: Shell) -> None:
    """A long path beside each of five labels leaves no room for the labels at 80 columns."""
    shell.environment["COLUMNS"] = "80"
    told = shell("classify", "--text", "a shoe of a kind", *CANDIDATES)
    assert told.stdout.count("a shoe of a kind") == 1
    assert "red hat" in told.stdout


def test_an_error_names_its_input_once(shell: Shell) -> None:
    """The others are classified; the bad one has an empty list."""
    (shell.folder / "broken.jpg").write_text("no picture")
    told = shell("classify", "broken.jpg", *CANDIDATES, "--output", "json", code=1)
    assert told.stderr.count("broken.jpg") == 1
    assert told.stdout.split() == ["[", "[]", "]"]


def test_a_failed_input_prints_no_empty_table(shell: Shell) -> None:
    """With nothing to show stdout is empty; beside a good one the table has that alone."""
    (shell.folder / "broken.jpg").write_text("no picture")
    for words in (("broken.jpg",), ("broken.jpg", "--output", "csv")):
        done = shell("classify", *words, *CANDIDATES, code=1)
        assert done.stdout == ""
        assert done.stderr.count("broken.jpg") == 1
    missing = shell("classify", "nope.jpg", "neither.jpg", *CANDIDATES, code=2)
    assert missing.stdout == ""
    assert "nope.jpg: no such file, nor is any of the others there" in missing.stderr
    assert "--item ID" in missing.stderr
    Image.new("RGB", (64, 64), "red").save(shell.folder / "good.png")
    mixed = shell("classify", "nope.jpg", "broken.jpg", "good.png", *CANDIDATES)
    assert mixed.stdout.count("good.png") == 1
    assert "broken.jpg" not in mixed.stdout
    assert all(line.strip() for line in mixed.stdout.splitlines())
    assert mixed.stderr.count("nope.jpg") == mixed.stderr.count("broken.jpg") == 1
    shell("classify", "nope.jpg", "good.png", *CANDIDATES, "--fail-on-errors", code=3)
