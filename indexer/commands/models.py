"""The commands that change a catalog's model; parsing and printing, no logic."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.computing import Computing, with_computing
from indexer.commands.ingesting import CORES, EmbedTitles, Workers
from indexer.commands.options import ItemIndex, Output, Printed, option, with_common
from indexer.commands.reading import Reading, with_reading
from indexer.core.errors import UsageError
from indexer.core.exit_codes import ExitCode

if TYPE_CHECKING:
    from indexer.jobs.check_model import ModelReport
    from indexer.jobs.reembed import ReembedReport

app = typer.Typer()
models_app = typer.Typer(no_args_is_help=True, help="Look at models.")
app.add_typer(models_app, name="models")


@models_app.command()
@with_common
def check(
    *,
    name: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="A hub name, a folder, or 'pocket'; or --model."),
    ] = None,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Load a model, and tell what it is and whether it embeds as it should. Run this first.

    Exit code 1 where vectors are not what they should be.
    """
    from indexer.jobs import check_model as job

    if (name is None) == (common.model is None):
        raise UsageError("name one model: zeroshelf models check MODEL.")
    report = job.check(common, name or common.model or "")
    if output != Output.TABLE:
        console.show_rows([_described(report)], output)
    else:
        console.show_facts(_facts(report), title=f"Model {report.description.model}")
        sys.stdout.write("\n")
        rows = [asdict(finding) for finding in report.findings]
        console.show_findings(rows, title="What was tried")
    if not report.usable:
        raise typer.Exit(ExitCode.FAILED)


def _described(report: ModelReport) -> dict[str, Any]:
    """All that is known, for machines."""
    return {
        **asdict(report.description),
        "pictures_per_second": report.rates.pictures,
        "texts_per_second": report.rates.texts,
        "usable": report.usable,
        "checks": [asdict(finding) for finding in report.findings],
    }


def _facts(report: ModelReport) -> dict[str, Any]:
    """What a model is, for people."""
    model, rates = report.description, report.rates
    limit = "of any length" if model.longest_text is None else f"up to {model.longest_text} tokens"
    cut = ", the first of wider ones" if model.truncated else ""
    learned = "" if model.learned_scale else ", by convention: the model carries none"
    bias = "" if model.logit_bias is None else f", bias {model.logit_bias:.4g}"
    sigmoid = "the model's own sigmoid" if model.logit_bias is not None else "against neutral words"
    others = "texts only" if model.sound_rate is None else "sounds and texts"
    pictures, speed = f"none: it embeds {others}", f"{rates.texts:,.1f} texts/s"
    if model.input_size is not None and rates.pictures is not None:
        height, width = model.input_size
        pictures = f"{width} x {height} pixels"
        if width != height:
            pictures += " for one of 4 : 3"
        speed = f"{rates.pictures:,.1f} pictures/s, {speed}"
    facts = {
        "family": model.family,
        "read": model.reading,
        "dimensions": f"{model.width}{cut}",
        "pictures": pictures,
        **({} if model.sound_rate is None else {"sounds": f"{model.sound_rate:,} samples/s"}),
        "texts": f"{limit}; padded {model.padding}",
        "logits": f"scale {model.logit_scale:.4g}{learned}{bias}",
        "scores": f"softmax over labels; with --multi-label {sigmoid}",
        "prompt": repr(model.prompt) if model.prompt else "none",
        "query prompt": repr(model.query_prompt) if model.query_prompt else "none",
        "precision": f"{model.precision} on {model.device}",
        "rate here": speed,
    }
    if model.own_prompts:
        facts["its prompts"] = ", ".join(model.own_prompts)
    return facts


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
    same command again goes on where it stopped. Without --model the catalog's own stays, and
    --text-model, --prompt or --query-prompt change: then no picture is read again.
    """
    from indexer.ingestion.reports import PipelineSizes
    from indexer.jobs import reembed as job

    cluster = computing.cluster()
    with console.interruptible_watch("Embedding") as watch:
        report = job.reembed(
            common,
            job.ReembedOptions(
                ingest=reading.ingest_options(
                    sizes=PipelineSizes(workers=workers, batch_size=common.batch_size),
                    embed_titles=embed_titles,
                    index=index,
                    cluster=cluster,
                ),
                keep_old=keep_old,
                max_dead=max_dead,
            ),
            watch,
        )
    _show(report, common, output)
    if report.interrupted:
        console.say("Interrupted. Nothing was swapped: run the same command again to go on.")
        raise typer.Exit(ExitCode.STOPPED)
    _report_leftovers(report.left)
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
        _report_leftovers(tuple(job.forget(common)))
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
        if report.query_prompt is not None:
            console.say(
                f"Before searches now stands {report.query_prompt!r}; no vector had to change."
            )
        return
    facts: dict[str, Any] = {
        "model before": report.before,
        "model": report.model,
        "items": report.items,
    }
    if report.keeps_pictures:
        facts["pictures"] = "keep their vectors: both models embed them alike"
    if not report.interrupted:
        dead = sum(report.dead_letters.values())
        reasons = ", ".join(f"{count:,} {why}" for why, count in report.dead_letters.items())
        facts["dead letters"] = f"{dead:,}  ({reasons})" if dead else "0"
        facts["recall of searches"] = f"{report.recall:.3f}"
    agreement = report.agreement
    if agreement is not None:
        facts["labelled as before"] = f"{agreement.share:.1%} of {agreement.items:,}"
    console.show_facts(facts, title=_title(common))
    if agreement is not None and agreement.changes:
        rows = [asdict(change) for change in agreement.changes]
        console.show_rows(rows, output, title="Labels that changed most")


def _report_leftovers(left: tuple[int, ...]) -> None:
    if left:
        console.say(
            "The old model's data is still being read; it stays until the next zeroshelf reembed "
            "or zeroshelf rollback --forget."
        )


def _title(common: CatalogOptions) -> str:
    return f"Catalog {common.catalog}"
