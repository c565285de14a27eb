"""Each label format in docs/taxonomies.md is read by the command that stands below it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from queries.cli import app

PAGE = (Path(__file__).parent.parent / "docs" / "taxonomies.md").read_text(encoding="utf-8")
FILES = re.findall(r"```\w+ (\S+)\n(.*?)```", PAGE, re.DOTALL)
STEPS = re.findall(r"```console\n\$ zeroshelf (.*?)\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(("command", "shown"), STEPS, ids=[shlex.split(one)[2] for one, _ in STEPS])
def test_every_format_is_read_by_its_command(
    command: str, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file as it stands on the page gives the label that the page shows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name, content in FILES:
        Path(name).write_text(content, encoding="utf-8")
    done = CliRunner().invoke(app, shlex.split(command))
    assert done.exit_code == 0, done.output
    printed = " ".join(done.output.split())
    for line in shown.splitlines():
        assert line in printed, printed


def test_every_file_of_the_page_is_read() -> None:
    """No example stands there without its command."""
    commands = " ".join(command for command, _ in STEPS)
    assert len(FILES) > 15
    assert all(name in commands for name, _ in FILES)
