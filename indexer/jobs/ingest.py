"""Ingests sources into a catalog, and retries dead letters."""

from __future__ import annotations

import contextlib
import difflib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

from indexer.catalog.decisions import carry_decisions
from indexer.catalog.fingerprints import PRECOMPUTED, require_same
from indexer.catalog.ledger import Place
from indexer.catalog.objects import object_finder
from indexer.catalog.opening import (
    CatalogOptions,
    OpenCatalog,
    model_of,
    open_catalog,
    open_or_create,
)
from indexer.core.column_types import ColumnType
from indexer.core.errors import ItemError, StoreError, UsageError
from indexer.core.failures import failure
from indexer.core.layout import AS_IT_IS, Layout
from indexer.core.object_options import ObjectOptions
from indexer.core.protocols import Encoder, Source
from indexer.core.reasons import Reason, Stage
from indexer.core.records import EmbeddedItem, Failure, Fingerprint, Item, Kind
from indexer.core.towers import embedded_kinds
from indexer.core.watch import Watch
from indexer.encoder import name_of
from indexer.ingestion import segments
from indexer.ingestion.known_downloads import KnownDownloads
from indexer.ingestion.objects import ObjectSegmenter, ObjectTally
from indexer.ingestion.pipeline import Ingestion
from indexer.ingestion.ray import ClusterOptions, RayStages, connected, ray_stages
from indexer.ingestion.reports import IngestReport, PipelineSizes
from indexer.ingestion.segments import Segmenter
from indexer.ingestion.sounds import SoundSegmenter
from indexer.ingestion.stages import LocalStages
from indexer.ingestion.storing import StoreWriter, mark_stored
from indexer.ingestion.video_segmenter import VideoSegmenter
from indexer.ingestion.videos import FrameTally, VideoEmbedder
from indexer.jobs.downloading import run_downloads
from indexer.jobs.loading import DeferredStoreWriter
from indexer.jobs.sync import TrackedSources
from indexer.jobs.sync_options import SyncOptions
from indexer.jobs.title_fit import warn_of_title_mismatch
from indexer.sources import Fetcher, TableOptions, addresses, open_sources, read_vector
from indexer.sources.decoding import Decoder
from indexer.sources.decoding.sounds import SoundDecoder
from indexer.sources.downloads import Spool
from indexer.sources.embeddings import with_vectors
from indexer.sources.hosts import PER_HOST
from indexer.sources.open_files import open_file
from indexer.sources.partition_check import PartitionedSource
from indexer.sources.table import TableSource
from indexer.sources.table_pictures import table_of
from indexer.sources.video import VideoDecoder

CLIP_LOGIT_SCALE = 100.0
"""The logit scale of OpenAI's CLIP models after training (Radford et al. 2021, section 2.5)."""

TABLE_FAULTS = frozenset(
    {Reason.BAD_ID, Reason.BAD_METADATA, Reason.DUPLICATE_ID, Reason.EMPTY_TEXT}
)
"""Failures of a table's row itself: only the corrected table, ingested again, can help."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """How a job reads, decodes, embeds and stores.

    Attributes:
        timeout_s: limit of one download.
        retries: how often a download is retried after a transient failure.
        per_host: requests to one host at once.
        headers: sent with each download, except to other hosts of a redirect.
        trust_urls: do not download a URL again.
        logit_scale: of the model that made precomputed vectors.
        embed_titles: embed titles of pictures too.
        max_views: pictures of an item that are embedded; None is all.
        index: index of the ``items`` collection: ``auto`` or a Milvus index type.
        partition_key: column that a new catalog is partitioned by; None leaves it as it is.
        text_columns: columns whose words a hybrid search finds; None leaves them as they are.
        staging: where a server imports large loads from; empty stores shards as they finish.
        layout: vector type and metadata indexes of the items.
        cluster: the cluster that reads, decodes and embeds; None is this machine.
        sync: what happens to items that their source no longer has.
        objects: how several things in one picture are found; None embeds pictures whole.
    """

    table: TableOptions = field(default_factory=TableOptions)
    sizes: PipelineSizes = field(default_factory=PipelineSizes)
    decoder: Decoder = field(default_factory=Decoder)
    sounds: SoundDecoder = field(default_factory=SoundDecoder)
    videos: VideoDecoder = field(default_factory=VideoDecoder)
    timeout_s: float = 30.0
    retries: int = 2
    per_host: int = PER_HOST
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    trust_urls: bool = False
    logit_scale: float = CLIP_LOGIT_SCALE
    embed_titles: bool = True
    max_views: int | None = None
    index: str = "auto"
    partition_key: str | None = None
    text_columns: tuple[str, ...] | None = None
    staging: str = ""
    layout: Layout = AS_IT_IS
    cluster: ClusterOptions | None = None
    sync: SyncOptions = field(default_factory=SyncOptions)
    objects: ObjectOptions | None = None


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
            near = difflib.get_close_matches(name, column_types, n=3) or sorted(column_types)
            raise UsageError(
                f"--text-columns {name!r}: the tables have no such column. Did you mean "
                f"{', '.join(near)}?"
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
            downloads = stack.enter_context(
                run_downloads(catalog, names, trust_urls=options.trust_urls)
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
        if report.interrupted:
            return report
        places = [address for name in names for address in addresses.expand(name)]
        catalog.dead_letters.forget_unread_rows(list(map(addresses.absolute, places)))
        catalog.dead_letters.tidy()
        if downloads is not None:
            downloads.end()
        if tracking is not None:
            tracking.settle(catalog, options.sync, report)
        return report


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


def ingest_source(
    catalog: OpenCatalog,
    source: Source,
    options: IngestOptions,
    watch: Watch,
    *,
    stage: str,
    embeds: bool,
    on_shard: Callable[[int], object] = lambda _: None,
    stages: RayStages | None = None,
    downloads: KnownDownloads | None = None,
) -> IngestReport:
    """Ingest a source into an opened catalog, archive and database.

    Args:
        stage: its name for the watch.
        embeds: load the model; False where all items have vectors.
        stages: those of a cluster, which has the model then.
        on_shard: called with the number of each finished shard before it is stored.
        downloads: earlier downloads of the items' URLs; None downloads all of them.

    Raises:
        ModelMismatchError: the cluster's workers have another model than the catalog.
    """
    for fingerprint in () if stages is None else stages.fingerprints:
        require_same(catalog.fingerprint, fingerprint, catalog=catalog.folder.name)
    catalog.report_lag()
    watch.begin(stage, source.count())
    if catalog.partition_key:
        source = PartitionedSource(source, catalog.partition_key)
    encoder = catalog.encoder if embeds and stages is None else None
    decoder = replace(options.decoder, least_side=encoder.least_side if encoder else None)
    spool = None if downloads is None else downloads.spool
    model = stages or encoder
    with (
        _store_writer(catalog, options, watch) as writer,
        _fetcher(options, spool) as fetcher,
    ):
        tally, objects = FrameTally(), ObjectTally()
        report = Ingestion(
            stages=stages
            or LocalStages(
                fetch=fetcher.read,
                decode=decoder.decode,
                encoder=encoder,
                sizes=options.sizes,
                sounds=options.sounds,
                download=None if downloads is None else fetcher.download,
            ),
            downloads=downloads,
            archive=catalog.archive,
            ledger=catalog.ledger,
            dead_letters=catalog.dead_letters,
            sizes=options.sizes,
            title_encoder=(stages or encoder) if options.embed_titles else None,
            max_views=options.max_views,
            segment=_segmenter(
                catalog,
                options,
                fetcher,
                (tally, objects),
                encoder,
                longest_sound_s=None if model is None else model.longest_sound_s,
            )
            if embeds
            else iter,
            on_shard=partial(_store_shard, on_shard, writer),
            on_replaced=partial(_carry_decisions, catalog),
            on_progress=partial(_follow_item, catalog, writer, watch),
            stop=watch.stop,
        ).run(source)
        report.frames = tally.frames
        report.boxes, report.without_box = objects.boxes, objects.pictures_without
        report.outdated_boxes, report.object_words = objects.outdated, objects.words
        report.utilisation.embedding_s += tally.stopwatch.seconds + objects.stopwatch.seconds
        report.ignored_profiles = (stages or decoder).ignored_profiles.take()
        if stages is not None:
            report.lost_workers = stages.lost_workers
            report.repeated_batches = stages.repeated_batches
    _update_index(catalog, options.index)
    warn_of_title_mismatch(catalog)
    return report


def _carry_decisions(
    catalog: OpenCatalog, shard: int, rows: Sequence[EmbeddedItem], previous: Mapping[str, Place]
) -> None:
    described = [(row.item_id, row.content_hash, row.title) for row in rows]
    sets = list(catalog.decisions.files.values())
    carry_decisions(catalog.archive, sets, shard, described, previous)


def _store_shard(
    on_shard: Callable[[int], object], writer: StoreWriter | DeferredStoreWriter, shard: int
) -> None:
    on_shard(shard)
    writer.put(shard)


def _follow_item(
    catalog: OpenCatalog, writer: StoreWriter | DeferredStoreWriter, watch: Watch, _: IngestReport
) -> None:
    if stored := writer.take_stored():
        mark_stored(catalog.ledger, catalog.items, stored)
    watch.advance(1)


@contextlib.contextmanager
def _store_writer(
    catalog: OpenCatalog, options: IngestOptions, watch: Watch
) -> Iterator[StoreWriter | DeferredStoreWriter]:
    """Stores the unstored shards and those that the block adds; waits for them at its end."""
    writer = (
        DeferredStoreWriter(catalog, options.staging)
        if options.staging
        else StoreWriter(catalog.archive, catalog.items, decisions=catalog.decisions.read)
    )
    for shard in catalog.ledger.stored.missing():
        writer.put(shard)
    try:
        yield writer
    finally:
        watch.begin("Storing", None)
        try:
            writer.finish()
        except StoreError as error:
            raise type(error)(
                f"{error}. Nothing is lost: what is embedded waits in the archive, and the same "
                "command stores it"
            ) from error
        finally:
            mark_stored(catalog.ledger, catalog.items, writer.take_stored())


def _update_index(catalog: OpenCatalog, kind: str) -> None:
    """Give the items the index that suits their number; warn of an outdated measurement."""
    count = catalog.ledger.count()
    catalog.items.ensure_index(kind, count)
    tuning = catalog.items.tuning
    if tuning is not None and tuning.is_outdated(count):
        _log.warning(
            "how widely catalog %r is searched was measured on %d items, and it has %d now. "
            "Run: zeroshelf tune --catalog %s",
            catalog.folder.name,
            tuning.items,
            count,
            catalog.folder.name,
        )


@contextlib.contextmanager
def cluster_stages(
    catalog_options: CatalogOptions, options: IngestOptions
) -> Iterator[RayStages | None]:
    """Stages on a cluster, with the model of the catalog or of a new one; None without cluster."""
    from indexer.encoder import DEFAULT_MODEL

    if options.cluster is None:
        yield None
        return
    folder = catalog_options.folder
    model = catalog_options.model
    if folder.exists():
        stored = folder.fingerprint()
        model = model_of(catalog_options, stored, catalog=folder.name)
        catalog_options = catalog_options.of_catalog(stored)
    with (
        connected(options.cluster) as cluster,
        ray_stages(
            cluster,
            replace(catalog_options, model=model or DEFAULT_MODEL),
            fetcher=_fetcher(options),
            decoder=options.decoder,
            sizes=options.sizes,
        ) as stages,
    ):
        yield stages


def _segmenter(
    catalog: OpenCatalog,
    options: IngestOptions,
    fetcher: Fetcher,
    tallies: tuple[FrameTally, ObjectTally],
    encoder: Encoder | None,
    *,
    longest_sound_s: float | None,
) -> Segmenter:
    """Cuts files into parts, as far as the catalog's model embeds them.

    Args:
        encoder: the model; None where a cluster has it.
        longest_sound_s: seconds that the model takes whole, wherever it is.
    """
    chain: list[Segmenter] = [
        segments.refuse_others(catalog.fingerprint),
        SoundSegmenter(options.sounds.for_model(longest_sound_s), fetcher.read),
    ]
    if encoder is None:
        chain.append(segments.refuse_videos)
    else:
        embedder = VideoEmbedder(
            encoder=encoder,
            decoder=options.videos,
            batch_size=options.sizes.batch_size,
            tally=tallies[0],
        )
        segmenter = VideoSegmenter(
            embedder=embedder,
            open_file=partial(open_file, fetcher),
            archive=catalog.archive,
            ledger=catalog.ledger,
            dead_letters=catalog.dead_letters,
        )
        chain.append(segmenter)
        if Kind.PICTURE in embedded_kinds(catalog.fingerprint):
            chain.append(
                ObjectSegmenter(
                    encoder=encoder,
                    decode=options.decoder.decode,
                    fetch=fetcher.read,
                    archive=catalog.archive,
                    ledger=catalog.ledger,
                    finder=None
                    if options.objects is None
                    else object_finder(catalog, options.objects),
                    tally=tallies[1],
                )
            )
    return segments.in_turn(chain)


def _fetcher(options: IngestOptions, spool: Spool | None = None) -> Fetcher:
    return Fetcher(
        max_bytes=options.decoder.max_bytes,
        max_sound_bytes=options.sounds.max_bytes,
        timeout_s=options.timeout_s,
        retries=options.retries,
        per_host=options.per_host,
        headers=options.headers,
        spool=spool,
    )


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
