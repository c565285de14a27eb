"""Help: commands in panels with an example each, and options that fit a narrow terminal."""

from __future__ import annotations

import shlex
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
from shell import Shell

from indexer.commands.panels import EXAMPLES, ORDER, PANELS
from queries.cli import app

SCREEN = 50
"""Lines of a screen."""


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A terminal of 80 columns."""
    run = Shell(tmp_path, in_process=True)
    run.environment |= {"COLUMNS": "80", "TERMINAL_WIDTH": "80"}
    return run


def leaves(group: Any, *words: str) -> dict[str, Any]:
    """Every command by its words."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        below = leaves(command, *words, name) if hasattr(command, "commands") else None
        found |= {" ".join((*words, name)): command} if below is None else below
    return found


def test_each_command_stands_in_a_panel_with_an_example_that_parses() -> None:
    """No command is forgotten, and no example is of another."""
    commands = leaves(typer.main.get_command(app))
    assert {name.split()[0] for name in commands} <= set(ORDER)
    assert set(EXAMPLES) == set(commands)
    for name, example in EXAMPLES.items():
        words = shlex.split(example)[len(name.split()) :]
        # A command keeps the names of its help from its first context; tests share the commands.
        commands[name].make_context(name, words, help_option_names=["-h", "--help"])


def test_the_commands_are_in_the_order_of_the_panels(shell: Shell) -> None:
    """From the first steps to running it."""
    shown = shell("-h").stdout
    places = [shown.index(f"\n{panel}\n") for panel in PANELS]
    assert places == sorted(places)
    assert max(map(len, shown.splitlines())) <= 80


def test_a_group_s_help_is_of_the_same_lines(shell: Shell) -> None:
    """Its commands with their sentences, whole, and no boxes."""
    shown = shell("db", "-h").stdout
    assert shown.startswith("Usage: zeroshelf db [OPTIONS] COMMAND")
    assert "  start   Serve the Milvus Lite database in the background" in shown
    assert "╭" not in shown
    alone = shell("db", code=2)
    assert alone.stdout == shown


def test_the_version_is_printed(shell: Shell) -> None:
    """As the package has it."""
    assert shell("--version").stdout.strip() == f"zeroshelf {version('zeroshelf')}"


def test_the_short_help_of_ingest_fits_two_screens(shell: Shell) -> None:
    """At 80 columns; what it leaves out is counted, and the long help has it."""
    short, long = shell("ingest", "-h").stdout, shell("ingest", "--help").stdout
    assert len(short.splitlines()) <= 2 * SCREEN
    assert max(map(len, [*short.splitlines(), *long.splitlines()])) <= 80
    assert "--ray-workers" not in short
    assert "many machines (3)" in " ".join(short.split())
    for option in ("--ray-workers", "--delimiter", "--max-pixels", "--staging", "--text-model"):
        assert option in long


def test_help_says_what_an_option_takes(shell: Shell) -> None:
    """Choices, defaults, switches."""
    shown = " ".join(shell("ingest", "--help").stdout.split())
    assert "One of: table, json, jsonl, csv. [table]" in shown
    assert "--[no-]embed-titles" in shown
    assert "--retries N How often a download is tried again. [2]" in shown
