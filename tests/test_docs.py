"""What the pages show is what the commands do, and the site builds without a warning."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer
from shell import Shell

from indexer.core.reasons import Reason, Stage
from queries import Catalog, Client
from queries.cli import app
from queries.results import Prediction, SearchHit

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
TUTORIAL = (DOCS / "tutorial.md").read_text(encoding="utf-8")
COLUMNS = (DOCS / "columns.md").read_text(encoding="utf-8")


def shell_lines(page: Path) -> list[str]:
    """Commands in the code blocks of a page; a line that ends in a backslash goes on."""
    text = page.read_text(encoding="utf-8")
    lines: list[str] = []
    for kind, block in re.findall(r"^```(console|sh)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        joined = block.replace("\\\n", " ").splitlines()
        lines += (
            [line[2:] for line in joined if line.startswith("$ ")] if kind == "console" else joined
        )
    return [line for line in lines if line.startswith("zeroshelf ")]


def inline_commands(page: Path) -> list[str]:
    """Commands in the running text and the tables of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    return re.findall(r"`(zeroshelf [a-z][^`]*)`", text)


@cache
def root() -> Any:
    """The command `zeroshelf`; it takes a while to make."""
    return typer.main.get_command(app)


def resolved(words: Sequence[str]) -> tuple[Any, list[str]]:
    """The command that words name, and what is left of them."""
    command: Any = root()
    rest = list(words)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    assert not getattr(command, "commands", {}) or not rest, f"no such command: {' '.join(words)}"
    return command, rest


def leaf_commands(group: Any, prefix: str = "") -> dict[str, Any]:
    """Every command by its full name."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            found |= leaf_commands(command, f"{prefix}{name} ")
        elif not command.hidden:
            found[f"{prefix}{name}"] = command
    return found


def steps() -> Iterator[tuple[str, list[str]]]:
    """The commands of the tutorial with the lines of output that it shows."""
    for block in re.findall(r"```console\n(.*?)```", TUTORIAL, re.DOTALL):
        shown: list[tuple[str, list[str]]] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                shown.append((line[2:], []))
            elif line.strip() and line != "...":
                shown[-1][1].append(" ".join(line.split()))
        yield from shown


def run(command: str, folder: Path) -> str:
    """Run a command line in this process; what it printed, in one line."""
    line, _, file = command.partition(" > ")
    shell = Shell(folder, in_process=True)
    shell.environment |= {"HF_HUB_OFFLINE": "1", "COLUMNS": "200"}
    done = shell(*shlex.split(line)[1:])
    if file:
        (folder / file).write_text(done.stdout, encoding="utf-8")
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the tutorial was run; each line that it shows was printed."""
    folder = tmp_path_factory.mktemp("tutorial")
    commands = list(steps())
    assert len(commands) > 12
    for command, shown in commands:
        printed = run(command, folder)
        for line in shown:
            assert line in printed, f"{command} does not print {line!r} but:\n{printed}"
    return folder


def table(heading: str) -> list[str]:
    """Names in the first column of the tables below a heading of the page on columns."""
    section = COLUMNS.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.slow
def test_the_tutorial_gives_what_it_shows(shop: Path) -> None:
    """Each command succeeds, and the pages that it names are there."""
    assert (shop / "similar.html").stat().st_size > 10_000


@pytest.mark.slow
def test_columns_of_categorize(shop: Path) -> None:
    """The page names each column that is written, and no other."""
    run("zeroshelf labels calibrate --truth truth", shop)
    written: set[str] = set()
    for number, options in enumerate(["--coverage 0.9", "--level 1", "--multi-label"]):
        run(f"zeroshelf categorize --limit 2 {options} --to {number}.parquet", shop)
        written |= set(pq.read_schema(shop / f"{number}.parquet").names)
    columns = "--image-column image,image_2,image_3"
    run(f"zeroshelf ingest shop/products.csv {columns} --model pocket --catalog views", shop)
    run("zeroshelf labels add shop/taxonomy.yaml --catalog views", shop)
    run("zeroshelf categorize --to v.parquet --limit 2 --view-pooling best --catalog views", shop)
    run("zeroshelf categorize --to p.parquet --limit 2 --parts --catalog views", shop)
    written |= {
        name for file in ("v", "p") for name in pq.read_schema(shop / f"{file}.parquet").names
    }
    documented = [name for name in table("categorize") if not name.startswith("--")]
    added = re.findall(r"\| `--[a-z-]+` \| `(\w+)` \|", COLUMNS)
    assert {*documented, *added} == written


@pytest.mark.slow
def test_columns_of_an_export(shop: Path) -> None:
    """The page names each column that is written, and no other."""
    run("zeroshelf export --to exported", shop)
    file = next((shop / "exported").glob("items-*.parquet"))
    assert set(table("export")) == set(pq.read_schema(file).names)
    run("zeroshelf export --to dataset --as-dataset", shop)
    file = next((shop / "dataset" / "data").glob("*.parquet"))
    written = set(pq.read_schema(file).names)
    assert set(table("export --as-dataset")) <= written
    assert "brand" in written


@pytest.mark.slow
def test_fields_of_dead_letters(shop: Path) -> None:
    """The page names each field and each reason."""
    path = shop / ".zeroshelf" / "catalogs" / "catalog" / "dead_letters.jsonl"
    letter = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert set(table("Dead letters")) == {*letter, *(str(reason) for reason in Reason)}
    assert all(f"`{stage}`" in COLUMNS for stage in Stage)


def test_fields_of_predictions_and_hits() -> None:
    """The page names each field that `classify` and `search` print."""
    assert set(table("classify")) == {field.name for field in fields(Prediction)}
    assert set(table("search")) == {field.name for field in fields(SearchHit)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_command_of_a_page_parses(page: Path) -> None:
    """Commands, options and values exist; nothing is run."""
    for line in shell_lines(page):
        words = shlex.split(line.split(" > ")[0], comments=True)[1:]
        command, rest = resolved(["--verify=sample" if w == "--verify" else w for w in words])
        if not set(rest) & {"--help"}:
            command.make_context(line, rest)
    for line in inline_commands(page):
        words = shlex.split(line)[1:]
        command, rest = resolved(words)
        names = {
            name for option in command.params for name in (*option.opts, *option.secondary_opts)
        }
        given = {word.split("=")[0] for word in rest if word.startswith("--")} - {"--help"}
        assert given <= names, f"{line}: no option {given - names}"


def test_each_command_is_shown_in_a_page() -> None:
    """A reader finds each command in a page that a person wrote."""
    lines = [line for page in PAGES for line in (*shell_lines(page), *inline_commands(page))]
    shown = [resolved(shlex.split(line, comments=True)[1:])[0] for line in lines]
    commands = leaf_commands(root())
    assert len(commands) > 30
    assert [name for name, command in commands.items() if command not in shown] == []


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """Links and anchors lead somewhere, no page is left out, each command has its reference."""
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "--site-dir",
        tmp_path,
    ]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "commands" / "ingest.html").read_text(encoding="utf-8")
    assert "--max-removed" in page
    assert (tmp_path / "architecture.html").exists()
    page = (tmp_path / "python-reference.html").read_text(encoding="utf-8")
    for kind in (Catalog, Client):
        methods = [name for name in dir(kind) if not name.startswith("_")]
        assert [name for name in methods if f"{kind.__name__}.{name}" not in page] == []
    for file in tmp_path.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|link|img)[^>]*(?:src|href)=\"?(https?://[^\" >]+)", file.read_text()
        )
        assert loaded == [], f"{file.name} asks other hosts"


def test_the_architecture_names_each_room() -> None:
    """The drawing has the rooms of the linter's rows, and those that are there."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    drawing = page.split("## The rooms")[1].split("```")[1]
    rooms = {
        path.parent.name for top in ("indexer", "queries") for path in ROOT.glob(f"{top}/*/*.py")
    }
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    for contract in contracts:
        rows = " ".join(contract.get("layers", []))
        rooms |= {name.split(".")[1] for name in re.findall(r"[\w.]+", rows) if "." in name}
    drawn = set(re.findall(r"^ +(?:\| )?(\w+)", drawing, re.MULTILINE))
    assert drawn == rooms
