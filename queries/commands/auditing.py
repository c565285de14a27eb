"""The command that looks for wrong labels in what is there; parsing and printing, no logic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import Output, Printed, option, with_common
from indexer.commands.reading import Reading, with_reading
from queries.commands.outcome import ToPage, ToTable, show_outcome

if TYPE_CHECKING:
    from indexer.catalog.catalog import Catalog
    from queries.audit.audit import AuditReport

app = typer.Typer()

_SHOWN_VALUES = 8


@app.command()
@with_common
@with_reading
def audit(
    *,
    truth: Annotated[
        str,
        option(
            "--truth",
            help="Column of the items' metadata with the labels that somebody gave: ids, names "
            "or paths.",
        ),
    ],
    to: ToTable,
    min_probability: Annotated[
        float,
        option(min=0.0, max=1.0, help="Write items that are wrong with this probability or more."),
    ] = 0.1,
    page: ToPage = None,
    page_items: Annotated[
        int, option(min=1, max=10_000, help="Items of the page, the surest errors first.")
    ] = 100,
    reading: Reading,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Find labels that pictures and titles contradict, with the label that fits.

    Writes the items whose given label may be wrong, the surest error first.
    """
    from indexer.catalog.opening import open_catalog
    from indexer.core.durable import write_text_durably
    from queries.audit.audit import audit as job
    from queries.categorizing.tables import TableWriter

    TableWriter(to)  # refuses a wrong ending before the work
    with (
        open_catalog(common, write=True) as catalog,
        console.watched("Learning") as watch,
    ):
        report, first = job(
            catalog,
            to,
            truth=truth,
            min_probability=min_probability,
            csv_raw=console.csv_is_raw(),
            watch=watch,
        )
        if page is not None:
            shown = first.slice(0, page_items).to_pylist()
            text = _page(catalog, report, shown, truth, reading, f"{to.name} --page {page.name}")
            write_text_durably(page, text)
    title = f"Audit of catalog {common.catalog}"
    show_outcome(report, _facts(report), output, title=title, to=to, page=page)


def _page(
    catalog: Catalog,
    report: AuditReport,
    rows: list[dict[str, Any]],
    truth: str,
    reading: Reading,
    files: str,
) -> str:
    from queries.evaluation.mistakes import titles_and_pictures
    from queries.pages.audit import audit_page, suspects_of
    from queries.pages.parts import Pictures

    shown = titles_and_pictures(catalog, [row["item_id"] for row in rows])
    with reading.fetcher() as fetcher:
        return audit_page(
            report,
            suspects_of(rows, shown),
            catalog=catalog.folder.name,
            truth=truth,
            command=f"zeroshelf audit --truth {truth} --to {files}",
            pictures=Pictures(fetcher, reading.decoder()),
        )


def _facts(report: AuditReport) -> dict[str, Any]:
    return {
        "items": report.items,
        "with a label": report.judged,
        **({"without one": report.empty} if report.empty else {}),
        **({"no label": _values(report.unknown)} if report.unknown else {}),
        **({"fit several labels": _values(report.ambiguous)} if report.ambiguous else {}),
        "worth a look": f"{report.suspects:,}; {report.probable:,} of them are more probably wrong "
        "than right",
        "errors expected": f"{report.expected_errors:.1f} among all with a label",
        **({"share of the titles": report.text_weight} if report.text_weight else {}),
    }


def _values(counts: Any) -> str:
    """Values with their items, the most frequent first."""
    shown = [f"{value!r} ({items:,})" for value, items in list(counts.items())[:_SHOWN_VALUES]]
    more = f" and {len(counts) - _SHOWN_VALUES:,} other values" if len(counts) > len(shown) else ""
    return f"{sum(counts.values()):,} items left out: {', '.join(shown)}{more}"
