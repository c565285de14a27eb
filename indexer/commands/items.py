"""The commands for the items that are there; parsing and printing, no logic."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import (
    AsVectors,
    IndexMetadata,
    ItemIndex,
    Output,
    Printed,
    Staging,
    option,
    with_common,
)
from indexer.core.errors import UsageError
from indexer.core.exit_codes import ExitCode
from indexer.core.layout import Layout

if TYPE_CHECKING:
    from indexer.jobs.damaged_shards import SkippedShards
    from indexer.jobs.removal import RemovalReport

app = typer.Typer()


class Verify(StrEnum):
    """How much of a database is compared with the archive."""

    SAMPLE = "sample"
    FULL = "full"


@app.command()
@with_common
def remove(
    *,
    item_ids: Annotated[list[str] | None, typer.Argument(help="Ids of the items.")] = None,
    from_: Annotated[
        str | None,
        option("--from", help="A file of ids: one a line, or a table; - is standard input."),
    ] = None,
    id_column: Annotated[str, option(help="Column of the items' ids; none counts lines.")] = "id",
    filter: Annotated[  # noqa: A002 - the option's name is its key and variable too
        str | None, option("--filter", help="Take out what matches: a Milvus expression.")
    ] = None,
    dry_run: Annotated[
        bool, option("--dry-run", help="Only show what would be taken out.")
    ] = False,
    yes: Annotated[bool, option("--yes", help="Take out what --filter matches, unasked.")] = False,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Take items out of a catalog."""
    from indexer.jobs.removal import remove_items
    from indexer.jobs.removal_plan import ids_of_file, plan_of_filter, plan_of_ids

    _refuse_unclear({"ids": item_ids or None, "--from": from_, "--filter": filter})
    removed_ids = list(item_ids or ())
    if from_ is not None:
        removed_ids = ids_of_file(from_, id_column=id_column)
    if filter is not None:
        plan = plan_of_filter(common, filter)
    elif from_ is not None or dry_run:
        plan = plan_of_ids(common, removed_ids)
    else:
        plan = None
    if plan is not None:
        removed_ids = list(plan.item_ids)
        if plan.unknown:
            console.say(f"Not in the catalog: {_some(plan.unknown)}{plan.hint}")
    if dry_run or not removed_ids:
        if output == Output.TABLE:
            console.say(f"{_items(len(removed_ids))} would be removed: {_some(tuple(removed_ids))}")
        else:
            console.show_rows([{"item_id": item_id} for item_id in removed_ids], output)
        if item_ids and plan is not None and plan.unknown:
            raise typer.Exit(ExitCode.USAGE)  # as without --dry-run
        return
    if filter is not None and not yes:
        _confirm(removed_ids)
    _report_removed(remove_items(common, removed_ids), output)


def _refuse_unclear(options: Mapping[str, object]) -> None:
    """Refuse a removal whose items are named in no way, or in several.

    Raises:
        UsageError: as said.
    """
    named = [name for name, value in options.items() if value is not None]
    if not named:
        raise UsageError("name the items: by their ids, by --from FILE, or by --filter EXPRESSION.")
    if len(named) > 1:
        raise UsageError(
            f"{' and '.join(named)} name items each by itself: give one of them at a time. "
            "Nothing was removed."
        )


def _confirm(item_ids: list[str]) -> None:
    """Ask before what a filter matches is taken out.

    Raises:
        UsageError: nobody is there to be asked.
        typer.Abort: the answer is no.
    """
    console.say(f"{_items(len(item_ids))} match: {_some(tuple(item_ids))}")
    if not sys.stdin.isatty():
        raise UsageError("--filter removes what it matches: say --yes, or look with --dry-run.")
    typer.confirm("Remove them?", abort=True, err=True)


def _report_removed(report: RemovalReport, output: Output) -> None:
    if output != Output.TABLE:
        console.show_rows([asdict(report)], output)
        return
    nouns = _count(report.parts, report.part_noun)
    further = f", with {nouns.replace(' ', ' further ', 1)}" if report.parts else ""
    if report.parts and not report.removed:
        whose = "its item stays" if report.parts == 1 else "their items stay"
        console.say(f"Removed {nouns}; {whose}.")
    else:
        console.say(f"Removed {_items(report.removed)}{further}.")
    if report.finished:
        console.say(f"The removal of {report.finished:,} of them had begun before; it is finished.")
    if report.examples:
        console.say(
            f"{report.examples:,} of them were examples that labels were taught or calibrated "
            "with: they are forgotten there too."
        )
    if report.kept_generation:
        console.say(f"{report.kept_generation:,} of them are out of the kept model's items, too.")


@app.command()
@with_common
def rebuild(
    *,
    verify: Annotated[
        Verify | None,
        option(
            "--verify",
            metavar="[=full]",
            help="Only compare the database with the archive; of the vectors a sample, with =full "
            "all.",
        ),
    ] = None,
    skip_damaged: Annotated[
        bool,
        option(
            "--skip-damaged",
            help="Make items of damaged shards dead letters first; zeroshelf retry embeds them.",
        ),
    ] = False,
    index: ItemIndex = "auto",
    vector_type: AsVectors = None,
    index_metadata: IndexMetadata = None,
    staging: Staging = "",
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Make the database anew from the archive, or compare the two."""
    from indexer.jobs import rebuild as job
    from indexer.jobs.damaged_shards import skip_damaged as skip

    if verify is not None:
        _compare(common, output, all_vectors=verify is Verify.FULL)
        return
    if skip_damaged:
        _show_skipped(skip(common), common.catalog)
    with console.watched("Rebuilding") as watch:
        size = job.rebuild(
            common,
            index=index,
            layout=Layout.of_options(vector_type, index_metadata or ()),
            staging=staging,
            watch=watch,
        )
    if output == Output.TABLE:
        console.say(f"The database holds {size.words} again.")
    else:
        console.show_rows([asdict(size)], output)


def _compare(common: CatalogOptions, output: Output, *, all_vectors: bool) -> None:
    """Compare the database with the archive; exit with 1 where they differ."""
    from indexer.jobs.rebuild import compare as job

    with console.watched("Comparing") as watch:
        comparison = job(common, all_vectors=all_vectors, watch=watch)
    if output != Output.TABLE:
        console.show_rows([asdict(comparison) | {"equal": comparison.equal}], output)
    else:
        labels = "as in the catalog" if comparison.labels_match else "not those of the catalog"
        console.show_facts(
            {
                "items in the archive": comparison.items,
                "missing in the database": _some(comparison.missing),
                "different": _some(comparison.different),
                "not in the archive": comparison.foreign,
                "vectors compared": comparison.vectors,
                "labels": labels,
            }
        )
    if not comparison.equal:
        console.fail(f"the database differs. Run: zeroshelf rebuild --catalog {common.catalog}")
        raise typer.Exit(ExitCode.FAILED)
    if output == Output.TABLE:
        console.say("The database equals the archive.")


@app.command()
@with_common
def export(
    *,
    to: Annotated[
        str, option("--to", help="Folder for the Parquet files; also an address such as s3://.")
    ],
    as_dataset: Annotated[
        bool,
        option(
            "--as-dataset",
            help="Write pictures, titles, columns and labels instead, as Hugging Face's "
            "datasets.load_dataset opens them.",
        ),
    ] = False,
    partition: Annotated[
        str | None, option("--partition", help="Only items of this partition.")
    ] = None,
    replace: Annotated[
        bool,
        option("--replace", help="Replace an export that is there, also one that was stopped."),
    ] = False,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Write items with vectors, labels and prompts as Parquet."""
    if as_dataset:
        _export_dataset(common, to, partition, output, replace=replace)
        return
    from indexer.jobs.items import export as job

    with console.watched("Exporting") as watch:
        size = job(common, to, partition=partition, replace=replace, watch=watch)
    if output == Output.TABLE:
        console.say(f"Wrote {size.words} to {to}.")
    else:
        console.show_rows([asdict(size) | {"to": str(to)}], output)


def _export_dataset(
    common: CatalogOptions, to: str, partition: str | None, output: Output, *, replace: bool
) -> None:
    from indexer.jobs.dataset_export import export_dataset

    with console.watched("Exporting") as watch:
        report = export_dataset(common, to, partition=partition, replace=replace, watch=watch)
    if output != Output.TABLE:
        console.show_rows([asdict(report) | {"to": to}], output)
        return
    console.say(
        f"Wrote {report.rows:,} rows, {report.pictures:,} with a picture, to {to}. Open them with: "
        f"datasets.load_dataset({to!r})"
    )
    if report.parts:
        console.say(f"Windows, shots and boxes are no rows: {report.parts:,} are left out.")
    if report.unread:
        pictures = "1 picture" if report.unread == 1 else f"{report.unread:,} pictures"
        console.say(
            f"{pictures} can't be read any more, such as that of {report.examples[0]}: such rows "
            "have none."
        )


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(help="A new folder.", metavar="DIR")],
    draw: Annotated[
        int | None,
        option(
            "--draw",
            min=1,
            metavar="N",
            help="Draw another shop with N products of each type; in a checkout of the repository.",
        ),
    ] = None,
) -> None:
    """Write a sample catalog: drawn products, a table, a taxonomy, a few broken pictures."""
    from indexer.jobs.sample import draw_shop, write_shop

    if draw is None:
        shop = write_shop(folder)
    else:
        with console.watched("Drawing") as watch:
            shop = draw_shop(folder, each=draw, watch=watch)
    console.say(
        f"Wrote {shop.products:,} products of {shop.types} types in {shop.categories} categories "
        f"to {folder}; {shop.broken} of them have broken pictures."
    )


@app.command()
@with_common
def status(*, output: Printed = Output.TABLE, common: CatalogOptions) -> None:
    """Show rows, labels, the model, dead letters and the database: of each catalog, or of one.

    Without --catalog all catalogs of the data folder are shown.
    """
    from indexer.jobs.status import catalog_status

    rows = catalog_status(common)
    if output != Output.TABLE:
        console.show_rows(rows, output)
        return
    for row in rows:
        name = row.pop("catalog")
        console.show_facts(console.in_words(row), title=f"Catalog {name}")


def _show_skipped(report: SkippedShards, catalog: str) -> None:
    if not report.shards:
        console.say("No shard of the archive is damaged.")
        return
    console.say(
        f"{report.shards:,} damaged shards are set aside; {_items(report.dead_letters)} of them "
        f"are dead letters now. Embed them again with: zeroshelf retry --catalog {catalog}"
    )
    if report.unknown:
        console.warn(
            f"of {_items(len(report.unknown))}, such as {report.unknown[0]!r}, the source is not "
            "known any more: ingest their source again."
        )


def _items(count: int) -> str:
    return _count(count, "item")


def _count(count: int, noun: str) -> str:
    """A number with its noun: 1 box, 2 boxes."""
    plural = "es" if noun == "box" else "s"
    return f"{count:,} {noun}{'' if count == 1 else plural}"


def _some(ids: tuple[str, ...]) -> str:
    shown = ", ".join(map(repr, ids[:3]))
    return f"{len(ids):,}" + (f"  ({shown}{', ...' if ids[3:] else ''})" if ids else "")
