"""What the README and the configuration files say is what happens."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from shell import SCRIPT
from warm import run

from indexer.commands.config import load
from queries import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON_PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the README's commands were run, one after the other."""
    folder = tmp_path_factory.mktemp("readme")
    environment = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    first, *commands = re.findall(r"^\$ (zeroshelf .*)$", README, re.MULTILINE)
    assert len(commands) > 3
    # The first one as it is typed; the others without the seconds that a start takes.
    subprocess.run(first, shell=True, cwd=folder, env=environment, check=True, capture_output=True)
    for command in commands:
        done = run([SCRIPT, *shlex.split(command)[1:]], cwd=folder)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    return folder


@pytest.mark.slow
def test_the_commands_run(shop: Path) -> None:
    """The first look ends with a table of labels."""
    assert (shop / "categories.parquet").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("page", [README, PYTHON_PAGE], ids=["README", "python"])
def test_the_python_example_gives_what_it_says(shop: Path, page: str) -> None:
    """The lines run on the sample, and the first answer is the one in the comment."""
    code = re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0]
    first = 'classifier.predict(["shop/pictures/p0001.jpg"])'
    assert first in code
    code = code.replace(first, f"answer = {first}") + "\nprint(answer)"
    done = run(["-c", code], cwd=shop)
    assert done.returncode == 0, done.stderr
    assert "['jacket']" in done.stdout


def test_the_readme_is_short_and_leads_on() -> None:
    """A screen and a half, and each link leads to a file."""
    assert len(README.split()) < 800
    links = re.findall(r"\]\(([^)#]+)", README)
    assert len(links) > 15
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


@pytest.mark.parametrize("file", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda f: f.name)
def test_every_configuration_file_is_valid(file: Path) -> None:
    """The files in configs have only known keys and good values."""
    assert load(file, typer.main.get_command(cli.app))["catalog"]
