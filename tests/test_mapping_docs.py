"""The commands of docs/mapping.md run on the files that it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from shell import Shell

PAGE = (Path(__file__).parent.parent / "docs" / "mapping.md").read_text(encoding="utf-8")
FILES = re.findall(r"```\w+ (\S+)\n(.*?)```", PAGE, re.DOTALL)
STEPS = re.findall(r"```console\n\$ zeroshelf (.*?)\n(.*?)```", PAGE, re.DOTALL)


def test_each_command_gives_what_the_page_shows(tmp_path: Path) -> None:
    """In the page's order."""
    shell = Shell(tmp_path, in_process=True)
    for name, content in FILES:
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert len(STEPS) > 2
    for command, shown in STEPS:
        done = shell(*shlex.split(command))
        printed = " ".join((done.stdout + done.stderr).split())
        for line in shown.splitlines():
            assert line in printed, printed
    assert (tmp_path / "mapping.csv").read_text(encoding="utf-8").count("\n") == 5
