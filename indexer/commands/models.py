"""The commands that change a catalog's model; parsing and printing, no logic."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer import console
from indexer.catalog_options import CatalogOptions
from indexer.commands.computing import Computing, with_computing
from indexer.commands.ingesting import CORES, EmbedTitles, Workers
from indexer.commands.options import ItemIndex, Output, Printed, option, with_common
from indexer.commands.reading import Reading, with_reading

if TYPE_CHECKING:
    from indexer.jobs.reembed import ReembedReport

app = typer.Typer()


@app.command()
@with_common
@with_reading
@with_computing
def reembed(
    *,
    keep_old: Annotated[
        bool, option("--keep-old", help="Keep what the old model made, for zeroshelf rollback.")
    ] = False,
    max_dead: Annotated[
        float,
        option(
            min=0.0,
            max=1.0,
            help="Change nothing where a larger share of the items can't be embedded anew.",
        ),
    ] = 0.05,
    index: ItemIndex = "auto",
    embed_titles: EmbedTitles = True,
    workers: Workers = CORES,
    reading: Reading,
    computing: Computing,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Change the model of a catalog (--model NEW) while it is being searched.

    All is embedded anew from the sources, checked, and then takes the place of the old. The
    same command again goes on where it stopped.
    """
    from indexer.flow import Flow
    from indexer.jobs import reembed as job
    from indexer.jobs.ingest import IngestOptions, Watch

    cluster = computing.cluster()
    with (
        contextlib.redirect_stdout(sys.stderr),  # Ray tells there of workers that died
        console.interruptible() as stop,
        console.progress("Embedding") as update,
    ):

        def on_texts(done: int, of: int) -> None:
            update(description="Embedding prompts", completed=done, total=of)

        report = job.reembed(
            common,
            job.ReembedOptions(
                ingest=IngestOptions(
                    flow=Flow(workers=workers, batch_size=common.batch_size),
                    decoder=reading.decoder(),
                    timeout_s=reading.timeout_s,
                    retries=reading.retries,
                    per_host=reading.per_host,
                    headers=reading.headers,
                    embed_titles=embed_titles,
                    index=index,
                    cluster=cluster,
                ),
                keep_old=keep_old,
                max_dead=max_dead,
                on_texts=on_texts,
            ),
            Watch(
                on_total=lambda total: update(total=total),
                on_progress=lambda done: update(completed=done.settled),
                stop=stop,
            ),
        )
    _show(report, common, output)
    if report.interrupted:
        console.say("Interrupted. Nothing was swapped: run the same command again to go on.")
        raise typer.Exit(1)
    _tell_left(report.left)
    if keep_old and not report.unchanged:
        console.say("Go back with: zeroshelf rollback")


@app.command()
@with_common
def rollback(
    *,
    forget: Annotated[
        bool,
        option("--forget", help="Drop the kept model's data, and what is unfinished, instead."),
    ] = False,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Go back to the model before the last reembed --keep-old; once more goes forward again."""
    from indexer.jobs import rollback as job

    if forget:
        _tell_left(tuple(job.forget(common)))
        console.say(f"Catalog {common.catalog} keeps its current model's data only.")
        return
    report = job.rollback(common)
    if output == Output.TABLE:
        console.show_facts({"model": report.model, "items": report.items}, title=_title(common))
    else:
        console.show_rows([asdict(report)], output)
    if report.not_there:
        console.say(
            f"{report.not_there:,} items that came after the change are not in it: ingest their "
            "sources again."
        )


def _show(report: ReembedReport, common: CatalogOptions, output: Output) -> None:
    if output != Output.TABLE:
        console.show_rows([asdict(report)], output)
        return
    if report.unchanged:
        console.say(f"Catalog {common.catalog} is of model {report.model} already.")
        return
    facts: dict[str, Any] = {
        "model before": report.before,
        "model": report.model,
        "items": report.items,
    }
    if not report.interrupted:
        dead = sum(report.dead_letters.values())
        reasons = ", ".join(f"{count:,} {why}" for why, count in report.dead_letters.items())
        facts["dead letters"] = f"{dead:,}  ({reasons})" if dead else "0"
        facts["recall of searches"] = f"{report.recall:.3f}"
    found = report.agreement
    if found is not None:
        facts["labelled as before"] = f"{found.share:.1%} of {found.items:,}"
    console.show_facts(facts, title=_title(common))
    if found is not None and found.changes:
        rows = [asdict(change) for change in found.changes]
        console.show_rows(rows, output, title="Labels that changed most")


def _tell_left(left: tuple[int, ...]) -> None:
    if left:
        console.say(
            "The old model's data is still being read; it stays until the next zeroshelf reembed "
            "or zeroshelf rollback --forget."
        )


def _title(common: CatalogOptions) -> str:
    return f"Catalog {common.catalog}"
