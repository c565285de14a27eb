"""Items of a catalog as inputs, by their stored vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer.catalog.archive import Archive
from indexer.catalog.item_vectors import vectors_of_items
from indexer.catalog.near_ids import hint
from indexer.catalog.opening import OpenCatalog
from indexer.catalog.parts import PartRow
from indexer.core.parts import place_of
from queries.inputs.embedded import EmbeddedInputs, InputViews


def stored_items(
    catalog: OpenCatalog, item_ids: Sequence[str], *, partition: str | None = None
) -> EmbeddedInputs:
    """Items of a catalog by their stored vectors, with those of their titles.

    An item with several pictures has the mean of their vectors.

    Args:
        partition: items of others count as unknown.

    Raises:
        UsageError: there is no such partition.
    """
    requested_ids = list(dict.fromkeys(item_ids))
    absent = f"catalog {catalog.folder.name!r} has no such item"
    if partition is not None:
        catalog.require_partition(partition)
        requested_ids = catalog.ledger.partitions.items_inside(requested_ids, partition)
        absent += f" of {catalog.partition_key} {partition!r}"
    stored = vectors_of_items(catalog.archive, catalog.ledger.parts, requested_ids)
    names = tuple(item_id for item_id in item_ids if item_id in stored)
    vectors = np.zeros((len(names), catalog.archive.width), dtype=np.float32)
    titles = np.zeros_like(vectors)
    for row, name in enumerate(names):
        vectors[row] = stored[name].mean
        title_vector = stored[name].title
        if title_vector is not None:
            titles[row] = title_vector
    counts = np.array([len(stored[name].rows) for name in names], dtype=np.int64)
    rows = [row for name in names for row in stored[name].rows]
    views = InputViews(
        vectors=np.concatenate([vectors[:0], *(stored[name].views for name in names)]),
        starts=np.cumsum(counts) - counts,
        ids=tuple(row.row_id for row in rows),
        places=tuple(_places_of(catalog.archive, rows)),
    )
    return EmbeddedInputs(
        names=names,
        vectors=vectors,
        errors={
            place: f"{absent}{hint(catalog.ledger, item_id, partition=partition)}"
            for place, item_id in enumerate(item_ids)
            if item_id not in stored
        },
        titles=titles if titles.any() else None,
        views=views,
    )


def _places_of(archive: Archive, rows: Sequence[PartRow]) -> list[str]:
    """The place of each row for people, such as ``0:10-0:20``; empty for whole files.

    Args:
        rows: any number; each shard is read once.
    """
    shards = dict.fromkeys(row.shard for row in rows)
    parts = {shard: archive.table(shard, ["part_json"]).column("part_json") for shard in shards}
    return [place_of(parts[row.shard][row.row].as_py() or "") for row in rows]
