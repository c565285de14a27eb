"""The vectors of single items, and their means."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from indexer.catalog.archive import Archive
from indexer.catalog.parts import PartIndex, PartRow
from indexer.core.records import FloatArray, IndexArray

_TINY = 1e-6


def mean_vectors(views: FloatArray, starts: IndexArray) -> FloatArray:
    """float32 (n, d): the normalised mean of each item's vectors.

    Args:
        views: float32 (m, d), rows of length 1, those of an item together.
        starts: int64 (n,), each item's first row.
    """
    if len(starts) == len(views):
        return views
    sums = np.add.reduceat(views.astype(np.float64), starts)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    single = np.diff(np.append(starts, len(views))) == 1
    # Views that cancel each other out have no mean: the first one stands for them.
    takes_first = single[:, np.newaxis] | (lengths < _TINY)
    return np.where(takes_first, views[starts], sums / np.maximum(lengths, _TINY)).astype(
        np.float32
    )


@dataclass(frozen=True, slots=True)
class ItemVectors:
    """The vectors of one item.

    Attributes:
        rows: its rows, the lead first.
        views: float32 (m, d), a vector a row.
        title: float32 (d,), of the lead row's title; None where it has none.
    """

    rows: list[PartRow]
    views: FloatArray
    title: FloatArray | None

    @property
    def mean(self) -> FloatArray:
        """float32 (d,), of length 1."""
        vector: FloatArray = mean_vectors(self.views, np.zeros(1, dtype=np.int64))[0]
        return vector


def vectors_of_items(
    archive: Archive, index: PartIndex, item_ids: Sequence[str]
) -> dict[str, ItemVectors]:
    """Stored vectors of items, by id; items that are not there are left out."""
    by_item = index.rows_of(item_ids)
    rows = sorted(itertools.chain(*by_item.values()), key=lambda row: row.shard)
    # In the order of the shards, so that the archive reads each of them once.
    vectors = {row.row_id: archive.vector(row.shard, row.row) for row in rows}
    leads = {item_rows[0].row_id for item_rows in by_item.values()}
    titles = {
        row.row_id: archive.title(row.shard, row.row)[1] for row in rows if row.row_id in leads
    }
    return {
        item_id: ItemVectors(
            item_rows,
            np.stack([vectors[row.row_id] for row in item_rows]),
            titles[item_rows[0].row_id],
        )
        for item_id, item_rows in by_item.items()
    }


@dataclass(frozen=True, slots=True)
class MeanVectors:
    """One vector an item.

    Attributes:
        places: the row of ``vectors`` by item id.
        vectors: float32 (n, d), rows of length 1.
    """

    places: dict[str, int]
    vectors: FloatArray


def mean_vectors_of_items(
    archive: Archive, index: PartIndex, item_ids: Sequence[str]
) -> MeanVectors:
    """The mean vectors of many items; each shard is read once.

    Items that are not there are left out.
    """
    by_item = index.rows_of(item_ids)
    rows = [row for item_rows in by_item.values() for row in item_rows]
    counts = np.array([len(item_rows) for item_rows in by_item.values()], dtype=np.int64)
    views = np.empty((len(rows), archive.width), dtype=np.float32)
    by_shard: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        by_shard.setdefault(row.shard, []).append(place)
    for shard, places in by_shard.items():
        views[places] = archive.vectors(shard)[[rows[place].row for place in places]]
    places_by_id = {item_id: place for place, item_id in enumerate(by_item)}
    return MeanVectors(places_by_id, mean_vectors(views, np.cumsum(counts) - counts))
