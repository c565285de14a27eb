"""The commands that copy a catalog's files into an object store, and back."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import Output, Printed, option, with_common
from indexer.core.errors import UsageError
from indexer.core.exit_codes import ExitCode

app = typer.Typer()


@app.command()
@with_common
def backup(
    *,
    to: Annotated[
        str | None,
        option("--to", help="A folder, or an address such as s3://bucket/backups/shop."),
    ] = None,
    check: Annotated[
        str | None,
        option(
            "--check",
            metavar="ADDRESS",
            help="Only compare the contents of a backup with their checksums.",
        ),
    ] = None,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Copy a catalog's files to a folder or a bucket; again, only what is new.

    With --check nothing is copied; the exit code is 1 where a content is damaged or missing.
    """
    from indexer.jobs.backup import backup as job

    if (to is None) == (check is None):
        raise UsageError("say where to copy to with --to, or which backup to look at with --check.")
    if to is None:
        _check(check or "", output)
        return
    with console.watched("Copying") as watch:
        report = job(common, to, watch)
    if output != Output.TABLE:
        console.show_rows([asdict(report) | {"to": to}], output)
        return
    console.say(
        f"{to} holds catalog {common.catalog}: {report.files:,} files, of which "
        f"{report.copied:,} were copied now."
    )


def _check(address: str, output: Output) -> None:
    """Print what a backup lacks; exit with 1 where that is something."""
    from indexer.jobs.backup import CONTENTS, check_backup

    with console.watched("Checking") as watch:
        report = check_backup(address, watch)
    problems = {
        **{name: ("damaged", digest) for name, digest in report.damaged.items()},
        **{name: ("missing", digest) for name, digest in report.missing.items()},
    }
    if output != Output.TABLE:
        console.show_rows([asdict(report) | {"whole": report.is_whole}], output)
    elif problems:
        # Whole lines: a table would break the names of contents, which are to be deleted.
        for name, (problem, digest) in sorted(problems.items()):
            sys.stdout.write(f"{problem}  {CONTENTS}/{digest}  {name}\n")
    else:
        console.say(
            f"{address} holds catalog {report.catalog} as it was at {report.time or 'its copying'}:"
            f" {report.files:,} files, {report.contents:,} contents of {report.size:,} bytes, all "
            "with the right checksum."
        )
    if report.unneeded:
        console.say(f"{report.unneeded:,} contents belong to no file: the next backup drops them.")
    if problems:
        console.fail(
            f"{len(problems):,} of the {report.files:,} files in {address} can't be restored. "
            "Delete their damaged contents there, and make the backup again: zeroshelf backup "
            f"--catalog {report.catalog} --to {address}"
        )
        raise typer.Exit(ExitCode.FAILED)


@app.command()
@with_common
def restore(
    *,
    from_: Annotated[str, option("--from", help="Where backup copied the catalog to.")],
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Copy a backup into a new catalog, and fill its database; no model is needed."""
    from indexer.jobs.backup import restore as job

    with console.watched("Copying") as watch:
        size = job(common, from_, watch)
    if output == Output.TABLE:
        console.say(
            f"Catalog {common.catalog} is there again, and its database holds {size.words}."
        )
    else:
        console.show_rows([asdict(size)], output)
