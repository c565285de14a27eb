"""The items of a catalog in the order in which they are kept, and the vectors of their pictures."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from indexer.catalog.catalog import OpenCatalog
from indexer.catalog.item_rows import CatalogItems, places_by_shard, row_keys
from indexer.core.errors import UsageError
from indexer.core.records import BoolArray, FloatArray, IndexArray
from indexer.core.scratch import ScratchVectors
from indexer.core.vectors import rows_of_groups
from indexer.core.watch import Watch
from queries.duplicates.contents import same_contents
from queries.duplicates.leaders import ItemViews, Led, join_nearest, lead
from queries.duplicates.leading_lists import lead_in_lists
from queries.duplicates.lists import Lists, Probing

if TYPE_CHECKING:
    import pyarrow as pa

_HASH_DIGITS = 32
"""Of a content's SHA-256: 128 bits tell a billion contents apart."""


@dataclass(frozen=True, slots=True)
class Places:
    """Rows of the archive: their shards, int32 (m,), and rows there, int32 (m,)."""

    shards: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.shards)

    def take(self, places: IndexArray | BoolArray) -> Places:
        """Some of them."""
        return Places(self.shards[places], self.rows[places])

    def by_shard(self) -> Iterator[tuple[int, IndexArray]]:
        """Each shard with the places of its rows."""
        return places_by_shard(self.shards)


@dataclass(frozen=True, slots=True)
class Rows:
    """The n items in the order in which they are kept: the first of a group leads it.

    Attributes:
        leads: the row that stands for each item.
        views: the m pictures that are compared, those of an item together. Boxes are not: two
            photos with the same thing in them, or with the same bare ground, are not look-alikes.
        starts: int64 (n,), the first one of each item.
        first: int64 (n,), the first item with the same pictures; its own where it is.
        shared: pictures that so many items have that they are not compared.
    """

    leads: Places
    views: Places
    starts: IndexArray
    first: IndexArray
    shared: int

    @classmethod
    def of(cls, catalog: OpenCatalog, keep_by: str | None) -> Rows:
        """All items of a catalog."""
        items = catalog.ledger.items()
        shards, rows, numbers = [], [], []
        for shard_items in items:
            shards.append(np.full(len(shard_items.rows), shard_items.shard, dtype=np.int32))
            rows.append(shard_items.rows.astype(np.int32))
            if keep_by:
                table = catalog.archive.table(shard_items.shard, ["metadata_json"])
                texts = table.column(0).take(shard_items.rows).to_pylist()
                numbers.append(_numbers(texts, keep_by))
        if not shards:
            raise UsageError(f"catalog {catalog.folder.name!r} has no items: ingest some first.")
        leads = Places(np.concatenate(shards), np.concatenate(rows))
        order = np.arange(len(leads))
        if keep_by:
            values = np.concatenate(numbers)
            if np.isinf(values).all():
                raise UsageError(
                    f"--keep-by {keep_by}: no item has a number in this column of its metadata. "
                    "Name another column, or leave it out to keep what was ingested first."
                )
            order = np.argsort(-values, kind="stable")
        views, owners = _views(items, leads, order, boxes=_boxes(catalog))
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        same = same_contents(_contents(catalog, views), starts)
        counts = np.add.reduceat(same.compared, starts, dtype=np.int64)
        return cls(
            leads=leads.take(order),
            views=views.take(same.compared),
            starts=np.cumsum(counts) - counts,
            first=same.first,
            shared=same.shared,
        )

    @property
    def owners(self) -> IndexArray:
        """int64 (m,): the item of each picture."""
        return np.repeat(np.arange(len(self.starts)), self.counts)

    @property
    def counts(self) -> IndexArray:
        """int64 (n,): pictures of each item that are compared."""
        return np.diff(np.append(self.starts, len(self.views)))

    def vectors(self, catalog: OpenCatalog) -> FloatArray:
        """float32 (m, d): of all pictures."""
        vectors = np.empty((len(self.views), catalog.archive.width), dtype=np.float32)
        for places, block in self.blocks(catalog):
            vectors[places] = block
        return vectors

    def blocks(self, catalog: OpenCatalog) -> Iterator[tuple[IndexArray, FloatArray]]:
        """The pictures of each shard and their vectors."""
        for shard, places in self.views.by_shard():
            yield places, catalog.archive.vectors(shard)[self.views.rows[places]]

    def views_of(self, items: IndexArray) -> tuple[IndexArray, IndexArray]:
        """The pictures of some items, int64 (k,), and the place of the first one of each."""
        return rows_of_groups(self.starts, len(self.views), items)


def described(catalog: OpenCatalog, places: Places, names: list[str]) -> pa.Table:
    """Text columns of some rows, in their order, each under its item's id; a shard is read once."""
    import pyarrow as pa

    parts = [pa.schema([(name, pa.string()) for name in names]).empty_table()]
    order = [np.empty(0, dtype=np.int64)]
    for shard, block in places.by_shard():
        table = catalog.archive.table(shard, names).take(pa.array(places.rows[block]))
        if "item_id" in names:
            row_ids = table.column("item_id").to_pylist()
            parents = catalog.ledger.parts.parents(row_ids)
            ids = [parents.get(row_id, row_id) for row_id in row_ids]
            table = table.set_column(names.index("item_id"), "item_id", pa.array(ids, pa.string()))
        parts.append(table)
        order.append(block)
    back = np.argsort(np.concatenate(order))
    return pa.concat_tables(parts).take(pa.array(back)).combine_chunks()


def _boxes(catalog: OpenCatalog) -> Places:
    """The rows that are boxes."""
    box_places = np.array(list(catalog.ledger.parts.boxes()), dtype=np.int32).reshape(-1, 2)
    return Places(box_places[:, 0], box_places[:, 1])


def _views(
    items: CatalogItems, leads: Places, order: IndexArray, *, boxes: Places
) -> tuple[Places, IndexArray]:
    """The rows of items, those of an item together, its lead row first, and the item of each.

    Args:
        leads: of n items, by shard and row.
        order: int64 (n,), the items in the order in which they are kept.
        boxes: rows that are left out where they do not stand for their item.
    """
    followers = items.followers
    other_places = Places(followers.shards, followers.rows)
    is_view = ~np.isin(
        row_keys(other_places.shards, other_places.rows), row_keys(boxes.shards, boxes.rows)
    )
    other_places = other_places.take(is_view)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    keys = row_keys(leads.shards, leads.rows)
    led = rank[np.searchsorted(keys, row_keys(followers.lead_shards, followers.lead_rows))][is_view]
    owners = np.concatenate([rank, led])
    together = np.argsort(owners, kind="stable")
    views = Places(
        np.concatenate([leads.shards, other_places.shards]),
        np.concatenate([leads.rows, other_places.rows]),
    )
    return views.take(together), owners[together]


def _contents(catalog: OpenCatalog, views: Places) -> IndexArray:
    """int64 (m,): equal numbers for pictures with equal contents."""
    hashes = np.empty(len(views), dtype=f"S{_HASH_DIGITS}")
    for shard, places in views.by_shard():
        column = catalog.archive.table(shard, ["content_hash"]).column(0)
        hashes[places] = [
            text[:_HASH_DIGITS] for text in column.take(views.rows[places]).to_pylist()
        ]
    return np.unique(hashes, return_inverse=True)[1].astype(np.int64)


def _numbers(metadata: list[str], column: str) -> npt.NDArray[np.float64]:
    """The column's numbers; minus infinity where an item has none."""
    values = np.full(len(metadata), -np.inf)
    for row, text in enumerate(metadata):
        with contextlib.suppress(TypeError, ValueError):
            number = float(json.loads(text).get(column))
            values[row] = number if np.isfinite(number) else -np.inf
    return values


class InMemory:
    """All vectors in memory: each item is compared with each."""

    probing: Probing | None = None

    def __init__(self, catalog: OpenCatalog, rows: Rows) -> None:
        self._views = ItemViews(rows.vectors(catalog), rows.starts)

    def lead(self, threshold: float, active: BoolArray, watch: Watch) -> Led:
        """Group the active items."""
        items = np.flatnonzero(active)
        views = self._views.take(items)
        led = lead(views, threshold, watch=watch)
        join_nearest(views, led)
        leaders = np.arange(len(active))
        similarities = np.ones(len(active), dtype=np.float32)
        leaders[items], similarities[items] = items[led.leaders], led.similarities
        return Led(leaders, similarities)

    def steps(self, active: BoolArray) -> int:
        """Steps that ``lead`` reports."""
        return int(active.sum())

    def take(self, views: IndexArray) -> FloatArray:
        """float32 (k, d): of some pictures."""
        return self._views.vectors[views]


class OnDisk:
    """Vectors in lists on disk: an item is compared with the lists nearest to its pictures."""

    def __init__(self, watch: Watch, catalog: OpenCatalog, rows: Rows, threshold: float) -> None:
        watch.begin("Sorting into lists", None)
        scratch = ScratchVectors(
            catalog.folder.root, count=len(rows.views), width=catalog.archive.width
        )
        self._lists = Lists(scratch, lambda: rows.blocks(catalog), rows.owners)
        self.probing = self._lists.choose_probes(threshold)

    def lead(self, threshold: float, active: BoolArray, watch: Watch) -> Led:
        """Group the active items."""
        probes = self.probing.probes
        return lead_in_lists(self._lists, threshold, probes, active=active, watch=watch)

    def steps(self, _active: BoolArray) -> int:
        """Steps that ``lead`` reports."""
        return 2 * self._lists.count

    def take(self, views: IndexArray) -> FloatArray:
        """float32 (k, d): of some pictures."""
        return self._lists.take(views)
