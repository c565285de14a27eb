"""Lays the items of a catalog out in two dimensions, and stores their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from indexer.catalog.catalog import OpenCatalog
from indexer.catalog.item_rows import CatalogItems, ItemRows
from indexer.catalog.item_vectors import mean_vectors
from indexer.catalog.locks import exclusive_lock
from indexer.core.errors import CatalogError, UsageError
from indexer.core.records import FloatArray, IndexArray
from indexer.core.watch import Watch
from queries.projection import quality
from queries.projection.item_map import current_map
from queries.projection.laying_out import lay_out
from queries.projection.methods import Method, chosen_method
from queries.projection.principal_axes import Moments
from queries.projection.projection_file import (
    Made,
    Projection,
    content_keys,
    digest_of,
    write_projection,
)

if TYPE_CHECKING:
    import pyarrow as pa

MOST_POINTS = 100_000
"""Points that a browser shows smoothly; of more items these are drawn at random."""

DIMENSIONS = 64
"""Principal axes that UMAP looks at: all items are then in memory with 256 bytes each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionOptions:
    """How to lay items out.

    Attributes:
        method: None is UMAP where it is installed, else PCA.
        seed: the same one gives the same map of the same items.
        most: points; of more items so many are drawn at random.
        again: also where the stored map has all items, by the same method and seed.
    """

    method: Method | None = None
    seed: int = 0
    most: int = MOST_POINTS
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionReport:
    """What was laid out.

    Attributes:
        items: of the catalog.
        points: of them on the map.
        method: ``umap`` or ``pca``.
        reason: why it is PCA where that was not asked for; else empty.
        seed: of the random numbers.
        trustworthiness: how far neighbours on the map are neighbours by embedding, 0 to 1; None
            where there are too few items to tell.
        measured_on: items that it was measured on.
        unchanged: the stored map had all items already, and stayed.
    """

    items: int
    points: int
    method: str
    reason: str
    seed: int
    trustworthiness: float | None
    measured_on: int
    unchanged: bool = False


def project_items(
    catalog: OpenCatalog, options: ProjectionOptions = ProjectionOptions(), watch: Watch = Watch()
) -> ProjectionReport:
    """Lay the items out, and store their places beside the archive.

    An item lies where its vector says; one of several pictures by their mean. Vectors are read
    twice, shard by shard: for the principal axes, and along these.

    Raises:
        CatalogError: another command lays the items out.
        UsageError: the catalog has no items, or UMAP is asked for and not installed.
        StoppedError: ``watch`` stopped it; the earlier map is still there.
    """
    name = catalog.folder.name
    refusal = (
        f"another zeroshelf command is laying out the items of catalog {name!r}. Wait for it to "
        "finish, or stop it."
    )
    with exclusive_lock(catalog.folder.root / "map.lock", refusal):
        leads = {items.shard: items.rows for items in catalog.ledger.items()}
        total = sum(map(len, leads.values()))
        if not total:
            raise UsageError(f"catalog {name!r} has no items: ingest some first.")
        method, reason = chosen_method(options.method, min(total, options.most))
        if not options.again and (stored := _stored(catalog, method, options, total)) is not None:
            return _report(stored.made, len(stored), reason, unchanged=True)
        leads = _drawn(leads, total, options)
        items = catalog.ledger.items().only(leads)
        count = sum(map(len, leads.values()))
        columns, moments = _first_reading(catalog, items, count, watch)
        axes = moments.principal_axes(DIMENSIONS)
        reduced, sample, sampled = _second_reading(
            catalog, items, count, axes.project, options.seed, watch
        )
        watch.begin("Laying out", None)
        places = lay_out(reduced, method, seed=options.seed, stop=watch.stop)
        watch.check_stop()
        made = Made(
            method=method.value,
            seed=options.seed,
            items=total,
            trustworthiness=quality.trustworthiness(sampled, places[sample]),
            measured_on=len(sample),
            model=digest_of(catalog.fingerprint),
            time=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_projection(catalog.folder.projection, Projection(made, *columns, places))
    return _report(made, count, reason)


def _stored(
    catalog: OpenCatalog, method: Method, options: ProjectionOptions, total: int
) -> Projection | None:
    """The stored projection, where it has all items that a new one would have, by the same way."""
    try:
        stored = current_map(catalog)
    except CatalogError:  # damaged: made again
        return None
    if stored is None:
        return None
    made = stored.made
    if (made.method, made.seed, made.items) != (method.value, options.seed, total):
        return None
    whole = stored.gone == 0 and len(stored.projection) == min(total, options.most)
    return stored.projection if whole else None


def _report(made: Made, points: int, reason: str, *, unchanged: bool = False) -> ProjectionReport:
    return ProjectionReport(
        items=made.items,
        points=points,
        method=made.method,
        reason=reason,
        seed=made.seed,
        trustworthiness=made.trustworthiness,
        measured_on=made.measured_on,
        unchanged=unchanged,
    )


def _drawn(
    leads: dict[int, IndexArray], total: int, options: ProjectionOptions
) -> dict[int, IndexArray]:
    """The lead rows that are laid out, by shard: all, or as many as may be."""
    if total <= options.most:
        return leads
    is_drawn = np.zeros(total, dtype=bool)
    numbers = np.random.default_rng(options.seed)
    is_drawn[numbers.choice(total, options.most, replace=False)] = True
    drawn, start = {}, 0
    for shard, rows in leads.items():
        drawn[shard] = rows[is_drawn[start : start + len(rows)]]
        start += len(rows)
    return {shard: rows for shard, rows in drawn.items() if len(rows)}


def _blocks(
    catalog: OpenCatalog, items: CatalogItems, watch: Watch
) -> Iterator[tuple[ItemRows, FloatArray]]:
    """The items of each shard and their vectors, float32 (n, d)."""
    for rows in items.with_vectors(catalog.folder.root):
        views, starts = rows.views(catalog.archive.vectors(rows.shard))
        yield rows, mean_vectors(views, starts)
        watch.advance(len(rows.rows))
        watch.check_stop()


def _first_reading(
    catalog: OpenCatalog, items: CatalogItems, count: int, watch: Watch
) -> tuple[tuple[IndexArray, IndexArray, pa.Array, pa.Array], Moments]:
    """Which the items are, as the columns of ``Projection``, and their moments."""
    import pyarrow as pa

    watch.begin("Finding the main axes", count)
    moments = Moments(catalog.archive.width)
    shards, rows, ids, contents = [], [], [], []
    for block, vectors in _blocks(catalog, items, watch):
        moments.add(vectors)
        table = catalog.archive.table(block.shard, ["item_id", "content_hash"]).take(block.rows)
        shards.append(np.full(len(block.rows), block.shard, dtype=np.int64))
        rows.append(block.rows)
        ids += block.item_ids(table["item_id"]).chunks
        contents.append(content_keys(table["content_hash"]))
    arrays = pa.concat_arrays(ids), pa.concat_arrays(contents)
    return (np.concatenate(shards), np.concatenate(rows), *arrays), moments


def _second_reading(
    catalog: OpenCatalog,
    items: CatalogItems,
    count: int,
    project: Callable[[FloatArray], FloatArray],
    seed: int,
    watch: Watch,
) -> tuple[FloatArray, IndexArray, FloatArray]:
    """The items along the main axes, and a sample of them by their whole vectors.

    Returns:
        float32 (n, k); int64 (s,), the places of the sampled items; float32 (s, d).
    """
    watch.begin("Reading along them", count)
    numbers = np.random.default_rng(seed)
    size = min(count, quality.SAMPLE)
    sample = np.sort(numbers.choice(count, size, replace=False)).astype(np.int64)
    sampled = np.empty((size, catalog.archive.width), dtype=np.float32)
    reduced = np.empty((count, min(DIMENSIONS, catalog.archive.width)), dtype=np.float32)
    start = 0
    for block, vectors in _blocks(catalog, items, watch):
        end = start + len(block.rows)
        reduced[start:end] = project(vectors)
        first, last = np.searchsorted(sample, [start, end])
        sampled[first:last] = vectors[sample[first:last] - start]
        start = end
    return reduced, sample, sampled
