"""One picture, or one search, on the command line: what a start costs.

    python -m benchmarks.start_up [--json FILE] [--turns 5]

Against a Python that only imports torch and the class of transformers that a CLIP is read by. All
take turns; figures are seconds of processor time (user and system) of the whole process, one
thread each, and the ratio is of two medians. The catalog is the sample shop by the packaged model,
so that reading weights counts for little. Without a goal stand a first start, which finds out
what later ones read from the cache folder, and commands that a running service answers.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.report import Row, command_line, compared, show
from benchmarks.serving import service

GOAL = 1.3
ZEROSHELF = str(Path(sys.executable).with_name("zeroshelf"))
CLASSIFY = ("classify", "shop/pictures/p0001.jpg")
SEARCH = ("search", "a striped mug")
VISION = "import torch; from transformers import CLIPVisionModelWithProjection"
TEXT = "import torch; from transformers import AutoTokenizer, CLIPTextModelWithProjection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A command that is measured.

    Attributes:
        words: its words, without the program's.
        imports: the statements that it is compared with.
        goal: the largest ratio that is meant to be; None for none.
        is_first: the cache folder is empty.
    """

    words: Sequence[str]
    imports: str
    goal: float | None = None
    is_first: bool = False


def starts(address: str) -> dict[str, Start]:
    """What is measured, by its name.

    Args:
        address: where a service of the catalog listens.
    """
    server = ("--server", address)
    return {
        "classify one picture": Start(words=CLASSIFY, imports=VISION, goal=GOAL),
        "search by words": Start(words=SEARCH, imports=TEXT, goal=GOAL),
        "classify one picture, a first start": Start(words=CLASSIFY, imports=VISION, is_first=True),
        "search by words, a first start": Start(words=SEARCH, imports=TEXT, is_first=True),
        "classify --server": Start(words=(*CLASSIFY, *server), imports=VISION),
        "search --server": Start(words=(*SEARCH, *server), imports=TEXT),
    }


def seconds(command: Sequence[str], folder: Path, *, cache: str = "cache") -> float:
    """Processor time of a process.

    Args:
        cache: name of its cache folder in the folder.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    process = subprocess.Popen(  # noqa: S603 (our own commands)
        command,
        cwd=folder,
        env=os.environ
        | {
            "OMP_NUM_THREADS": "1",
            "XDG_CACHE_HOME": str(folder / cache),
            "ZEROSHELF_DATA_DIR": str(folder / "data"),
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return usage.ru_utime + usage.ru_stime


def measure(turns: int) -> list[Row]:
    """A row for each command of ``starts``."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for words in (
            ["sample", "shop"],
            ["ingest", "shop/products.csv", "--model", "pocket"],
            ["labels", "add", "shop/taxonomy.yaml"],
            ["categorize", "--to", "categories.parquet"],
        ):
            seconds([ZEROSHELF, *words], folder)
        # The service holds the database, which Milvus Lite lends to one process at a time: it has
        # a copy of the catalog.
        (folder / "served").mkdir()
        shutil.copytree(folder / "data", folder / "served" / "data")
        with service(folder / "served") as (address, _):
            times = _times(starts(address), turns, folder)
        on = machine()["machine"]
    return [_row(name, start, times, on) for name, start in starts("").items()]


def _times(commands: dict[str, Start], turns: int, folder: Path) -> dict[str, list[float]]:
    """Processor time of each turn, by the command's name or by the imports.

    One turn more is run, the first: it reads files from the disk, and fills the cache folder.
    """
    times: dict[str, list[float]] = {}
    for turn in range(turns + 1):
        for imports in (VISION, TEXT):
            imported = seconds([sys.executable, "-c", imports], folder)
            times.setdefault(imports, []).extend([imported] * bool(turn))
        for name, start in commands.items():
            shutil.rmtree(folder / "empty", ignore_errors=True)
            cache = "empty" if start.is_first else "cache"
            taken = seconds([ZEROSHELF, *start.words], folder, cache=cache)
            times.setdefault(name, []).extend([taken] * bool(turn))
    return times


def _row(name: str, start: Start, times: dict[str, list[float]], on: str) -> Row:
    return compared(
        f"on the command line: {name}, processor time",
        "importing torch and transformers' CLIP",
        statistics.median(times[name]),
        statistics.median(times[start.imports]),
        "s",
        "" if start.goal is None else f"<= {start.goal:g}",
    ) | {"on": on}


def main() -> None:
    """Reads the command line, measures and shows."""
    options = command_line("start_up", __doc__, turns=5).parse_args()
    show(measure(options.turns), options.json)


if __name__ == "__main__":
    main()
