"""How an ingestion reads, decodes, embeds and stores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from indexer.core.layout import AS_IT_IS, Layout
from indexer.core.object_options import ObjectOptions
from indexer.ingestion.ray import ClusterOptions
from indexer.ingestion.reports import PipelineSizes
from indexer.jobs.sync_options import SyncOptions
from indexer.sources import Fetcher, TableOptions
from indexer.sources.decoding import Decoder
from indexer.sources.decoding.sounds import SoundDecoder
from indexer.sources.downloads import Spool
from indexer.sources.hosts import PER_HOST
from indexer.sources.video import VideoDecoder

CLIP_LOGIT_SCALE = 100.0
"""The logit scale of OpenAI's CLIP models after training (Radford et al. 2021, section 2.5)."""


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

    def fetcher(self, spool: Spool | None = None) -> Fetcher:
        """What reads the bytes of items.

        Args:
            spool: where downloads wait on disk until they are decoded; None keeps them in memory.
        """
        return Fetcher(
            max_bytes=self.decoder.max_bytes,
            max_sound_bytes=self.sounds.max_bytes,
            timeout_s=self.timeout_s,
            retries=self.retries,
            per_host=self.per_host,
            headers=self.headers,
            spool=spool,
        )
