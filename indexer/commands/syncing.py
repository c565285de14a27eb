"""Options of ``--sync`` for items that their source no longer has, and the report on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from indexer.commands import console
from indexer.commands.options import option, with_options
from indexer.jobs.sync_options import SyncOptions

if TYPE_CHECKING:
    from indexer.ingestion.reports import IngestReport


def _syncing(
    *,
    sync: Annotated[
        bool,
        option("--sync", help="Take out the items of this source that it has no more."),
    ] = False,
    max_removed: Annotated[
        float,
        option(
            min=0.0, max=1.0, help="Largest share of the source's items that --sync may take out."
        ),
    ] = 0.2,
    source_name: Annotated[
        str,
        option(
            help="What the sources are called together, where they have another address each "
            "time. Default: each by its address.",
            show_default=False,
        ),
    ] = "",
) -> SyncOptions:
    return SyncOptions(remove=sync, max_removed=max_removed, source_name=source_name)


with_syncing = with_options("syncing", _syncing)
"""Puts them in the place of a command's parameter ``syncing``."""


def tell_absent(report: IngestReport) -> bool:
    """Print errors of the sync, and of sources without a stored item.

    Returns:
        Whether there are none.
    """
    if report.sync_problem:
        console.fail(
            f"--sync took nothing out. {report.absent:,} items are in the catalog and not in this "
            f"source, but {report.sync_problem}."
        )
    for source in report.dead_sources:
        console.fail(f"no item of {source} could be stored: all of them are dead letters.")
    return not report.sync_problem and not report.dead_sources
