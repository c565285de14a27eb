"""``python -m campaigns``: tries kills and damages for a while, and prints what was found."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from campaigns import damages, kills
from campaigns.kills import Result, prepared
from campaigns.processes import preload
from campaigns.shops import COMMANDS
from campaigns.steps import Step

FIXED_KILLS = (
    ("ingest", Step("Ledger.add", 1, after=False)),
    ("ingest", Step("MilvusItems.flush", 1, after=True)),
    ("labels add", Step("LabelFolder.save", 1, after=True)),
    ("remove", Step("Archive.write", 1, after=True)),
    ("remove", Step("MilvusItems.delete", 1, after=True)),
)
FIXED_DAMAGES = (("*/ledger.sqlite", "deleted"), ("*/archive/items-*.parquet", "bit flipped"))
"""Files, by a pattern, and how each is damaged."""


def main() -> None:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m campaigns", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument("--only", choices=("kills", "damages"))
    parser.add_argument("--fixed", action="store_true", help="the small part that the tests run")
    options = parser.parse_args()
    preload()
    until = time.monotonic() + options.minutes * 60
    results: dict[str, list[Result]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        attempts = _fixed(Path(name)) if options.fixed else _attempts(options, Path(name))
        for attempt in attempts:
            if time.monotonic() > until:
                break
            result = attempt()
            results[result.command].append(result)
            mark = "FAULT" if result.fault else "ok"
            remedies = f"  [{'; '.join(result.remedies)}]" if result.remedies else ""
            print(f"{mark:6}{result.command:20}{result.moment}{remedies}", flush=True)
            if result.fault:
                print("      ", result.fault.replace("\n", "\n       "), flush=True)
    print("\n| command | tries | faults | remedies run |\n|---|---|---|---|")
    for command, tries in results.items():
        faults = sum(bool(result.fault) for result in tries)
        remedies = sum(bool(result.remedies) for result in tries)
        print(f"| {command} | {len(tries)} | {faults} | {remedies} |")
    if any(result.fault for tries in results.values() for result in tries):
        sys.exit(1)


def _fixed(folder: Path) -> Iterator[Callable[[], Result]]:
    """The same few kills and damages each time."""
    shops = prepared(folder)
    own_kills = kills.Kills(shops, folder)
    for command, step in FIXED_KILLS:
        assert step.name in {known.name for known in own_kills.steps_of(command)}, step
        yield lambda c=command, s=step: own_kills.at_step(c, s)  # type: ignore[misc]
    own_damages = damages.Damages(shops, folder, readers=damages.READERS[:2])
    files = own_damages.files()
    for pattern, damage in FIXED_DAMAGES:
        file = next(name for name in files if fnmatch(name, pattern))
        yield lambda f=file, d=damage: own_damages.tried(f, d)  # type: ignore[misc]


def _attempts(options: argparse.Namespace, folder: Path) -> Iterator[Callable[[], Result]]:
    """Damages and kills at named steps in turn; when these are over, random kills."""
    shops = prepared(folder)
    attempts = []
    if options.only != "kills":
        attempts.append(damages.tries(damages.Damages(shops, folder)))
    if options.only != "damages":
        chance = random.Random(options.seed)
        attempts.append(
            kills.tries(kills.Kills(shops, folder), chance, options.commands.split(","))
        )
    while attempts:
        for kind in tuple(attempts):
            attempt = next(kind, None)
            if attempt is None:
                attempts.remove(kind)
            else:
                yield attempt


if __name__ == "__main__":
    main()
