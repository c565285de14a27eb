"""The commands that bring items in; parsing and printing, no logic."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Callable
from typing import Annotated

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.computing import Computing, with_computing
from indexer.commands.objects import say_words, with_objects
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
from indexer.commands.panels import DETAILS, READING
from indexer.commands.reading import Reading, with_reading
from indexer.commands.syncing import tell_absent, with_syncing
from indexer.commands.tables import Tables, split_names, with_tables
from indexer.core.errors import UsageError
from indexer.core.layout import Layout
from indexer.core.object_options import ObjectOptions
from indexer.core.watch import Watch
from indexer.ingestion.reports import IngestReport
from indexer.jobs.sync_options import SyncOptions

app = typer.Typer()

Workers = Annotated[
    int, option(min=1, rich_help_panel=READING, help="Threads that decode pictures.")
]
FailOnErrors = Annotated[
    bool, option("--fail-on-errors", help="Exit with 3 where there are dead letters.")
]
EmbedTitles = Annotated[
    bool,
    option(
        "--embed-titles/--no-embed-titles",
        help="Embed titles of pictures too, for categorize --text-weight.",
    ),
]
CORES = os.cpu_count() or 1


@app.command()
@with_common
@with_reading
@with_computing
@with_tables
@with_syncing
@with_objects
def ingest(
    *,
    sources: Annotated[
        list[str],
        typer.Argument(help="Folders, tables, tar shards, URL lists, pictures; fsspec addresses."),
    ],
    tables: Tables,
    image_ext: Annotated[
        str,
        option(
            rich_help_panel=DETAILS,
            help="Members of tar shards that are pictures, by extension, the preferred one first: "
            "'jpg;front.jpg'. As a default those of all picture formats, jpg first.",
        ),
    ] = "",
    vectors: Annotated[
        str | None, option(help="Precomputed vectors (.npy), rows in the table's order.")
    ] = None,
    max_views: Annotated[
        int | None,
        option(
            min=1,
            help="Pictures of an item that are embedded; of others the metadata keep the address. "
            "Default: all.",
            show_default=False,
        ),
    ] = None,
    partition_key: Annotated[
        str | None,
        option(
            help="Divide a new catalog by this column, such as a shop: what is asked of one "
            "--partition touches only its items."
        ),
    ] = None,
    logit_scale: Annotated[
        float,
        option(
            min=1e-6,
            rich_help_panel=DETAILS,
            help="Logit scale of the model that made the vectors.",
        ),
    ] = 100.0,
    index: ItemIndex = "auto",
    vector_type: AsVectors = None,
    index_metadata: IndexMetadata = None,
    text_columns: Annotated[
        str | None,
        option(
            metavar="COLUMNS",
            help="Columns whose words search --hybrid finds beside titles and ids, separated by "
            "commas. Default: all with texts of at most 200 characters or whole numbers.",
            show_default=False,
        ),
    ] = None,
    staging: Staging = "",
    embed_titles: EmbedTitles = True,
    workers: Workers = CORES,
    trust_urls: Annotated[
        bool,
        option(
            "--trust-urls",
            rich_help_panel=READING,
            help="Do not ask again for what a URL of the catalog gave once. Default: servers are "
            "asked whether it changed.",
        ),
    ] = False,
    syncing: SyncOptions,
    objects: ObjectOptions | None,
    reading: Reading,
    computing: Computing,
    fail_on_errors: FailOnErrors = False,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Embed a catalog's pictures, sounds, videos or texts and store them.

    The same command again goes on where it stopped, and skips what is unchanged.
    """
    from indexer.ingestion.reports import PipelineSizes
    from indexer.jobs import ingest as job
    from indexer.sources import TableOptions
    from indexer.sources.shard_names import picture_extensions

    options = reading.ingest_options(
        table=TableOptions(
            **tables,
            vectors=vectors,
            picture_extensions=picture_extensions(image_ext),
            max_bytes=reading.max_bytes,
            max_sound_bytes=reading.max_sound_bytes,
        ),
        sizes=PipelineSizes(workers=workers, batch_size=common.batch_size),
        embed_titles=embed_titles,
        max_views=max_views,
        logit_scale=logit_scale,
        index=index,
        layout=Layout.asked(vector_type, index_metadata or ()),
        staging=staging,
        partition_key=partition_key,
        text_columns=None if text_columns is None else split_names(text_columns),
        trust_urls=trust_urls,
        cluster=computing.cluster(),
        sync=syncing,
        objects=objects,
    )
    if objects is not None and options.cluster is not None:
        raise UsageError("--objects looks at pictures on this machine: leave --engine ray out.")
    report = _watched("Ingesting", lambda watch: job.ingest(common, sources, options, watch))
    _conclude(report, common, output, fail_on_errors=fail_on_errors, verb="ingest")


@app.command()
@with_common
@with_reading
@with_computing
def retry(
    *,
    embed_titles: EmbedTitles = True,
    workers: Workers = CORES,
    reading: Reading,
    computing: Computing,
    fail_on_errors: FailOnErrors = False,
    output: Printed = Output.TABLE,
    common: CatalogOptions,
) -> None:
    """Try the dead letters again; those that now work leave the file."""
    from indexer.ingestion.reports import PipelineSizes
    from indexer.jobs import ingest as job

    options = reading.ingest_options(
        sizes=PipelineSizes(workers=workers, batch_size=common.batch_size),
        embed_titles=embed_titles,
        cluster=computing.cluster(),
    )
    left = 0

    def run(watch: Watch) -> IngestReport:
        nonlocal left
        report, left = job.retry(common, options, watch)
        return report

    report = _watched("Retrying", run)
    if left:
        console.say(f"{left} were left alone: correct their table and ingest it again.")
    _conclude(report, common, output, fail_on_errors=fail_on_errors, verb="retry")


def _watched(stage: str, run: Callable[..., IngestReport]) -> IngestReport:
    """Run a job under a progress bar, until it ends or Ctrl-C asks it to."""
    with (
        contextlib.redirect_stdout(sys.stderr),  # Ray tells there of workers that died
        console.interruptible() as stop,
        console.watched(stage, stop) as watch,
    ):
        return run(watch)


def _conclude(
    report: IngestReport, common: CatalogOptions, output: Output, *, fail_on_errors: bool, verb: str
) -> None:
    """Print the report of a run, and exit with the code of its outcome."""
    counts = {
        "read": report.read,
        "stored": report.stored,
        "unchanged": report.unchanged,
        "dead_letters": report.dead,
        "replaced": report.replaced,
        "shared": report.shared,
        "embedded": report.embedded,
        "frames": report.frames,
        "embedded_titles": report.embedded_titles,
        "titles_not_embedded": report.titles_not_embedded,
        "items": report.items,
        "further_pictures": report.further_pictures,
        "boxes": report.boxes,
        "object_words": list(report.object_words),
        "pictures_without_box": report.without_box,
        "outdated_boxes": report.outdated_boxes,
        "removed_pictures": report.removed_parts,
        "differing_rows": report.differing_rows,
        "joined_items": list(report.joined_items),
        "items_without_picture": report.without_part,
    }
    if output == Output.TABLE:
        console.show_facts(_in_words(report), title=f"Catalog {common.catalog}")
        _report_utilisation(report)
    else:
        more = {
            "dead_by_reason": dict(report.dead_by_reason),
            "ignored_profiles": report.ignored_profiles,
            "lost_workers": report.lost_workers,
            "repeated_batches": report.repeated_batches,
            "left_out": dict(report.left_out),
            "absent": report.absent,
            "removed": report.removed,
            "merged": dict(report.merged),
            "utilisation": _utilisation(report),
        }
        console.show_rows([counts | more], output)
    _report_rows(report)
    if report.dead:
        from indexer.core.reasons import Reason
        from indexer.jobs.ingest import TABLE_FAULTS

        file = common.folder.dead_letters
        if report.dead_by_reason.keys() <= TABLE_FAULTS:
            advice = "Correct the table as it says there, and ingest it again."
        elif verb == "retry":
            advice = "See there what each one needs."
        else:
            advice = "Try them again with: zeroshelf retry"
            if report.dead_by_reason.keys() & {*TABLE_FAULTS, Reason.UNREADABLE}:
                advice += (
                    ". That leaves rows alone which can't be read or used: correct their table, "
                    "and ingest it again."
                )
        console.say(f"Dead letters are in {file}. {advice}")
    if report.interrupted:
        console.say(
            f"Interrupted. What was read is kept: run the same {verb} command again to go on."
        )
        raise typer.Exit(1)
    if not tell_absent(report):
        raise typer.Exit(1)
    if report.dead and fail_on_errors:
        raise typer.Exit(3)


def _report_rows(report: IngestReport) -> None:
    """Print the number of frames, of further pictures and of repeated ids."""
    if report.frames:
        console.say(f"{report.frames:,} frames of videos were embedded, to find their shots.")
    if report.titles_not_embedded:
        only_one = report.titles_not_embedded == 1
        whose = " of a sound or video is" if only_one else "s of sounds and videos are"
        console.say(
            f"{report.titles_not_embedded:,} title{whose} not embedded, as those of pictures are: "
            "search --hybrid finds their words."
        )
    if report.further_pictures:
        console.say(
            f"{report.further_pictures:,} further pictures are not embedded: their addresses are "
            "kept in the items' metadata as 'further_pictures'."
        )
    if report.differing_rows:
        console.say(
            f"{report.differing_rows:,} rows have another title or other metadata than the first "
            "row of their item: each picture keeps its own, and the item has those of its first."
        )
    say_words(report.object_words)
    if report.without_box:
        console.say(
            f"In {report.without_box:,} pictures nothing was found: each is embedded as a whole."
        )
    if report.outdated_boxes:
        console.say(
            f"{report.outdated_boxes:,} boxes were removed, since their pictures are other ones "
            "now: run the same command with --objects to find the things in these."
        )
    if report.joined_items:
        count = len(report.joined_items)
        console.say(
            f"{count:,} group{' has' if count == 1 else 's have'} a picture that is in no group, "
            f"because its own id is the group's, such as {report.joined_items[0]!r}. If it shows "
            "something else, give its row another id."
        )
    if report.without_part:
        only_one = report.without_part == 1
        console.say(
            f"{report.without_part:,} item{' has' if only_one else 's have'} no part that could be "
            f"stored: {'it is' if only_one else 'they are'} not in the catalog, and each of "
            f"{'its' if only_one else 'their'} parts is a dead letter."
        )
    if repeated := report.dead_by_reason["duplicate_id"]:
        rows = f"{repeated:,} row{'' if repeated == 1 else 's'}"
        console.say(
            f"{rows} had an id that came before in this job: the first row of each id counts, the "
            "others are dead letters. Give each row an id of its own, or name another column with "
            "--id-column."
        )


def _in_words(report: IngestReport) -> dict[str, str]:
    stored = f"{report.stored:,}"
    notes = []
    if report.replaced:
        notes.append(f"{report.replaced:,} replaced a row")
    if report.shared:
        notes.append(f"{report.shared:,} share the vector of an item with the same content")
    if notes:
        stored += f"  ({', '.join(notes)})"
    dead = f"{report.dead:,}"
    if report.dead:
        reasons = (f"{count:,} {reason}" for reason, count in report.dead_by_reason.most_common())
        dead += f"  ({', '.join(reasons)})"
    read = f"{report.read:,}"
    if report.items != report.read:
        read += f"  (rows of {report.items:,} item{'' if report.items == 1 else 's'})"
    facts = {
        "read": read,
        "= stored": stored,
        "+ unchanged": f"{report.unchanged:,}",
        "+ dead letters": dead,
    }
    notes_by_fact = {
        "things in pictures": (report.boxes, "each a row with its box"),
        "removed parts": (report.removed_parts, "their items no longer have them"),
        "colour profiles ignored": (report.ignored_profiles, "they can't be read"),
        "workers lost": (
            report.lost_workers,
            f"others did {report.repeated_batches:,} batches again",
        ),
    }
    facts |= {
        name: f"{count:,}  ({note})" for name, (count, note) in notes_by_fact.items() if count
    }
    if report.absent is not None:
        facts["in the catalog, not in this source"] = f"{report.absent:,}"
        if report.removed:
            facts["in the catalog, not in this source"] += "  (taken out)"
    if report.left_out:
        facts["left out"] = _by_extension(report.left_out)
    if report.merged:
        facts["merged into others"] = _by_extension(report.merged)
    return facts


def _by_extension(left_out: Counter[str]) -> str:
    """Files and members that no item was made of: how many, and of which extensions."""
    most = [f"{count:,} {extension}" for extension, count in left_out.most_common(8)]
    if len(left_out) > len(most):
        most.append(f"{left_out.total() - sum(c for _, c in left_out.most_common(8)):,} others")
    return f"{left_out.total():,}  ({', '.join(most)})"


def _utilisation(report: IngestReport) -> dict[str, float]:
    """Seconds of the stages, and the shares of their limits that they reached."""
    utilisation = report.utilisation
    return {
        "elapsed_s": round(utilisation.elapsed_s, 3),
        "embedding_s": round(utilisation.embedding_s, 3),
        "waiting_s": round(utilisation.waiting_s, 3),
        "decoding_s": round(utilisation.decoding_s, 3),
        "of_model": round(utilisation.of_model, 3),
        "of_decoders": round(utilisation.of_decoders, 3),
    }


_RATES_FROM_S = 5.0
"""Seconds of a run from which its rates are told: a shorter one mostly starts and ends."""


def _report_utilisation(report: IngestReport) -> None:
    """Print what was embedded, and of a run that lasts what limits its speed."""
    utilisation = report.utilisation
    if report.embedded and utilisation.elapsed_s:
        rate = report.embedded / utilisation.elapsed_s
        rows = "item" if report.items == report.read else "row"
        rows += "" if report.embedded == 1 else "s"
        if utilisation.elapsed_s < _RATES_FROM_S:
            console.say(f"Embedded {report.embedded:,} {rows}.")
            return
        console.say(
            f"Embedded {report.embedded:,} {rows}, {rate:,.1f}/s: the model was at work "
            f"{utilisation.of_model:.0%} of the time, the {utilisation.decoders} decoding threads "
            f"{utilisation.of_decoders:.0%} of theirs."
        )
