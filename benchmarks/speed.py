"""Every speed benchmark in one table: `make bench`, or `python -m benchmarks.speed`.

Each part runs in a process of its own, one after the other, so that no part inherits the
threads or the memory of another. A row's ratio is of two medians from the same run. What was
measured is written after each part. A part that fails is told at the end, and loses no other.
``--quick`` measures little, to see that all parts run: its figures are not for the page.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import kernels, machine, processor
from benchmarks.report import Row

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
QUICK = {
    "start_up": ["--turns", "1"],
    "tables": ["--rows", "20000"],
    "decoding": ["--rounds", "2"],
    "ingestion": ["--pictures", "64", "--rounds", "1", "--vectors", "0"],
    "videos": ["--rounds", "1", "--only", "rate"],
    "sounds": ["--rounds", "1"],
    "objects": ["--rounds", "1"],
    "embedding": ["--rounds", "1"],
    "scoring": ["--items", "10000"],
    "searching": ["--items", "2000"],
    "serving": ["--only", "load", "--seconds", "1", "--rounds", "1", "--long", "2"],
}
"""Arguments of a quick run."""

PAGE = Path("docs/benchmarks.md")
_TABLE = re.compile(r"(<!-- speed -->\n).*?(<!-- /speed -->)", re.DOTALL)


def measure(part: str, arguments: list[str]) -> list[Row]:
    """Runs one part and reads its rows; each says what it was measured on.

    Raises:
        subprocess.CalledProcessError: the part failed; what it printed stands above.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{part}.json"
        command = [sys.executable, "-m", f"benchmarks.{part}", "--json", str(path), *arguments]
        subprocess.run(command, check=True)  # noqa: S603 (our own module)
        rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))
    on = f"{processor()}, numpy's products by {kernels()}"
    return [{"on": on} | row for row in rows]


def measure_all(parts: Sequence[str], path: Path, *, quick: bool = False) -> dict[str, Any]:
    """Runs parts one after the other and writes the report after each, since all take hours.

    Args:
        parts: names.
        path: of the report.

    Returns:
        The machine (``about``), the ``rows``, the ``seconds`` of each part, and those ``failed``
        with their exit codes.
    """
    report: dict[str, Any] = {"about": machine(), "rows": [], "seconds": {}, "failed": {}}
    path.parent.mkdir(parents=True, exist_ok=True)
    for part in parts:
        start = time.monotonic()
        try:
            report["rows"] += measure(part, QUICK[part] if quick else [])
        except subprocess.CalledProcessError as error:
            report["failed"][part] = error.returncode
        report["seconds"][part] = round(time.monotonic() - start, 1)
        sys.stdout.write(f"{part}: {report['seconds'][part]:.0f} s\n")
        sys.stdout.flush()  # a part is awaited for minutes, and output to a file would wait
        path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


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
    parser.add_argument("--quick", action="store_true", help="measure little: do all parts run?")
    options = parser.parse_args()
    if options.quick and options.docs:
        parser.error("--docs writes figures for the page, and those of --quick are not: leave one")
    report = measure_all(options.part or PARTS, options.json, quick=options.quick)
    table = markdown(report["about"], report["rows"])
    sys.stdout.write(table)
    if report["failed"]:
        names = ", ".join(f"{part} (exit code {code})" for part, code in report["failed"].items())
        sys.exit(f"These parts failed, and what they printed stands above: {names}.")
    if options.docs:
        into_page(table, PAGE)


if __name__ == "__main__":
    main()
