"""What the README and the configuration files say is what happens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.commands.config import load

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def tour() -> list[tuple[str, list[str]]]:
    """The commands of the tour with the lines of output that it shows."""
    section = README.split("## A tour")[1]
    block = re.findall(r"```console\n(.*?)```", section, re.DOTALL)[0]
    steps: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        elif line.strip() and line != "...":
            steps[-1][1].append(" ".join(line.split()))
    return steps


@pytest.mark.slow
def test_the_tour_gives_what_it_shows(tmp_path: Path) -> None:
    """Each command of the tour succeeds, and each line shown below it is printed."""
    environment = os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "200",
    }
    steps = tour()
    assert len(steps) > 5
    for command, shown in steps:
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        printed = " ".join((done.stdout + done.stderr).split())
        for line in shown:
            assert line in printed, f"{command} does not print {line!r} but:\n{printed}"


@pytest.mark.slow
def test_the_python_example_gives_what_it_says(tmp_path: Path) -> None:
    """The lines run on the sample, and the first answer is the one in the comment."""
    section = README.split("## From Python")[1]
    code = re.findall(r"```python\n(.*?)```", section, re.DOTALL)[0]
    subprocess.run([BIN / "zeroshelf", "sample", "shop"], cwd=tmp_path, check=True)
    first = 'classifier.predict(["shop/pictures/p0001.jpg"])'
    assert first in code
    code = code.replace(first, f"answer = {first}") + "\nprint(answer)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "['jacket']" in done.stdout


def test_every_command_is_documented() -> None:
    """The README names each command that there is."""
    listed = subprocess.run(
        [BIN / "zeroshelf", "--help"], capture_output=True, text=True, check=True
    ).stdout
    names = re.findall(r"^│ ([a-z]+) ", listed, re.MULTILINE)
    assert len(names) > 8
    for name in names:
        assert f"zeroshelf {name}" in README or f"`{name} " in README, name


@pytest.mark.parametrize("file", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda f: f.name)
def test_every_configuration_file_is_valid(file: Path) -> None:
    """The files in configs have only known keys and good values."""
    assert load(file).catalog
