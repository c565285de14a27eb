"""The command that looks for wrong labels in what is there; parsing and printing, no logic."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import Output, Printed, SetName, option, with_common
from indexer.commands.reading import Reading, with_reading
from indexer.commands.remedies import completed
from indexer.core.label_sets import CATEGORY, set_option
from queries.commands.options import (
    Adapt,
    Filter,
    OnlyLabels,
    Partition,
    TextWeight,
    UnderLabels,
    chosen_labels,
)
from queries.commands.outcome import ToPage, ToTable, show_outcome

if TYPE_CHECKING:
    from indexer.catalog.catalog import OpenCatalog
    from queries.audit.audit import AuditReport

app = typer.Typer()

_SHOWN_VALUES = 8


@app.command()
@with_common
@with_reading
def audit(
    *,
    table: Annotated[
        Path | None,
        typer.Argument(
            help="Table of item_id and given labels: .parquet, .csv or .jsonl. Left out: the "
            "labels are in the items' metadata."
        ),
    ] = None,
    truth: Annotated[
        str,
        option(
            "--truth",
            help="Column of the labels that somebody gave, in the table or in the items' "
            "metadata: ids, names or paths.",
        ),
    ],
    to: ToTable,
    min_probability: Annotated[
        float,
        option(min=0.0, max=1.0, help="Write items that are wrong with this probability or more."),
    ] = 0.1,
    unknown: Annotated[
        list[str] | None,
        option(
            help="Value of the column that means 'none of the labels', repeatable: such items are "
            "left out."
        ),
    ] = None,
    labels: OnlyLabels = None,
    under: UnderLabels = None,
    adapt: Adapt = True,
    text_weight: TextWeight = None,
    filter: Filter = "",  # noqa: A002 - the option's name is its key and variable too
    partition: Partition = None,
    page: ToPage = None,
    page_items: Annotated[
        int, option(min=1, max=10_000, help="Items of the page, the surest errors first.")
    ] = 100,
    set: SetName = CATEGORY,  # noqa: A002 - the option's name is its key and variable too
    reading: Reading,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Find labels that pictures and titles contradict, with the label that fits.

    Writes the items whose given label may be wrong, the surest error first.
    """
    from indexer.catalog.opening import open_catalog
    from indexer.core.durable import write_text_durably
    from queries.audit.audit import AuditOptions
    from queries.audit.audit import audit as job
    from queries.categorizing.categorize import Selection
    from queries.categorizing.tables import TableWriter

    TableWriter(to)  # refuses a wrong ending before the work
    how = AuditOptions(
        truth=truth,
        table=table,
        no_label=unknown or (),
        labels=chosen_labels(labels, under),
        adapt=adapt,
        text_weight=text_weight,
        selection=Selection(filter_expression=filter, partition=partition),
        min_probability=min_probability,
    )
    with (
        open_catalog(common.of_set(set), write=True) as catalog,
        console.watched("Learning") as watch,
    ):
        report, surest = job(
            catalog,
            to,
            how,
            csv_raw=console.csv_is_raw(),
            watch=watch,
        )
        if page is not None:
            shown = surest.slice(0, page_items).to_pylist()
            arguments = f"{table.name} --truth {truth}" if table else f"--truth {truth}"
            command = (
                f"zeroshelf audit {arguments} --to {to.name} --page {page.name}{set_option(set)}"
            )
            text = _page(catalog, report, shown, truth, reading, completed(command))
            write_text_durably(page, text)
    title = f"Audit of catalog {common.catalog}"
    show_outcome(report, _facts(report), output, title=title, to=to, page=page)


def _page(
    catalog: OpenCatalog,
    report: AuditReport,
    rows: list[dict[str, Any]],
    truth: str,
    reading: Reading,
    command: str,
) -> str:
    from queries.evaluation.mistakes import titles_and_pictures
    from queries.pages.audit import audit_page
    from queries.pages.parts import Pictures

    shown = titles_and_pictures(catalog, [row["item_id"] for row in rows])
    with reading.fetcher() as fetcher:
        return audit_page(
            report,
            rows,
            shown=shown,
            catalog=catalog.folder.name,
            truth=truth,
            command=command,
            pictures=Pictures(fetcher, reading.decoder()),
        )


def _facts(report: AuditReport) -> dict[str, Any]:
    return {
        "items": report.items,
        "with a label": report.judged,
        **({"without one": report.empty} if report.empty else {}),
        **({"none of the labels": report.no_label} if report.no_label else {}),
        **({"not in the catalog": report.strangers} if report.strangers else {}),
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
