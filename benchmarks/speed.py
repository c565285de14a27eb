"""Every speed benchmark in one table: `make bench`, or `python -m benchmarks.speed`.

Each part runs in a process of its own, one after the other, so that no part inherits the
threads or the memory of another. A row's ratio is of two medians from the same run.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.machine import machine

PARTS = (
    "start_up",
    "tables",
    "decoding",
    "ingestion",
    "videos",
    "sounds",
    "objects",
    "embedding",
    "scoring",
    "searching",
    "serving",
)
PAGE = Path("docs/benchmarks.md")
_TABLE = re.compile(r"(<!-- speed -->\n).*?(<!-- /speed -->)", re.DOTALL)

Row = dict[str, Any]


def measure(part: str, arguments: list[str]) -> list[Row]:
    """Runs one part and reads its rows.

    Raises:
        subprocess.CalledProcessError: the part failed; what it printed stands above.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{part}.json"
        command = [sys.executable, "-m", f"benchmarks.{part}", "--json", str(path), *arguments]
        subprocess.run(command, check=True)  # noqa: S603 (our own module)
        rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))
    return rows


def markdown(about: dict[str, str], rows: list[Row]) -> str:
    """The table as docs/benchmarks.md shows it."""
    lines = [
        f"Measured {about['date']} on {about['machine']}; {about['software']}.",
        "",
        "| work | against | zeroshelf | the other | ratio | goal | |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours, theirs = _figure(row["ours"], row["unit"]), _figure(row["theirs"], row["unit"])
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        mark = {True: "reached", False: "**short**", None: ""}[row["reached"]]
        cells = [row["work"], row["against"], ours, theirs, ratio, str(row["goal"] or ""), mark]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}".strip()


def into_page(table: str, page: Path) -> None:
    """Puts the table between the page's marks.

    Raises:
        ValueError: the page has no marks.
    """
    text = page.read_text(encoding="utf-8")
    if not _TABLE.search(text):
        raise ValueError(f"{page} has no <!-- speed --> ... <!-- /speed --> to write between.")
    page.write_text(_TABLE.sub(lambda m: f"{m[1]}{table}{m[2]}", text), encoding="utf-8")


def main() -> None:
    """Reads the command line, measures and shows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append", help="only these; all without")
    parser.add_argument("--json", type=Path, default=Path("build/speed.json"))
    parser.add_argument("--docs", action="store_true", help=f"write the table into {PAGE}")
    options = parser.parse_args()
    about = machine()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for part in options.part or PARTS:
        rows += measure(part, [])
        # After each part: it takes an hour, and what is measured should not be lost.
        report = json.dumps({"about": about, "rows": rows}, indent=2) + "\n"
        options.json.write_text(report, encoding="utf-8")
    table = markdown(about, rows)
    sys.stdout.write(table)
    if options.docs:
        into_page(table, PAGE)


if __name__ == "__main__":
    main()
