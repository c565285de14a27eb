"""Rows of a CSV file to items, the pass that finds the columns' types included.

    python -m benchmarks.tables [--json FILE] [--rows 1000000]

Against `csv.DictReader` over the same file, which makes no items: the two take turns, and the
ratio is the median of the turns'. Before there were types, items came at 0.08 of its rate (the
median of six turns with 200,000 rows); half of that is the goal.
"""

from __future__ import annotations

import csv
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Row, command_line, compared, show
from indexer.sources import open_sources

TURNS = 3
GOAL = 0.04
"""Of DictReader's rate: half of what the reader without types had."""


def write(path: Path, rows: int) -> None:
    """A shop's table: an id, a picture, a title with a comma, numbers, codes, words."""
    with path.open("w", encoding="utf-8") as stream:
        stream.write("id,image,title,price,year,brand,sku,in_stock\n")
        for n in range(rows):
            stream.write(
                f'{n},pics/{n}.jpg,"Lamp {n}, blue",{n % 1000 / 10 + 0.05:.2f},{1990 + n % 30},'
                f"Brand{n % 50},SK{n:07d},true\n"
            )


def read_dicts(path: Path) -> int:
    """The rows as dictionaries of texts."""
    with path.open(encoding="utf-8", newline="") as stream:
        return sum(1 for _ in csv.DictReader(stream))


def read_items(path: Path) -> int:
    """The rows as items, opened as `ingest` opens them."""
    return sum(1 for _ in open_sources([str(path)]))


def rate(read: Callable[[Path], int], path: Path) -> float:
    """Rows a second."""
    started = time.perf_counter()
    return read(path) / (time.perf_counter() - started)


def measure(rows: int) -> list[Row]:
    """The one row of the benchmark's table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write(path, rows)
        turns = [(rate(read_dicts, path), rate(read_items, path)) for _ in range(TURNS)]
    ratio = statistics.median(ours / theirs for theirs, ours in turns)
    return [
        compared(
            f"CSV, {rows:,} rows, with the pass for types",
            "csv.DictReader, which makes no items",
            statistics.median(ours for _, ours in turns),
            statistics.median(theirs for theirs, _ in turns),
            "rows/s",
            f">= {GOAL:g}",
            ratio=ratio,
        )
    ]


def main() -> None:
    """Reads the command line, measures and shows."""
    options = command_line("tables", __doc__, rows=1_000_000).parse_args()
    show(measure(options.rows), options.json)


if __name__ == "__main__":
    main()
