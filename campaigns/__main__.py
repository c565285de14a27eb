"""``python -m campaigns``: tries kills and damages for a while, and prints what was found."""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from campaigns import damages, kills
from campaigns.kills import Result, prepared
from campaigns.processes import preload
from campaigns.shops import COMMANDS


def main() -> None:
    """Run the campaign that the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m campaigns", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument("--only", choices=("kills", "damages"))
    asked = parser.parse_args()
    preload()
    until = time.monotonic() + asked.minutes * 60
    results: dict[str, list[Result]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        for attempt in _attempts(asked, Path(name)):
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
    for command, found in results.items():
        faults = sum(bool(one.fault) for one in found)
        remedies = sum(bool(one.remedies) for one in found)
        print(f"| {command} | {len(found)} | {faults} | {remedies} |")


def _attempts(asked: argparse.Namespace, folder: Path) -> Iterator[Callable[[], Result]]:
    """Damages and kills at named steps in turn; when these are over, random kills."""
    shops = prepared(folder)
    attempts = []
    if asked.only != "kills":
        attempts.append(damages.tries(damages.Damages(shops, folder)))
    if asked.only != "damages":
        chance = random.Random(asked.seed)
        attempts.append(kills.tries(kills.Kills(shops, folder), chance, asked.commands.split(",")))
    while attempts:
        for one in tuple(attempts):
            attempt = next(one, None)
            if attempt is None:
                attempts.remove(one)
            else:
                yield attempt


if __name__ == "__main__":
    main()
