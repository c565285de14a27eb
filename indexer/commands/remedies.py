"""Completes the commands that messages name, so that they work on the catalog the user is in.

Messages come from all rooms, and few know what was given on the command line. So commands are
completed where messages are shown: ``zeroshelf retry`` becomes ``zeroshelf retry --catalog shop``
where the running command was called with ``--catalog shop``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

CARRIED = ("--config", "--catalog", "--data-dir", "--db")
"""Options that a command takes over from the running one. ``--token`` is a secret; ``--set`` is
not of the user's choice in each remedy, so messages say it themselves."""

_COMMAND = re.compile(r"\bzeroshelf((?: [a-z][a-z-]*)+)")
# Where a command ends in a message: options behind it are not its own.
_END = re.compile(r"\bzeroshelf\b|[;\n`]|\. |, or ")

_running: Any = None


def remember(context: Any) -> None:
    """Say once, for this process, which command runs.

    Args:
        context: click's, of a command with the common options.
    """
    global _running
    _running = context


def completed(message: str, options: Sequence[str] = CARRIED) -> str:
    """A message whose commands have the options that the running command was called with.

    Args:
        options: those of ``CARRIED`` that may be told.
    """
    given_options = _given(options)
    if not given_options or "zeroshelf " not in message:
        return message
    pieces, start = [], 0
    for command in _COMMAND.finditer(message):
        words, accepted = _known_command(command[1].split())
        end = command.start(1) + sum(len(word) + 1 for word in words)
        following = message[end:]
        stop = _END.search(following)
        present = following[: stop.start()] if stop else following
        added = [
            f" {name} {shlex.quote(value)}"
            for name, value in given_options.items()
            if name in accepted and not re.search(rf"{name}\b", present)
        ]
        pieces += [message[start:end], *added]
        start = end
    return "".join([*pieces, message[start:]])


def _given(options: Sequence[str]) -> dict[str, str]:
    """The options that the running command got by its command line or by a variable."""
    if _running is None:
        return {}
    given_options = {}
    for name in options:
        key = name.removeprefix("--").replace("-", "_")
        source, value = _running.get_parameter_source(key), _running.params.get(key)
        if source is not None and source.name in {"COMMANDLINE", "ENVIRONMENT"} and value:
            given_options[name] = str(value)
    return given_options


def _known_command(words: Sequence[str]) -> tuple[list[str], set[str]]:
    """The first words that are a command, and its options; nothing where they are none."""
    command, path = _running.find_root().command, []
    for word in words:
        commands = getattr(command, "commands", None)
        if commands is None:
            break
        if word not in commands:
            return [], set()
        command = commands[word]
        path.append(word)
    if getattr(command, "commands", None) is not None:
        return [], set()  # a group of commands, such as labels
    return path, {name for parameter in command.params for name in parameter.opts}
