"""Each format in docs/formats.md is read by the command that stands beside it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from formats.writers import COUNT, WRITERS, pictures
from shell import Shell

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\|.*\| `zeroshelf (ingest [^`]+)` \|$", PAGE, re.MULTILINE)


def test_each_row_has_a_writer() -> None:
    """No row of the page is without a test, and no writer without a row."""
    assert sorted(shlex.split(command)[1] for command in COMMANDS) == sorted(WRITERS)


@pytest.mark.parametrize("command", COMMANDS)
def test_format(tmp_path: Path, command: str) -> None:
    """All items are stored with all their pictures, and nothing is said against any."""
    pictures(tmp_path)
    words = shlex.split(command)
    WRITERS[words[1]](tmp_path / words[1])
    shell = Shell(tmp_path, in_process=True, model="pocket")
    report = shell.json(*words)[0]
    assert (report["items"], report["stored"]) == (COUNT, report["read"]), report
