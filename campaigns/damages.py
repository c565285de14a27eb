"""Damage each file of a data folder in each way; a command says so, and what it names mends it."""

from __future__ import annotations

import json
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from campaigns.kills import Result, finish, reference, remedy_of, summarised
from campaigns.processes import run
from campaigns.shops import Shops

Damage = Callable[[Path, Path], None]
"""Damages a file, given an older copy of it, which may not be there."""

READERS = (
    ("search", "a red mug", "--output", "json"),
    ("classify", "--item", "p0001", "--output", "json"),
    ("categorize", "--to", "again.parquet", "--output", "json"),
    ("status",),
    ("explain", "--item", "p0001", "--output", "json"),
    ("rebuild", "--verify"),
)
_STATE = "whole"


def _cut(path: Path, _: Path) -> None:
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size // 2)


def _flip(path: Path, _: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def _put_back(path: Path, older: Path) -> None:
    if older.exists():
        shutil.copyfile(older, path)
    else:
        path.unlink()


DAMAGES: Mapping[str, Damage] = {
    "deleted": lambda path, _: path.unlink(),
    "cut short": _cut,
    "bit flipped": _flip,
    "older copy": _put_back,
}


class Damages:
    """Tries damages on copies of a whole catalog.

    Args:
        shops: the states.
        folder: for the copies.
        readers: commands that meet the damage.
    """

    def __init__(
        self, shops: Shops, folder: Path, readers: Sequence[tuple[str, ...]] = READERS
    ) -> None:
        self._shops = shops
        self._folder = folder
        self._readers = readers
        self._expected = ""
        self._answers: list[str] = []

    def files(self) -> list[str]:
        """All files of a whole catalog, from its data folder on."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            folder = self._shops.copy(_STATE, Path(name) / "shop")
            self._expected = reference(folder)
            self._answers = [run(words, folder).told for words in READERS[:2]]
            data = folder / ".zeroshelf"
            files = sorted(
                str(path.relative_to(data))
                for path in data.rglob("*")
                if path.is_file() and path.stat().st_size
            )
        return [file for file in files if not file.endswith(("LOCK", "lock"))]

    def tried(self, file: str, damage: str) -> Result:
        """Damage one file, then read, then do what messages say until all is as it was."""
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            folder = self._shops.copy(_STATE, Path(name) / "shop")
            older = self._shops.copy("new", Path(name) / "older") / ".zeroshelf" / file
            DAMAGES[damage](folder / ".zeroshelf" / file, older)
            moment = f"{file}: {damage}"
            told: list[str] = []
            for words in self._readers:
                outcome = run(words, folder)
                told.append(outcome.told)
                if "Traceback" in outcome.told or outcome.code not in {0, 1, 2}:
                    fault = f"{' '.join(words)} ends badly: {outcome.told[-800:]}"
                    return Result(command="damage", moment=moment, fault=fault)
            summary = summarised(folder)
            if summary == self._expected:
                return Result(command="damage", moment=moment, fault="")
            if told[:2] == self._answers and not any(
                "zeroshelf " in message for message in told[2:]
            ):
                return Result(command="damage", moment=moment, fault=f"silent: {summary[:600]}")
            fault, remedies = self._mended(folder)
            return Result(command="damage", moment=moment, fault=fault, remedies=remedies)

    def _mended(self, folder: Path) -> tuple[str, tuple[str, ...]]:
        """Run what readers name, then what brings lost items back, and compare."""
        remedies: list[str] = []
        for words in self._readers:
            outcome = run(words, folder)
            if named := remedy_of(outcome.told):
                remedies.append(named)
                if (mended := run(tuple(shlex.split(named)), folder)).code:
                    return f"the remedy {named!r} fails: {mended.told[-800:]}", tuple(remedies)
        for words in (("retry",), ("ingest", "products.csv"), ("rebuild", "--verify")):
            fault, named_after = finish(words, folder)
            remedies += named_after
            if fault:
                return f"{' '.join(words)}: {fault}", tuple(remedies)
        summary = summarised(folder)
        is_same = _lasting(summary) == _lasting(self._expected)
        return "" if is_same else f"the catalog is another: {summary[:900]}", tuple(remedies)


def _lasting(summary: str) -> str:
    """What a remedy brings back: decisions and what people taught may have to be made anew."""
    try:
        facts = json.loads(summary)
    except ValueError:
        return summary
    return json.dumps({name: facts[name] for name in ("items", "model")})


def tries(damages: Damages) -> Iterator[Callable[[], Result]]:
    """Each file damaged in each way."""
    for file in damages.files():
        for damage in DAMAGES:
            yield lambda f=file, d=damage: damages.tried(f, d)  # type: ignore[misc]
