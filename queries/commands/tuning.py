"""The command that fits search to a catalog; parsing and printing, no logic."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.options import ItemIndex, Output, Printed, option, with_common
from indexer.commands.reading import Reading, with_reading
from indexer.core.exit_codes import ExitCode
from indexer.core.layout import QuantizedAs, RefinedBy

if TYPE_CHECKING:
    from indexer.store.indexes import Quantization
    from queries.tuning.tuning import TuningReport

app = typer.Typer()


@app.command()
@with_common
@with_reading
def tune(
    *,
    queries: Annotated[
        Path | None,
        option(
            help="What users search for: a text file with a text, a picture's path or a URL a "
            "line, or vectors (.npy). Default: a sample of the items, and the labels' prompts."
        ),
    ] = None,
    target_recall: Annotated[
        float,
        option(min=0.5, max=1.0, help="Share of the results of exact search that must be found."),
    ] = 0.99,
    limit: Annotated[int, option(min=1, max=100, help="The k of recall@k.")] = 10,
    sample: Annotated[int, option(min=10, max=10_000, help="Queries of each kind, at most.")] = 200,
    index: ItemIndex = "auto",
    sq_type: Annotated[
        QuantizedAs | None,
        option(
            "--sq-type",
            help="How HNSW_SQ rounds vectors, on servers from Milvus 2.6 on. Default: SQ8.",
            show_default=False,
        ),
    ] = None,
    refine_type: Annotated[
        RefinedBy | None,
        option(
            "--refine-type",
            help="Vectors beside HNSW_SQ's by which a server (from Milvus 2.6 on) puts candidates "
            "in order. Default: none, whole vectors are read and compared here.",
            show_default=False,
        ),
    ] = None,
    refine_k: Annotated[
        int | None,
        option(
            "--refine-k",
            min=1,
            max=64,
            help="Candidates of a quantized index for each result, to be put in order by more "
            "exact vectors. Default: 1, 2 and 4 are measured.",
            show_default=False,
        ),
    ] = None,
    reading: Reading,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Measure what search finds and how fast, and set it to reach a recall.

    Builds the index that suits the catalog's size first, from the stored vectors.
    """
    from indexer.catalog.opening import open_catalog
    from queries.tuning.tuning import tune as job
    from queries.tuning.tuning_queries import queries_of_file, usual_queries

    with (
        open_catalog(common, write=True) as catalog,
        console.watched("Building the index") as watch,
    ):
        catalog.report_lag()
        watch.begin("Building the index", None)
        catalog.items.ensure_index(
            index, catalog.ledger.count(), _quantization(sq_type, refine_type)
        )
        if queries is None:
            kinds = usual_queries(catalog, sample)
        else:
            decoder = reading.contents()
            with reading.fetcher() as fetcher:
                kinds = queries_of_file(catalog, queries, sample, decoder=decoder, fetcher=fetcher)
        report = job(
            catalog,
            kinds,
            limit=limit,
            target=target_recall,
            refine_k=refine_k,
            watch=watch,
        )
        if tuning := report.tuning():
            catalog.items.store_tuning(tuning)
    _show(report, output, common.catalog)
    if report.chosen is None:
        best = max(report.rungs, key=lambda rung: rung.worst)
        console.fail(
            f"no {report.parameter or 'search'} finds {target_recall:.2%} of what exact search "
            f"finds; the most was {best.worst:.2%}. Nothing was changed: give a lower "
            "--target-recall, or --index FLAT."
        )
        raise typer.Exit(ExitCode.FAILED)


def _quantization(
    sq_type: QuantizedAs | None, refine_type: RefinedBy | None
) -> Quantization | None:
    """What the options ask for; None where neither is given."""
    from indexer.store.indexes import Quantization

    if sq_type is None and refine_type is None:
        return None
    return Quantization(stored_as=sq_type or QuantizedAs.SQ8, refined_by=refine_type)


def _show(report: TuningReport, output: Output, catalog: str) -> None:
    from queries.tuning.tuning import as_rows

    rows = as_rows(report)
    if output == Output.JSON:
        console.print_json(asdict(report) | {"reached": report.chosen is not None})
        return
    if output != Output.TABLE:
        console.show_rows(rows, output)
        return
    console.show_table(
        [_for_people(row) for row in rows],
        title=f"Catalog {catalog}: {report.index} over {report.items:,} items",
    )
    query_counts = ", ".join(f"{count:,} {kind}" for kind, count in report.queries.items())
    if not report.parameter:
        console.say(
            f"Asked for {query_counts}. {report.index} is exact: there is nothing to choose."
        )
    elif (rung := report.chosen_rung) is not None:
        refined = f" and refine_k {rung.refine_k}" if rung.refine_k else ""
        console.say(
            f"Asked for {query_counts}. Searches now take {report.parameter} {rung.effort}"
            f"{refined}, the smallest that reaches {report.target:.2%} for each kind."
        )


def _for_people(row: dict[str, object]) -> dict[str, object]:
    """Each recall with its interval in one column."""
    shown: dict[str, object] = {}
    for name, value in row.items():
        if name.startswith("recall@"):
            kind = name.partition(" ")[2]
            shown[name] = f"{value:.4f} ({row[f'{kind} low']:.3f}-{row[f'{kind} high']:.3f})"
        elif name.endswith("_ms"):
            shown[name] = f"{value:.1f}"
        elif not name.endswith((" low", " high")):
            shown[name] = value
    return shown
