"""The console command: mounts the commands of both paths, and turns errors into exit codes."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Annotated

import typer

from indexer.commands import backups as backup_commands
from indexer.commands import console
from indexer.commands import database as database_commands
from indexer.commands import ingesting as ingest_commands
from indexer.commands import items as item_commands
from indexer.commands import labels as label_commands
from indexer.commands import models as model_commands
from indexer.commands import planning as planning_commands
from indexer.commands import server as server_commands
from indexer.commands.panels import arrange
from indexer.commands.variables import PREFIX, Commands
from indexer.core.collection import skip_collection_at_exit
from indexer.core.errors import ZeroshelfError
from indexer.core.exit_codes import ExitCode
from queries.commands import auditing as audit_commands
from queries.commands import categorizing as categorize_commands
from queries.commands import classifying as classify_commands
from queries.commands import duplicates as duplicate_commands
from queries.commands import evaluation as evaluation_commands
from queries.commands import explanation as explain_commands
from queries.commands import item_map as map_commands
from queries.commands import mapping as mapping_commands
from queries.commands import searching as search_commands
from queries.commands import serving as service_commands
from queries.commands import showing as demo_commands
from queries.commands import trust as trust_commands
from queries.commands import tuning as tuning_commands

app = typer.Typer(
    name="zeroshelf",
    cls=Commands,
    no_args_is_help=True,
    epilog="Start with: zeroshelf demo. Each command's -h has an example.",
    pretty_exceptions_enable=False,
    context_settings={
        "auto_envvar_prefix": PREFIX,
        "help_option_names": ["-h", "--help"],
    },
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"zeroshelf {version('zeroshelf')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            allow_from_autoenv=False,
            help="Print the version.",
        ),
    ] = False,
) -> None:
    """Label product pictures zero-shot: embed a catalog once, label and search it at will."""


label_commands.app.add_typer(trust_commands.app)
label_commands.app.add_typer(mapping_commands.app)
app.add_typer(ingest_commands.app)
app.add_typer(item_commands.app)
app.add_typer(model_commands.app)
app.add_typer(server_commands.app)
app.add_typer(backup_commands.app)
app.add_typer(database_commands.app, name="db")
app.add_typer(planning_commands.app)
app.add_typer(label_commands.app, name="labels")
app.add_typer(classify_commands.app)
app.add_typer(categorize_commands.app)
app.add_typer(search_commands.app)
app.add_typer(demo_commands.app)
app.add_typer(evaluation_commands.app)
app.add_typer(explain_commands.app)
app.add_typer(map_commands.app)
app.add_typer(tuning_commands.app)
app.add_typer(audit_commands.app)
app.add_typer(duplicate_commands.app)
app.add_typer(service_commands.app)
arrange(app)


def _machine_errors() -> tuple[type[Exception], ...]:
    """What the machine refuses; SQLite's where a command has loaded it: help pages need not."""
    sqlite = sys.modules.get("sqlite3")
    return (OSError, MemoryError, *(() if sqlite is None else (sqlite.Error,)))


def main() -> None:
    """Run the command, and exit with one of ``ExitCode``."""
    skip_collection_at_exit()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does
    # An option with or without a value is not among those of typer.
    words = ["--verify=sample" if word == "--verify" else word for word in sys.argv[1:]]
    try:
        app(words)
    except ZeroshelfError as error:
        console.fail(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(ExitCode.FAILED)
    except _machine_errors() as error:
        from indexer.core.system_errors import of_the_machine

        console.fail(of_the_machine(error))  # type: ignore[arg-type]
        sys.exit(ExitCode.FAILED)
