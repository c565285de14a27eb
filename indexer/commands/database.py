"""The commands that let several processes use one Milvus Lite database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import Output, Printed, option, with_common
from indexer.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from indexer.jobs.database_server import ServedCatalog

app = typer.Typer(
    help="Let several processes use the database: start, stop, status.", no_args_is_help=True
)


@app.command()
@with_common
def start(
    *,
    port: Annotated[
        int, option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    common: CatalogOptions,
) -> None:
    """Serve the Milvus Lite database in the background, on this machine only.

    Without it one process at a time can have the database open. With it every command finds the
    server by itself, so that one can ingest while another searches.
    """
    from indexer.jobs import database_server

    running = database_server.start(common, port=port)
    console.say(
        f"The database is served at {running.uri} by process {running.pid}. Commands with this "
        "--data-dir or --db find it by themselves; other programs connect to that address."
    )


@app.command()
@with_common
def stop(
    *,
    force: Annotated[
        bool, option("--force", help="Also while a command writes to a catalog.")
    ] = False,
    common: CatalogOptions,
) -> None:
    """End the server in order; the database is then opened by one process at a time again."""
    from indexer.jobs import database_server

    ended = database_server.stop(common, force=force)
    if ended is None:
        console.say("No server runs for this database.")
    else:
        console.say(f"The server, process {ended.pid}, has ended.")


@app.command()
@with_common
def status(*, output: Printed = Output.TABLE, common: CatalogOptions) -> None:
    """Say who serves the database, where, since when, and which catalogs are in it.

    The exit code is 1 where no server runs.
    """
    from indexer.jobs import database_server

    running = database_server.status(common)
    if running is None:
        killed = database_server.remains(common)
        end = "" if killed is None else f" The last one, process {killed.pid}, was killed."
        console.say(f"No server runs for this database.{end} Start one with: zeroshelf db start")
        raise typer.Exit(ExitCode.FAILED)
    facts: dict[str, Any] = {
        "database": str(running.database),
        "address": running.server.uri,
        "process": str(running.server.pid),
        "since": running.server.since,
        "version": running.version,
        "log": str(running.log),
    }
    if output == Output.TABLE:
        facts["catalogs"] = ", ".join(map(_catalog, running.catalogs)) or "none"
        console.show_facts(facts)
        return
    catalogs = [
        {"name": catalog.name, "written": catalog.is_written} for catalog in running.catalogs
    ]
    console.show_rows([{**facts, "catalogs": catalogs}], output)


def _catalog(served: ServedCatalog) -> str:
    if served.is_written is None:
        return f"{served.name} (of another data folder)"
    return f"{served.name} (being written)" if served.is_written else served.name
