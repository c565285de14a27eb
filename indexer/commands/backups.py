"""The commands that copy a catalog's files into an object store, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import Output, Printed, option, with_common

app = typer.Typer()


@app.command()
@with_common
def backup(
    *,
    to: Annotated[
        str, option("--to", help="A folder, or an address such as s3://bucket/backups/shop.")
    ],
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Copy a catalog's files to a folder or a bucket; again, only what is new."""
    from indexer.jobs.backup import backup as job

    with console.watched("Copying") as watch:
        report = job(common, to, watch)
    if output != Output.TABLE:
        console.show_rows([asdict(report) | {"to": to}], output)
        return
    console.say(
        f"{to} holds catalog {common.catalog}: {report.files:,} files, of which "
        f"{report.copied:,} were copied now."
    )


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
