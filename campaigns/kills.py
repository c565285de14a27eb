"""Kill each command at each durable step, and at random; then the same command finishes it."""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from campaigns.processes import Outcome, run
from campaigns.shops import COMMANDS, Shops, summary
from campaigns.steps import Step

REMEDIES = 3
"""Remedies that a message may name one after the other before a try counts as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How one try ended.

    Attributes:
        command: that was killed, or that met the damage.
        moment: where the kill came, or what was damaged.
        fault: what is wrong afterwards; empty where all is right.
        remedies: commands that a message named, and that were run.
    """

    command: str
    moment: str
    fault: str
    remedies: tuple[str, ...] = ()


class Kills:
    """Tries commands on copies of states.

    Args:
        shops: the states.
        folder: for the copies.
    """

    def __init__(self, shops: Shops, folder: Path) -> None:
        self._shops = shops
        self._folder = folder
        self._references: dict[str, tuple[str, Outcome]] = {}

    def steps_of(self, command: str) -> list[Step]:
        """The first and the last call of each durable step that a command takes, both sides."""
        counts = Counter(self._reference(command)[1].steps)
        return [
            Step(name, number, after)
            for name, count in counts.items()
            for number in sorted({1, count})
            for after in (False, True)
        ]

    def at_step(self, command: str, step: Step, *, twice: Step | None = None) -> Result:
        """Kill a command at a step, maybe its second run too, and let the next one finish.

        Args:
            twice: where the second run is killed, if it gets there.
        """
        moment = str(step) if twice is None else f"{step}, then {twice}"
        first = {"kill_at": step}
        second = None if twice is None else {"kill_at": twice}
        return self._tried(command, moment, first, second)

    def at_random(self, command: str, chance: random.Random) -> Result:
        """Kill a command at any moment of its run, maybe more than once."""
        seconds = self._reference(command)[1].seconds
        first, second = (chance.uniform(0.05, seconds) for _ in range(2))
        again = {"kill_after_s": second} if chance.random() < 0.3 else None
        moment = f"at random, after {first:.2f} s" + (f" and {second:.2f} s" if again else "")
        return self._tried(command, moment, {"kill_after_s": first}, again)

    def _tried(
        self, command: str, moment: str, first: dict[str, object], second: dict[str, object] | None
    ) -> Result:
        expected = self._reference(command)[0]
        what = COMMANDS[command]
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            folder = self._shops.copy(what.state, Path(name) / "shop")
            for kill in filter(None, (first, second)):
                outcome = run(what.words, folder, **kill)  # type: ignore[arg-type]
                if not outcome.was_killed:
                    if outcome.code and not _is_done(command, outcome.told):
                        return Result(command=command, moment=moment, fault=_told(outcome))
                    break
            if outcome.was_killed:
                fault, remedies = finish(what.words, folder)
                if fault and not _is_done(command, fault):
                    return Result(command=command, moment=moment, fault=fault, remedies=remedies)
            else:
                remedies = ()
            actual = summarised(folder, _database(what.words))
            fault = "" if actual == expected else _difference(expected, actual)
            return Result(command=command, moment=moment, fault=fault, remedies=remedies)

    def _reference(self, command: str) -> tuple[str, Outcome]:
        """What the command makes of its state where nothing kills it."""
        if command not in self._references:
            what = COMMANDS[command]
            with tempfile.TemporaryDirectory(dir=self._folder) as name:
                folder = self._shops.copy(what.state, Path(name) / "shop")
                outcome = run(what.words, folder)
                if outcome.code:
                    raise RuntimeError(f"{command} fails by itself:\n{outcome.told}")
                self._references[command] = reference(folder, _database(what.words)), outcome
        return self._references[command]


def finish(words: tuple[str, ...], folder: Path) -> tuple[str, tuple[str, ...]]:
    """Run a command, and each remedy that its message names, until it ends well.

    Returns:
        What it said at last where it did not end well, and the remedies that were run.
    """
    remedies: list[str] = []
    outcome = run(words, folder)
    while outcome.code and len(remedies) < REMEDIES:
        named = remedy_of(outcome.told)
        if not named:
            break
        remedies.append(named)
        mended = run(tuple(shlex.split(named)), folder)
        if mended.code:
            return f"the remedy {named!r} fails: {_told(mended)}", tuple(remedies)
        outcome = run(words, folder)
    return (_told(outcome) if outcome.code else ""), tuple(remedies)


def remedy_of(told: str) -> str:
    """The first command that a message names, without ``zeroshelf``; empty where it names none."""
    text = " ".join(told.split())
    words = r"(?:labels |keys )?[a-z]+(?: (?:--?[a-z-]+|catalog|categories\.parquet|[0-9]+))*"
    match = re.search(f"zeroshelf ({words})", text)
    named = match[1] if match else ""
    return {"labels add": "labels add labels.yaml --replace"}.get(named, named)


def summarised(folder: Path, database: str = "") -> str:
    """The summary of a catalog, taken in a process of its own, or what is wrong with it."""
    target = folder / "summary.json"
    target.unlink(missing_ok=True)

    def take() -> None:
        target.write_text(summary(folder, database))
        os._exit(0)

    outcome = run((), folder, limit=take)
    return target.read_text() if target.exists() else f"no summary:\n{_told(outcome)}"


def reference(folder: Path, database: str = "") -> str:
    """The summary that others are compared with.

    Raises:
        RuntimeError: there is none, so that any other without one would be its equal.
    """
    text = summarised(folder, database)
    if text.startswith("no summary"):
        raise RuntimeError(text)
    return text


def _database(words: tuple[str, ...]) -> str:
    return words[words.index("--to-db") + 1] if "--to-db" in words else ""


def _is_done(command: str, fault: str) -> bool:
    """Whether a command says that what it is to do is done: killed after its last step."""
    finished = {
        "remove": "has no item",
        "labels remove": "There is no label",
        "rollback --forget": "nothing",
    }
    return command in finished and finished[command] in fault


def _told(outcome: Outcome) -> str:
    text = outcome.told.strip()[-1500:]
    return f"exit code {outcome.code}: {text}"


def _difference(expected: str, actual: str) -> str:
    if actual.startswith("no summary"):
        return actual
    lines = set(expected.splitlines()) ^ set(actual.splitlines())
    return "the catalog is another: " + " ".join(sorted(lines))[:600]


def tries(
    kills: Kills, chance: random.Random, commands: list[str]
) -> Iterator[Callable[[], Result]]:
    """Every named step of every command once; then random kills without end."""
    for command in commands:
        steps = kills.steps_of(command)
        for step in steps:
            yield lambda c=command, s=step: kills.at_step(c, s)  # type: ignore[misc]
            if chance.random() < 0.15:
                other = chance.choice(steps)
                yield lambda c=command, s=step, t=other: kills.at_step(c, s, twice=t)  # type: ignore[misc]
    while True:
        yield lambda: kills.at_random(chance.choice(commands), chance)


def prepared(folder: Path) -> Shops:
    """States in a new folder."""
    shutil.rmtree(folder / "states", ignore_errors=True)
    (folder / "states").mkdir(parents=True)
    return Shops(folder / "states")
