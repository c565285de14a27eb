"""The ending of commands that write a table, and a page where one is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from indexer.commands import console
from indexer.commands.options import Output, option

ToTable = Annotated[Path, option("--to", help="Result: .parquet, .csv or .jsonl.")]
ToPage = Annotated[
    Path | None, option("--page", help="Also write a page with pictures to this HTML file.")
]


def show_outcome(
    report: Any,
    facts: Mapping[str, Any],
    output: Output,
    *,
    title: str,
    to: Path | None = None,
    page: Path | None,
) -> None:
    """Print facts for people, or a report (a dataclass) for machines, and the files written."""
    files: dict[str, str | None] = {} if to is None else {"to": str(to)}
    files["page"] = None if page is None else str(page)
    if output != Output.TABLE:
        console.show_rows([asdict(report) | files], output)
        return
    written = {"written to": files["to"]} if to is not None else {}
    written |= {"page": files["page"]} if page is not None else {}
    console.show_facts({**facts, **written}, title=title)
