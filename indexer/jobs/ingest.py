"""Ingests sources into a catalog, which is made if it does not exist."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from indexer.catalog.fingerprints import PRECOMPUTED
from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_or_create
from indexer.core.column_types import ColumnType
from indexer.core.errors import UsageError
from indexer.core.protocols import Source
from indexer.core.records import Fingerprint
from indexer.core.suggestions import did_you_mean
from indexer.core.watch import Watch
from indexer.encoder import name_of
from indexer.ingestion.known_downloads import KnownDownloads
from indexer.ingestion.reports import IngestReport
from indexer.jobs.cluster import cluster_stages
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.source_ingestion import ingest_source
from indexer.jobs.sync import TrackedSources
from indexer.sources import addresses, open_sources
from indexer.sources.downloads import Downloads, Spool
from indexer.sources.embeddings import with_vectors
from indexer.sources.table import TableSource

_log = logging.getLogger(__name__)


def ingest(
    catalog_options: CatalogOptions,
    sources: Sequence[str],
    options: IngestOptions,
    watch: Watch = Watch(),
) -> IngestReport:
    """Ingest sources into a catalog, which is made if it does not exist.

    Raises:
        SourceError: a source can't be read, is empty, or lacks a column.
        ModelError: the model is missing, or is not the catalog's.
        StoreError: the database failed; the embedded items are in the archive.
        ClusterError: the cluster is away or lost its workers; finished shards are kept.
    """
    folder = catalog_options.folder
    sources, table = with_vectors(sources, options.table)
    has_vectors = table.vectors is not None or bool(table.vector_column)
    if has_vectors and options.cluster is not None:
        raise UsageError(
            "--engine ray embeds on many machines, and --vectors are embedded already: leave "
            "one of them out."
        )
    if folder.exists():
        width = folder.fingerprint().width if has_vectors else None
        table = replace(table, width=width, known_types=folder.column_types())
    source = open_sources(sources, table)
    _check_text_columns(options.text_columns or (), source.column_types)
    names = [address for name in sources for address in addresses.expand(name)]

    precomputed = None
    if has_vectors:
        first_table = next(leaf for leaf in source.leaves() if isinstance(leaf, TableSource))
        width = folder.fingerprint().width if folder.exists() else first_table.width
        precomputed = precomputed_fingerprint(catalog_options, width, options.logit_scale)

    def tracked(catalog: OpenCatalog) -> TrackedSources:
        return TrackedSources(catalog.origins, names, source.sources, options.sync.source_name)

    return ingest_items(
        catalog_options,
        source,
        options,
        watch,
        names=names,
        precomputed=precomputed,
        column_types=source.column_types,
        tracked=tracked,
    )


def _check_text_columns(names: Sequence[str], column_types: Mapping[str, ColumnType]) -> None:
    """Refuse a column that no table has, such as a misspelled one; feeds name theirs later."""
    for name in names:
        if column_types and name not in column_types:
            columns = f" There are: {', '.join(sorted(column_types))}."
            raise UsageError(
                f"--text-columns {name!r}: the tables have no such column."
                f"{did_you_mean(name, column_types) or columns}"
            )


def ingest_items(
    catalog_options: CatalogOptions,
    source: Source,
    options: IngestOptions,
    watch: Watch = Watch(),
    *,
    precomputed: Fingerprint | None = None,
    column_types: Mapping[str, ColumnType] = MappingProxyType({}),
    tracked: Callable[[OpenCatalog], TrackedSources] | None = None,
    names: Sequence[str] = (),
) -> IngestReport:
    """As ``ingest``, for items from any source.

    Args:
        precomputed: fingerprint of the items' own vectors, where they have some.
        column_types: types of the items' metadata, to be stored with the catalog.
        tracked: makes the same source as one that records its items' ids in the catalog.
        names: the user's names of the source, which identify its downloads.
    """
    if options.objects is not None and options.objects.detector:
        from indexer.encoder.detection import require_detector

        # Before a catalog is made for it.
        require_detector(options.objects.detector, catalog_options.device)
    with contextlib.ExitStack() as stack:
        stages = stack.enter_context(cluster_stages(catalog_options, options))
        catalog = stack.enter_context(
            open_or_create(
                catalog_options,
                made_by=precomputed if stages is None else stages.fingerprints[0],
                partition_key=options.partition_key,
                layout=options.layout,
            )
        )
        catalog.folder.store_column_types(column_types)
        if options.text_columns is not None:
            catalog.folder.store_text_columns(options.text_columns)
        tracking = None if tracked is None else tracked(catalog)
        downloads = None
        if precomputed is None and stages is None:
            earlier = Downloads(catalog.folder.downloads, names)  # resumes those of a killed run
            downloads = KnownDownloads(
                stack.enter_context(contextlib.closing(earlier)),
                Spool(catalog.folder.fetched),
                find_contents=catalog.ledger.find_contents,
                trust_urls=options.trust_urls,
            )
        report = ingest_source(
            catalog,
            source if tracking is None else tracking,
            options,
            watch,
            stage="Ingesting",
            embeds=precomputed is None,
            stages=stages,
            downloads=downloads,
        )
        if not report.interrupted:
            _tidy_dead_letters(catalog, names)
            if downloads is not None:
                downloads.end()
            if tracking is not None:
                tracking.settle(catalog, options.sync, report)
        return report


def _tidy_dead_letters(catalog: OpenCatalog, names: Sequence[str]) -> None:
    """Forget the rows that could not be parsed: those that still can't were written again."""
    catalog.dead_letters.forget_unread_rows(list(map(addresses.absolute, names)))
    catalog.dead_letters.forget_earlier(catalog.ledger.seen)
    catalog.dead_letters.tidy()


def precomputed_fingerprint(options: CatalogOptions, width: int, logit_scale: float) -> Fingerprint:
    """The fingerprint of imported vectors: of the named model, else of the catalog's."""
    stored = options.folder.fingerprint().model if options.folder.exists() else PRECOMPUTED
    return Fingerprint(
        model=name_of(options.model) if options.model else stored,
        revision="",
        preprocessing="",
        width=width,
        logit_scale=logit_scale,
    )
