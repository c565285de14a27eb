"""The commands that bring items in; parsing and printing, no logic."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from indexer.catalog.options import CatalogOptions
from indexer.commands import console
from indexer.commands.computing import Computing, with_computing
from indexer.commands.ingest_report import conclude
from indexer.commands.objects import with_objects
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
from indexer.commands.syncing import with_syncing
from indexer.commands.tables import Tables, split_names, with_tables
from indexer.core.errors import UsageError
from indexer.core.layout import Layout
from indexer.core.object_options import ObjectOptions
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
        layout=Layout.of_options(vector_type, index_metadata or ()),
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
    with console.interruptible_watch("Ingesting") as watch:
        report = job.ingest(common, sources, options, watch)
    conclude(report, common, output, fail_on_errors=fail_on_errors, verb="ingest")


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
    from indexer.jobs import retry as job

    options = reading.ingest_options(
        sizes=PipelineSizes(workers=workers, batch_size=common.batch_size),
        embed_titles=embed_titles,
        cluster=computing.cluster(),
    )
    with console.interruptible_watch("Retrying") as watch:
        report, skipped = job.retry(common, options, watch)
    if skipped:
        console.say(f"{skipped} were left alone: correct their table and ingest it again.")
    conclude(report, common, output, fail_on_errors=fail_on_errors, verb="retry")
