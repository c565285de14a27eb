"""The commands about databases: copy a catalog to another, examine one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import (
    AsVectors,
    IndexMetadata,
    Output,
    Printed,
    Staging,
    option,
    with_common,
)
from indexer.core.exit_codes import ExitCode
from indexer.core.layout import Layout

app = typer.Typer()


@app.command()
@with_common
def copy(
    *,
    to_db: Annotated[
        str, option("--to-db", help="Where to: a server's address, or a Milvus Lite file.")
    ],
    to_token: Annotated[
        str,
        option("--to-token", help="user:password or API key of that server.", show_default=False),
    ] = "",
    index: Annotated[
        str, option("--index", help="Index for items there: auto, or a Milvus type such as HNSW.")
    ] = "auto",
    vector_type: AsVectors = None,
    index_metadata: IndexMetadata = None,
    staging: Staging = "",
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Copy a catalog to another database; the same command again goes on, or brings what is new."""
    from indexer.jobs.copying import copy as job

    with console.watched("Copying") as watch:
        report = job(
            common,
            to_db=to_db,
            to_token=to_token,
            index=index,
            layout=Layout.of_options(vector_type, index_metadata or ()),
            staging=staging,
            watch=watch,
        )
    if output != Output.TABLE:
        console.show_rows([asdict(report)], output)
        return
    facts: dict[str, object] = {
        "copied to": report.target,
        "items there": report.size.words,
        "written now": report.written,
        "labels there": report.labels,
        "index": report.index,
    }
    if report.recovered:
        facts["read out of the database"] = report.recovered
    console.show_facts(facts, title=f"Catalog {common.catalog}")
    console.say(f"Counts agree. Use it with: --db {to_db}")


@app.command()
@with_common
def doctor(
    *,
    planned_items: Annotated[
        int | None,
        option("--planned-items", min=1, help="Size to judge memory and disk by."),
    ] = None,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Examine the database: reachable, current, complete, loaded, with room; and what to do."""
    from indexer.jobs import doctor as job

    findings = job.examine(common, planned_items=planned_items)
    rows = [asdict(finding) for finding in findings]
    if output != Output.TABLE:
        console.show_rows(rows, output)
    else:
        console.show_findings(rows, title=f"Catalog {common.catalog}")
    problems = [finding.check for finding in findings if finding.state is job.State.PROBLEM]
    if problems:
        is_absent = "catalog" in problems and not common.folder.exists()
        raise typer.Exit(ExitCode.USAGE if is_absent else ExitCode.FAILED)
