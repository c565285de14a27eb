"""``labels add``: what it tells of labels alike and of cut prompts, and its dry run."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import Shell

LONG = "word " * 400


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder in which the packaged model is used."""
    return Shell(tmp_path, in_process=True, model="pocket", device="cpu")


def write(shell: Shell, content: str, name: str = "labels.csv") -> str:
    """A label file in the shell's folder."""
    (shell.folder / name).write_text(content)
    return name


def test_labels_alike_are_told_with_their_ids(shell: Shell) -> None:
    """Two of one path, whose prompts are the same too; the others are not named."""
    file = write(shell, "id,name,parent\n1,Shoes,\n2,Boots,1\n3,Boots,1\n4,Mug,\n")
    told = shell("labels", "add", file).stderr
    same = "Labels with the same path, or the same but for case and blanks, by their ids: "
    assert f"{same}'Shoes > Boots': '2', '3'." in told
    assert "prompts are the same, by their ids: 'a photo of a Boots.': '2', '3'." in told


def test_paths_that_differ_by_case_are_told(shell: Shell) -> None:
    """The model reads both in lower case."""
    told = shell("labels", "add", write(shell, "id,name,parent\n1,A,\n2,a,\n3,B,1\n4,b,2\n")).stderr
    assert "but for case and blanks, by their ids: 'A': '1', '2'; 'A > B': '3', '4'." in told


def test_paths_that_only_look_alike_are_told(shell: Shell) -> None:
    """Kinds of blanks, accents in one character or two, characters without a width."""
    names = ("Red\u00a0Mug", "Red  Mug", "Red Mug", "Caf\u00e9", "Cafe\u0301", "Hat\u200b", "Hat")
    (shell.folder / "alike.txt").write_text("\n".join(names) + "\n")
    told = shell("labels", "add", "alike.txt", "--dry-run").stderr
    assert told.count("'Red") == 4
    assert told.count("'Caf") == 3
    assert told.count("'Hat") == 3


def test_cut_prompts_are_counted(shell: Shell) -> None:
    """Descriptions that differ only beyond the model's limit are alike to it, too."""
    file = write(shell, f"id,name,description\n1,Mug,{LONG}a\n2,Boot,{LONG}b\n3,Hat,a hat\n")
    done = shell("labels", "add", file, "--template", "{description}", "--output", "json")
    assert '"cut_prompts": 2' in done.stdout
    assert "cut there: 2 of 3, such as of '1', '2'" in done.stderr
    assert "(as far as the model reads): '1', '2'." in done.stderr


def test_counts_are_told_in_words_with_their_set(shell: Shell) -> None:
    """A dry run has the same first rows in the same order as the run after it."""
    file = write(shell, "id,name\n1,Red\n2,Blue\n")
    shell("labels", "add", file)
    command = ("labels", "add", file, "--set", "colour")
    planned = shell(*command, "--dry-run").stdout.split("A dry run")[1]
    done = shell(*command).stdout
    _, *counts = done.splitlines()
    assert counts[0].split() == ["label", "set", "colour"]
    assert [line.split() for line in planned.splitlines()[1:]] == [
        line.split() for line in counts[:5]
    ]
    assert [line.split()[:-1] for line in counts[5:]] == [["embedded", "texts"], ["cut", "prompts"]]


def test_a_dry_run_shows_and_changes_nothing(shell: Shell) -> None:
    """What would be added, changed, removed and made; then adding does just that."""
    assert shell.json("labels", "add", write(shell, "id,name\n1,Mug\n2,Hat\n3,Cup\n"), "--dry-run")
    assert not (shell.folder / ".zeroshelf").exists()
    shell("labels", "add", "labels.csv")
    file = write(shell, "id,name,full_name\n1,Mug,Mug\n2,Cap,Head > Cap\n", "new.csv")
    plan = shell.json("labels", "add", file, "--replace", "--dry-run")
    assert [(one["change"], one["label_id"], one["made"]) for one in plan] == [
        ("changed", "2", False),
        ("added", "Head", True),
        ("removed", "3", False),
    ]
    assert {"name", "prompts"} <= set(plan[0]["what"])
    assert [one["label"] for one in shell.json("labels", "list")] == ["Mug", "Hat", "Cup"]
    changes = shell.json("labels", "add", file, "--replace")[0]
    assert (changes["added"], changes["changed"], changes["removed"]) == (1, 1, 1)


def test_a_dry_run_for_people(shell: Shell) -> None:
    """A row a change, and the sums."""
    done = shell("labels", "add", write(shell, "category,subcategory\nHead,Cap\n"), "--dry-run")
    assert "Head > Cap" in done.stdout
    assert "A dry run" in done.stdout


def test_parents_are_made_on_demand(shell: Shell) -> None:
    """Refused with the remedy that then helps."""
    file = write(shell, "id,name,parent\n1,Mug,Kitchen\n2,Hat,\n")
    refused = shell("labels", "add", file, "--dry-run", code=2).stderr
    assert "'Kitchen' of 'Mug' is not there" in refused
    assert "--create-parents" in refused
    plan = shell.json("labels", "add", file, "--create-parents", "--dry-run")
    assert ("Kitchen", True) in [(one["label_id"], one["made"]) for one in plan]


def test_tables_that_are_no_text(shell: Shell) -> None:
    """A workbook with numbers as ids, Parquet with a list of synonyms, packed CSV."""
    import gzip

    import openpyxl
    import pyarrow as pa
    import pyarrow.parquet as pq

    book = openpyxl.Workbook()
    for row in (["Category ID", "Name", "Parent ID"], [1, "Clothing", None], [2, "Shirt", 1]):
        book.active.append(row)
    book.save(shell.folder / "l.xlsx")
    rows = [
        {"id": 1, "name": "Clothing", "parent": None, "synonyms": []},
        {"id": 2, "name": "Shirt", "parent": 1.0, "synonyms": ["tee"]},
    ]
    pq.write_table(pa.Table.from_pylist(rows), shell.folder / "l.parquet")
    packed = gzip.compress(b"id,name,parent\n1,Clothing,\n2,Shirt,1\n")
    (shell.folder / "l.csv.gz").write_bytes(packed)
    for name in ("l.xlsx", "l.parquet", "l.csv.gz"):
        plan = shell.json("labels", "add", name, "--dry-run")
        assert [one["path"] for one in plan] == [["Clothing"], ["Clothing", "Shirt"]], name
    (shell.folder / "cut.csv.gz").write_bytes(packed[:-9])
    assert "can't be read" in shell("labels", "add", "cut.csv.gz", code=2).stderr
