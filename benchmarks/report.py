"""Rows of the table of speed benchmarks, and the command line that its parts share."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def compared(
    work: str,
    against: str,
    ours: float,
    theirs: float | None,
    unit: str,
    goal: str = "",
    *,
    ratio: float | None = None,
) -> Row:
    """A row of the table.

    Args:
        theirs: what ours is compared with; None where there is nothing.
        goal: ``<= X`` or ``>= X``, of the ratio; of ours where there is no ratio.
        ratio: where it is not that of the two figures, such as a median over rounds.
    """
    if ratio is None and theirs is not None:
        ratio = ours / theirs
    reached = None
    if goal:
        measured, limit = ours if ratio is None else ratio, float(goal.split()[1])
        reached = measured <= limit if goal.startswith("<=") else measured >= limit
    return {
        "work": work,
        "against": against,
        "ours": ours,
        "theirs": theirs,
        "unit": unit,
        "ratio": ratio,
        "goal": goal,
        "reached": reached,
    }


def command_line(part: str, description: str | None, **numbers: int) -> argparse.ArgumentParser:
    """The options of ``python -m benchmarks.PART``: ``--json``, and numbers with their defaults."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{part}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", type=Path, help="write the rows into this file, too")
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser


def show(rows: Sequence[Row], file: Path | None) -> None:
    """Print a line a row, and write the file where one is asked for."""
    for row in rows:
        sys.stdout.write(json.dumps(row) + "\n")
    if file is not None:
        file.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
