"""Ingests the dead letters of a catalog again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import ItemError, UsageError
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, Item, Kind, failure
from indexer.core.watch import Watch
from indexer.ingestion.reports import IngestReport
from indexer.jobs.cluster import cluster_stages
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.source_ingestion import ingest_source
from indexer.sources import read_vector
from indexer.sources.table_pictures import table_of

TABLE_FAULTS = frozenset(
    {Reason.BAD_ID, Reason.BAD_METADATA, Reason.DUPLICATE_ID, Reason.EMPTY_TEXT}
)
"""Failures of a table's row itself: only the corrected table, ingested again, can help."""


def retry(
    catalog_options: CatalogOptions,
    options: IngestOptions,
    watch: Watch = Watch(),
) -> tuple[IngestReport, int]:
    """Ingest the dead letters again; those that work leave the file.

    Returns:
        The report, and the number of letters that were skipped, since only their corrected
        table, ingested again, can help them.
    """
    with open_catalog(catalog_options, write=True, migrating=True) as catalog:
        catalog.create_collections()
        letters = catalog.dead_letters.all()
        to_retry = [letter.item for letter in letters if not _needs_corrected_table(letter)]
        has_vectors = any(item.kind is Kind.VECTOR for item in to_retry)
        if has_vectors and options.cluster is not None:
            raise UsageError(
                f"catalog {catalog.folder.name!r} has dead letters that came as vectors, and "
                "--engine ray embeds: leave it out."
            )
        embeds = any(item.kind is not Kind.VECTOR for item in to_retry)
        with (
            cluster_stages(catalog_options, options)
            if embeds
            else contextlib.nullcontext() as stages
        ):
            report = ingest_source(
                catalog,
                _DeadItems(to_retry),
                options,
                watch,
                stage="Retrying",
                embeds=embeds,
                stages=stages,
            )
        return report, len(letters) - len(to_retry)


def _needs_corrected_table(letter: Failure) -> bool:
    """Whether only the corrected table can help."""
    # The id of a row that can't be parsed is its place in the table.
    unparsed = letter.item.item_id == letter.item.source and table_of(letter.item.source)
    return letter.reason in TABLE_FAULTS or bool(unparsed)


class _DeadItems:
    """The dead letters as a source."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items

    def __iter__(self) -> Iterator[Item | Failure]:
        for item in self._items:
            if item.kind is not Kind.VECTOR:
                yield item
                continue
            try:
                yield replace(item, vector=read_vector(item.source))
            except ItemError as error:
                yield failure(item, Stage.READ, error.reason, str(error))

    def count(self) -> int:
        return len(self._items)
