"""The command that finds look-alikes; parsing and printing, no logic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import Output, Printed, option, with_common
from indexer.commands.reading import Reading, with_reading
from indexer.commands.remedies import completed
from queries.commands.outcome import ToPage, ToTable, show_outcome

if TYPE_CHECKING:
    import pyarrow as pa

    from indexer.catalog.catalog import OpenCatalog
    from queries.duplicates.finding import DuplicatesReport

app = typer.Typer()


@app.command()
@with_common
@with_reading
def duplicates(
    *,
    to: ToTable,
    near: Annotated[
        float | None,
        option(
            "--near",
            min=0.0,
            max=1.0,
            help="Cosine from which two pictures are near-duplicates. Default: what 90% of copies "
            "of the catalog's own pictures reach (encoded again, cropped, marked).",
        ),
    ] = None,
    product: Annotated[
        float | None,
        option(
            "--product",
            min=0.0,
            max=1.0,
            help="Cosine from which two pictures show variants of one product. Default: what 75% "
            "of the catalog's own pictures reach when they are recoloured and mirrored, and only "
            "items with titles are variants; a cosine given here holds for those without too.",
        ),
    ] = None,
    variants: Annotated[
        bool, option("--variants/--no-variants", help="Group variants of a product too.")
    ] = True,
    keep_by: Annotated[
        str | None,
        option(
            "--keep-by",
            help="Keep the item with the highest number in this column of the metadata. Default: "
            "the one that was ingested first.",
        ),
    ] = None,
    compare_all: Annotated[
        bool | None,
        option(
            "--compare-all/--compare-near",
            help="Compare each item with each, or with those of near lists. Default: each with "
            "each up to 50,000 items.",
        ),
    ] = None,
    page: ToPage = None,
    page_groups: Annotated[
        int, option(min=1, max=10_000, help="Groups of the page, the largest first.")
    ] = 50,
    check_pictures: Annotated[
        bool,
        option(
            "--check-pictures/--no-check-pictures",
            help="Read the pictures of groups and compare them, where they can be read; else "
            "embeddings alone decide.",
        ),
    ] = True,
    reading: Reading,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Find look-alikes: the same content, near-duplicate pictures, variants of a product.

    Writes their groups, the largest first, and says which items to keep.
    """
    from indexer.catalog.opening import open_catalog
    from indexer.core.durable import write_text_durably
    from queries.categorizing.tables import TableWriter
    from queries.duplicates.finding import find_duplicates
    from queries.duplicates.thresholds import picture_reader, thresholds

    TableWriter(to)  # refuses a wrong ending before the work
    with (
        reading.fetcher() as fetcher,
        open_catalog(common) as catalog,
        console.watched("Calibrating") as watch,
    ):
        watch.begin("Calibrating", None)
        decoder = reading.decoder()
        limits = thresholds(catalog, fetcher, decoder, near=near, product=product)
        report, table = find_duplicates(
            catalog,
            to,
            limits,
            keep_by=keep_by,
            variants=variants,
            read=picture_reader(fetcher, decoder) if check_pictures else None,
            csv_raw=console.csv_is_raw(),
            compare_all=compare_all,
            watch=watch,
        )
        if page is not None:
            command = completed(f"zeroshelf duplicates --to {to.name} --page {page.name}")
            text = _page(catalog, report, table, page_groups, reading, fetcher, command)
            write_text_durably(page, text)
    title = f"Look-alikes of catalog {common.catalog}"
    show_outcome(report, _facts(report), output, title=title, to=to, page=page)


def _page(
    catalog: OpenCatalog,
    report: DuplicatesReport,
    table: pa.Table,
    groups: int,
    reading: Reading,
    fetcher: Any,
    command: str,
) -> str:
    from queries.evaluation.mistakes import titles_and_pictures
    from queries.pages.duplicates import duplicates_page, first_groups
    from queries.pages.parts import Pictures

    rows = first_groups(table, groups)
    shown = titles_and_pictures(catalog, [row["item_id"] for row in rows])
    return duplicates_page(
        report,
        rows,
        shown,
        catalog=catalog.folder.name,
        command=command,
        pictures=Pictures(fetcher, reading.decoder()),
    )


def _facts(report: DuplicatesReport) -> dict[str, Any]:
    return {
        "items": _size(report),
        "groups": f"{report.groups:,} of {report.grouped:,} items; {report.largest:,} in the "
        "largest",
        "same content": report.same_content,
        "near-duplicates": report.near_duplicates,
        "variants": _variants(report),
        "to keep": f"{report.kept:,} of the {report.grouped:,}",
        "cosines": f"{report.near:.3f} or more near-duplicates, {report.product:.3f} or more "
        f"variants; {_calibrated(report)}",
        "compared": _compared(report),
        **({"pictures unread": report.unread} if report.unread else {}),
    }


def _size(report: DuplicatesReport) -> str:
    size = f"{report.items:,}"
    if report.pictures != report.items:
        size += f"  ({report.pictures:,} pictures)"
    if report.shared:
        size += f"; {report.shared:,} pictures that many items have are not compared"
    return size


def _variants(report: DuplicatesReport) -> str:
    if not report.untitled:
        return f"{report.variants:,}"
    count = report.untitled
    items = "no item has a title" if count == report.items else f"{count:,} items have no title"
    return (
        f"{report.variants:,}; {items}, and pictures alone do not tell variants from other things "
        "of a kind: --product COSINE groups them all the same"
    )


def _calibrated(report: DuplicatesReport) -> str:
    if report.calibrated_on:
        pictures = "" if report.signature is None else f"; pictures agree by {report.signature:.3f}"
        return f"calibrated on copies of {report.calibrated_on:,} pictures of the catalog{pictures}"
    return "as given, or the usual ones: no copies of pictures were embedded"


def _compared(report: DuplicatesReport) -> str:
    if report.probes is None:
        return "each with each"
    recall = (
        "no sampled item has a neighbour"
        if report.recall is None
        else f"they hold {report.recall:.2%} of the neighbours of sampled items"
    )
    return f"each with {report.probes:,} lists near it; {recall}"
