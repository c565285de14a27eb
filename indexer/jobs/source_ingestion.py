"""Ingests one source into an opened catalog: archive, ledger and database."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from indexer.catalog.decisions import carry_decisions
from indexer.catalog.fingerprints import require_same
from indexer.catalog.ledger import Place
from indexer.catalog.objects import object_finder
from indexer.catalog.opening import OpenCatalog
from indexer.core.errors import StoreError
from indexer.core.protocols import Encoder, Source
from indexer.core.records import EmbeddedItem, Kind
from indexer.core.towers import embedded_kinds
from indexer.core.watch import Watch
from indexer.ingestion import segments
from indexer.ingestion.known_downloads import KnownDownloads
from indexer.ingestion.objects import ObjectSegmenter, ObjectTally
from indexer.ingestion.pipeline import Ingestion
from indexer.ingestion.ray import RayStages
from indexer.ingestion.reports import IngestReport
from indexer.ingestion.segments import Segmenter
from indexer.ingestion.sounds import SoundSegmenter
from indexer.ingestion.stages import LocalStages
from indexer.ingestion.storing import StoreWriter, mark_stored
from indexer.ingestion.video_segmenter import VideoSegmenter
from indexer.ingestion.videos import FrameTally, VideoEmbedder
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.loading import store_missing
from indexer.jobs.title_fit import warn_of_title_mismatch
from indexer.sources import Fetcher
from indexer.sources.open_files import open_file

_log = logging.getLogger(__name__)


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
    encoder = catalog.encoder if embeds and stages is None else None
    tallies = FrameTally(), ObjectTally()
    decoder = replace(options.decoder, least_side=encoder.least_side if encoder else None)
    with (
        _store_writer(catalog, options, watch) as writer,
        options.fetcher(None if downloads is None else downloads.spool) as fetcher,
    ):
        used_stages = stages or LocalStages(
            fetch=fetcher.read,
            decode=decoder.decode,
            encoder=encoder,
            sizes=options.sizes,
            sounds=options.sounds,
            download=None if downloads is None else fetcher.download,
        )
        report = Ingestion(
            stages=used_stages,
            downloads=downloads,
            archive=catalog.archive,
            ledger=catalog.ledger,
            dead_letters=catalog.dead_letters,
            sizes=options.sizes,
            title_encoder=(stages or encoder) if options.embed_titles else None,
            max_views=options.max_views,
            check=segments.refuse_unpartitioned(catalog.partition_key)
            if catalog.partition_key
            else iter,
            segment=_segmenter(catalog, options, fetcher, tallies, stages or encoder)
            if embeds
            else iter,
            on_shard=partial(_store_shard, on_shard, writer),
            on_replaced=partial(_carry_decisions, catalog),
            on_progress=partial(_follow_item, catalog, writer, watch),
            stop=watch.stop,
        ).run(source)
    _add_tallies(report, *tallies, stages)
    report.ignored_profiles = (stages or decoder).ignored_profiles.take()
    _update_index(catalog, options.index)
    warn_of_title_mismatch(catalog)
    return report


def _add_tallies(
    report: IngestReport, frames: FrameTally, objects: ObjectTally, stages: RayStages | None
) -> None:
    """Add what the segmenters and a cluster's stages have counted themselves."""
    if stages is not None:
        report.lost_workers = stages.lost_workers
        report.repeated_batches = stages.repeated_batches
    report.frames = frames.frames
    report.boxes, report.without_box = objects.boxes, objects.pictures_without
    report.outdated_boxes, report.object_words = objects.outdated, objects.words
    report.utilisation.embedding_s += frames.stopwatch.seconds + objects.stopwatch.seconds


def _carry_decisions(
    catalog: OpenCatalog, shard: int, rows: Sequence[EmbeddedItem], previous: Mapping[str, Place]
) -> None:
    described = [(row.item_id, row.content_hash, row.title) for row in rows]
    sets = list(catalog.decisions.files.values())
    carry_decisions(catalog.archive, sets, shard, described, previous)


def _store_shard(on_shard: Callable[[int], object], writer: StoreWriter | None, shard: int) -> None:
    # First: a change of the model copies decisions here, and they are stored with the rows.
    on_shard(shard)
    if writer is not None:
        writer.put(shard)


def _follow_item(
    catalog: OpenCatalog, writer: StoreWriter | None, watch: Watch, _: IngestReport
) -> None:
    if writer is not None:
        mark_stored(catalog.ledger, catalog.items, writer.take_stored())
    watch.advance(1)


@contextlib.contextmanager
def _store_writer(
    catalog: OpenCatalog, options: IngestOptions, watch: Watch
) -> Iterator[StoreWriter | None]:
    """Stores the unstored shards and those that the block adds; waits for them at its end.

    None where a server imports them: it does so once, at the end.
    """
    writer = None
    if not options.staging:
        writer = StoreWriter(catalog.archive, catalog.items, decisions=catalog.decisions.read)
        # What a killed or failed job left comes first, so the same command completes it.
        for shard in catalog.ledger.stored.missing():
            writer.put(shard)
    try:
        yield writer
    finally:
        watch.begin("Storing", None)
        try:
            if writer is not None:
                writer.finish()
            else:
                store_missing(catalog, staging=options.staging)
        except StoreError as error:
            raise type(error)(
                f"{error}. Nothing is lost: what is embedded waits in the archive, and the same "
                "command stores it"
            ) from error
        finally:
            if writer is not None:
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


def _segmenter(
    catalog: OpenCatalog,
    options: IngestOptions,
    fetcher: Fetcher,
    tallies: tuple[FrameTally, ObjectTally],
    model: RayStages | Encoder | None,
) -> Segmenter:
    """Cuts files into parts, as far as the catalog's model embeds them.

    Args:
        model: the encoder, or the stages of the cluster that has it.
    """
    longest_sound_s = None if model is None else model.longest_sound_s
    chain: list[Segmenter] = [
        segments.refuse_others(catalog.fingerprint),
        SoundSegmenter(options.sounds.for_model(longest_sound_s), fetcher.read),
    ]
    if model is None or isinstance(model, RayStages):
        chain.append(segments.refuse_videos)
        return segments.in_turn(chain)
    frames, objects = tallies
    chain.append(
        VideoSegmenter(
            embedder=VideoEmbedder(
                encoder=model,
                decoder=options.videos,
                batch_size=options.sizes.batch_size,
                tally=frames,
            ),
            open_file=partial(open_file, fetcher),
            archive=catalog.archive,
            ledger=catalog.ledger,
            dead_letters=catalog.dead_letters,
        )
    )
    if Kind.PICTURE in embedded_kinds(catalog.fingerprint):
        chain.append(
            ObjectSegmenter(
                encoder=model,
                decode=options.decoder.decode,
                fetch=fetcher.read,
                archive=catalog.archive,
                ledger=catalog.ledger,
                finder=None if options.objects is None else object_finder(catalog, options.objects),
                tally=objects,
            )
        )
    return segments.in_turn(chain)
