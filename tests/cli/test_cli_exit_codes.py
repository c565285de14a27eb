"""Exit codes by one rule over all commands: what is named and is not there is 2."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from catalogs import make_catalog
from PIL import Image
from shell import Shell
from typer.main import get_command

from indexer.catalog.folder import CatalogFolder
from indexer.core import errors
from indexer.core.exit_codes import ExitCode
from indexer.core.vectors import normalise
from queries.cli import app

CALLS = {
    "ingest": "items.jsonl",
    "retry": "",
    "remove": "i1",
    "rebuild": "",
    "export": "--to out",
    "status": "",
    "reembed": "",
    "rollback": "",
    "copy": "--to-db other.db",
    "doctor": "",
    "backup": "--to saved",
    "restore": "--from saved",
    "db start": "",
    "db stop": "",
    "db status": "",
    "estimate": "--items 10",
    "models check": "pocket",
    "sample": "shop",
    "demo": "shop",
    "labels add": "labels.csv",
    "labels list": "",
    "labels remove": "l1",
    "labels sets": "",
    "labels attributes": "labels.csv",
    "labels pixels": "--set colour",
    "labels gate": "l1 --set colour",
    "labels remove-set": "--set colour",
    "labels adapt": "",
    "labels teach": "truth.csv",
    "labels calibrate": "truth.csv",
    "labels background": "words.txt",
    "labels map": "--from labels.csv --to labels.csv",
    "labels migrate": "labels.csv --mapping truth.csv",
    "classify": "--item i1",
    "categorize": "--to out.csv",
    "search": "--item i1",
    "evaluate": "--truth label",
    "explain": "--item i1",
    "map": "",
    "tune": "",
    "audit": "--truth label --to out.csv",
    "duplicates": "--to out.csv",
    "serve": "",
    "mcp": "",
    "keys add": "anna",
    "keys list": "",
    "keys revoke": "1",
}
"""Words with which each command would run in the folder of the tests."""

NEED_NO_CATALOG = {
    *("ingest", "restore", "estimate", "models check", "sample", "demo"),  # make one, or use none
    *("db start", "db stop", "db status"),  # are of the database
    *("keys add", "keys list", "keys revoke"),  # are of the data folder
    "doctor",  # tells it as a finding, beside those on the database
    *("labels add", "labels attributes"),  # make one
    *("serve", "mcp", "labels map"),  # wait for a catalog; compare two files
}


def commands() -> set[str]:
    """The words of every command that there is."""
    found: set[str] = set()

    def walk(command: object, path: tuple[str, ...]) -> None:
        inner = getattr(command, "commands", None)
        if inner is None:
            found.add(" ".join(path))
        for name, one in (inner or {}).items():
            walk(one, (*path, name))

    walk(get_command(app), ())
    return found


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A folder with a catalog of given vectors, and files of every kind; nothing is changed."""
    folder = tmp_path_factory.mktemp("codes")
    vectors = normalise(np.random.default_rng(0).normal(size=(12, 8)))
    make_catalog(folder / ".zeroshelf", vectors, np.eye(3, 8, dtype=np.float32))
    (folder / "items.jsonl").write_text('{"id": "i1", "title": "a mug"}\n')
    (folder / "labels.csv").write_text("id,name\nl1,mug\nl2,cup\n")
    (folder / "truth.csv").write_text("id,label\ni1,l1\ni2,l2\n")
    (folder / "words.txt").write_text("a wall\na street\n")
    Image.new("RGB", (32, 32)).save(folder / "mug.png")
    shell = Shell(folder, in_process=True)
    pictures = ("--catalog", "pictures", "--model", "pocket")
    shell("ingest", "mug.png", *pictures)
    shell("labels", "add", "labels.csv", *pictures)
    return shell


def test_every_command_is_here() -> None:
    """A new one gets its line, and is under the rule."""
    assert commands() == CALLS.keys()


@pytest.mark.parametrize("command", sorted(CALLS.keys() - NEED_NO_CATALOG))
def test_an_unknown_catalog(shell: Shell, command: str) -> None:
    """Its name is told, with those that there are."""
    done = shell(*command.split(), *CALLS[command].split(), "--catalog", "shpo", code=2)
    assert "'shpo'" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("command", sorted(CALLS))
def test_a_wrong_option(shell: Shell, command: str) -> None:
    """It is told before anything is done."""
    done = shell(*command.split(), *CALLS[command].split(), "--no-such-option", code=2)
    assert "--no-such-option" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        "ingest nope.csv",
        "ingest nope/",
        "ingest items.jsonl --vectors nope.npy",
        "remove --from nope.csv",
        "restore --from nope",
        "backup --check nope",
        "labels add nope.csv",
        "labels attributes nope.csv",
        "labels teach nope.csv",
        "labels calibrate nope.csv",
        "labels background nope.txt",
        "labels map --from nope.csv --to labels.csv",
        "labels migrate nope.csv --mapping truth.csv",
        "labels migrate labels.csv --mapping nope.csv",
        "classify nope.jpg --model pocket --candidate-labels a,b",
        "classify nope.jpg nope.png --model pocket --candidate-labels a,b",
        "explain nope.jpg --catalog pictures",
        "search --image nope.jpg --catalog pictures",
        "evaluate nope.csv --truth label",
        "audit nope.csv --truth label --to out.csv",
        "models check ./nope",
        "status --config nope.yaml",
        "map --to nope/map.html",
        "categorize --to nope/out.csv",
    ],
)
def test_a_file_that_is_not_there(shell: Shell, words: str) -> None:
    """It is named in one line, and nothing else is printed."""
    done = shell(*words.split(), code=2)
    assert "nope" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        "labels remove nope",
        "labels list --under nope",
        "labels list --set nope",
        "labels adapt --set nope",
        "labels gate nope --set nope",
        "labels remove-set --set nope",
        "classify --item i1 --labels nope",
        "classify --item i1 --under nope",
        "explain --item i1 --labels nope",
        "categorize --to out.csv --labels nope",
        "categorize --to out.csv --sets nope",
        "search --category nope",
        "audit --truth nope --to out.csv",
        "classify --item nope",
        "explain --item nope",
        "search --item nope",
        "remove nope",
        "remove nope --dry-run",
        "search --category l1 --facet nope",
        "duplicates --to out.csv --keep-by nope",
        "keys revoke nope",
    ],
)
def test_a_name_that_is_not_there(shell: Shell, words: str) -> None:
    """A label, a set, an item, a column, a key."""
    done = shell(*words.split(), code=2)
    assert "nope" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "command", ["classify --item", "explain --item", "search --item", "remove", "remove --dry-run"]
)
@pytest.mark.parametrize(
    ("item_id", "near"),
    [("i13", "'i3'"), ("I3", "'i3'"), ("j7", "'i7'"), ("7i", "'i7'"), ("sku", "")],
)
def test_near_ids_are_offered(shell: Shell, command: str, item_id: str, near: str) -> None:
    """A letter too many, of another case, another, exchanged; nothing where nothing is near."""
    told = " ".join(shell(*command.split(), item_id, code=2).stderr.split())
    assert near in told
    assert ("did you mean" in told) is bool(near)


def test_what_another_command_line_does_not_mend_is_1(shell: Shell, tmp_path: Path) -> None:
    """A picture that is none, a database that does not answer, a file that is damaged."""
    (tmp_path / "broken.jpg").write_text("no picture")
    candidates = ("--model", "pocket", "--candidate-labels", "a,b")
    shell("classify", tmp_path / "broken.jpg", *candidates, code=1)
    shell("search", "--item", "i1", "--db", "http://127.0.0.1:9", code=1)
    copied = Shell(tmp_path, in_process=True)
    make_catalog(tmp_path / ".zeroshelf", np.eye(4, 8, dtype=np.float32), np.eye(2, 8))
    for description in copied.catalog.glob("*.json*"):  # it and its copy
        description.write_text("{")
    assert "damaged" in copied("labels", "list", code=1).stderr


def test_the_errors_have_the_codes_of_the_rule() -> None:
    """Each class of the tree, and the table in the documentation."""
    codes = {
        errors.UsageError: ExitCode.USAGE,
        errors.SourceError: ExitCode.USAGE,
        errors.TaxonomyError: ExitCode.USAGE,
        errors.UnknownCatalogError: ExitCode.USAGE,
        errors.UnknownItemError: ExitCode.USAGE,
        errors.ModelUsageError: ExitCode.USAGE,
        errors.ModelMismatchError: ExitCode.USAGE,
        errors.ModelError: ExitCode.FAILED,
        errors.CatalogError: ExitCode.FAILED,
        errors.StoreError: ExitCode.FAILED,
        errors.StoppedError: ExitCode.STOPPED,
    }
    assert {kind: kind("x").exit_code for kind in codes} == codes
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    table = page.read_text(encoding="utf-8").split("## Exit codes")[1].split("\n## ")[0]
    assert [int(code) for code in re.findall(r"^\| (\d+) \|", table, re.M)] == [*ExitCode]


def test_a_stopped_command_is_130(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of any command."""

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(CatalogFolder, "fingerprint", stop)
    done = shell("labels", "list", code=130)
    assert "run the same command again" in done.stderr
