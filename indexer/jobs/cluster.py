"""The stages of a job on a cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from indexer.catalog.opening import CatalogOptions, model_of
from indexer.ingestion.ray import RayStages, connected, ray_stages
from indexer.jobs.ingest_options import IngestOptions


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
            fetcher=options.fetcher(),
            decoder=options.decoder,
            sizes=options.sizes,
        ) as stages,
    ):
        yield stages
