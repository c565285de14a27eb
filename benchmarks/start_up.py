"""One picture, or one search, on the command line: what a start costs.

    python -m benchmarks.start_up [--json FILE] [--turns 5]

Against a Python that only imports torch and the class of transformers that a CLIP is read by. All
take turns; figures are seconds of processor time (user and system) of the whole process, one
thread each, and the ratio is of two medians. The catalog is the sample shop by the packaged model,
so that reading weights counts for little.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.report import Row, command_line, compared, show

GOAL = 1.3
ZEROSHELF = str(Path(sys.executable).with_name("zeroshelf"))
IMPORTS = {
    "pictures": "import torch; from transformers import CLIPVisionModelWithProjection",
    "words": "import torch; from transformers import AutoTokenizer, CLIPTextModelWithProjection",
}


def seconds(command: Sequence[str], folder: Path) -> float:
    """Processor time of a process.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    process = subprocess.Popen(  # noqa: S603 (our own commands)
        command,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(folder / "cache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, list(command))
    return usage.ru_utime + usage.ru_stime


def measure(turns: int) -> list[Row]:
    """A row for a picture, one for words."""
    pairs = {
        "classify one picture": ([ZEROSHELF, "classify", "shop/pictures/p0001.jpg"], "pictures"),
        "search by words": ([ZEROSHELF, "search", "a striped mug"], "words"),
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for words in (
            ["sample", "shop"],
            ["ingest", "shop/products.csv", "--model", "pocket"],
            ["labels", "add", "shop/taxonomy.yaml"],
            ["categorize", "--to", "categories.parquet"],
        ):
            seconds([ZEROSHELF, *words], folder)
        for command, _ in pairs.values():  # what a first start finds out is kept
            seconds(command, folder)
        times: dict[str, list[float]] = {}
        for _ in range(turns):
            for work, (command, libraries) in pairs.items():
                imports = [sys.executable, "-c", IMPORTS[libraries]]
                times.setdefault(libraries, []).append(seconds(imports, folder))
                times.setdefault(work, []).append(seconds(command, folder))
    medians = {name: statistics.median(values) for name, values in times.items()}
    return [
        compared(
            f"{work} on the command line, processor time",
            "importing torch and transformers' CLIP",
            medians[work],
            medians[libraries],
            "s",
            f"<= {GOAL:g}",
        )
        for work, (_, libraries) in pairs.items()
    ]


def main() -> None:
    """Reads the command line, measures and shows."""
    options = command_line("start_up", __doc__, turns=5).parse_args()
    show(measure(options.turns), options.json)


if __name__ == "__main__":
    main()
