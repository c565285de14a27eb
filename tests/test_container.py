"""The image of the service and its compose file: slim, without root, watched, private."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import typer
import yaml

from indexer.commands.variables import PREFIX, _variables
from queries.cli import app

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.serve.yml").read_text())
KNOWN = {
    *("ARG", "CMD", "COPY", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "RUN", "USER", "VOLUME"),
    "WORKDIR",
}


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with their arguments, continued lines joined."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [
        (line.split(maxsplit=1)[0], line.split(maxsplit=1)[1])
        for line in joined.splitlines()
        if line.strip()
    ]


def last_stage() -> list[tuple[str, str]]:
    """What the image itself is made of."""
    steps = instructions()
    return steps[max(place for place, (name, _) in enumerate(steps) if name == "FROM") :]


def test_each_instruction_is_one_of_docker() -> None:
    """Upper case, with arguments; lists are JSON."""
    steps = instructions()
    assert {name for name, _ in steps} <= KNOWN
    assert steps[0][0] == "FROM"
    for name, text in steps:
        if name == "CMD":
            assert isinstance(json.loads(text), list)
        if name == "HEALTHCHECK":
            assert isinstance(json.loads(text.split("CMD ")[1]), list)


def test_base_images_are_slim_and_of_one_version() -> None:
    """And of a Python that the package takes."""
    bases = {text.split()[0] for name, text in instructions() if name == "FROM"}
    assert len(bases) == 1
    assert re.fullmatch(r"python:3\.1[1-9]-slim", bases.pop())


def test_what_is_copied_is_there_and_not_ignored() -> None:
    """The context is closed but for it."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
    for name, text in instructions():
        if name == "COPY" and not text.startswith("--from"):
            for source in text.split()[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in ignored


def test_the_service_runs_without_root_and_is_watched() -> None:
    """As a user of its own, with a volume for data, on a route that needs no key."""
    steps = last_stage()
    names = [name for name, _ in steps]
    values = dict(steps)
    assert names.index("USER") < names.index("CMD")
    assert values["USER"] == "zeroshelf"
    assert values["VOLUME"] == "/data"
    assert "/healthz" in values["HEALTHCHECK"]
    assert json.loads(values["CMD"]) == ["zeroshelf", "serve"]
    assert values["EXPOSE"] in values["HEALTHCHECK"]


def test_variables_are_those_of_options() -> None:
    """Of the command that runs, and of the compose file."""
    known = set(_variables(typer.main.get_command(app), PREFIX))
    given = dict(last_stage())["ENV"]
    names = [word.split("=")[0] for word in shlex.split(given)]
    names += list(COMPOSE["services"]["serve"]["environment"])
    ours = {name for name in names if name.startswith(PREFIX)}
    assert len(ours) > 3
    assert ours <= known


def test_the_compose_file_is_private() -> None:
    """Loopback only, no root file system to write to, no capabilities."""
    service = COMPOSE["services"]["serve"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["volumes"] == ["data:/data"]
    assert "data" in COMPOSE["volumes"]
