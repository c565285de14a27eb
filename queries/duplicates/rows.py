"""The items of a catalog as rows in the order in which they are kept, and their vectors."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from indexer.catalog.catalog import Catalog
from indexer.core.errors import UsageError
from indexer.core.records import BoolArray, FloatArray, IndexArray
from indexer.core.watch import Watch
from queries.duplicates.leaders import Led, join_nearest, lead
from queries.duplicates.leading_lists import lead_in_lists
from queries.duplicates.lists import Lists, Probing

if TYPE_CHECKING:
    import pyarrow as pa

_HASH_DIGITS = 32
"""Of a content's SHA-256: 128 bits tell a billion contents apart."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The items in the order in which they are kept: the first of a group leads it.

    Attributes:
        shards: int32 (n,).
        rows: int32 (n,), in the shard.
        first: int64 (n,), the first item with the same content; its own where it is.
    """

    shards: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]
    first: IndexArray

    @classmethod
    def of(cls, catalog: Catalog, keep_by: str | None) -> Rows:
        """All items of a catalog."""
        shards, places, hashes, numbers = [], [], [], []
        for shard, rows in _live_rows(catalog):
            columns = ["content_hash", *(["metadata_json"] if keep_by else [])]
            table = catalog.archive.table(shard, columns).take(rows)
            texts = [text[:_HASH_DIGITS] for text in table.column("content_hash").to_pylist()]
            hashes.append(np.array(texts, dtype=f"S{_HASH_DIGITS}"))
            shards.append(np.full(len(rows), shard, dtype=np.int32))
            places.append(rows.astype(np.int32))
            if keep_by:
                numbers.append(_numbers(table.column("metadata_json").to_pylist(), keep_by))
        if not shards:
            raise UsageError(f"catalog {catalog.folder.name!r} has no items: ingest some first.")
        shard_of, row_of = np.concatenate(shards), np.concatenate(places)
        content = np.concatenate(hashes)
        if keep_by:
            values = np.concatenate(numbers)
            if np.isinf(values).all():
                raise UsageError(
                    f"--keep-by {keep_by}: no item has a number in this column of its metadata. "
                    "Name another column, or leave it out to keep what was ingested first."
                )
            order = np.argsort(-values, kind="stable")
            shard_of, row_of, content = shard_of[order], row_of[order], content[order]
        _, first, inverse = np.unique(content, return_index=True, return_inverse=True)
        return cls(shard_of, row_of, first[inverse])

    def vectors(self, catalog: Catalog) -> FloatArray:
        """float32 (n, d): of all items."""
        vectors = np.empty((len(self.shards), catalog.archive.width), dtype=np.float32)
        for places, block in self.blocks(catalog):
            vectors[places] = block
        return vectors

    def blocks(self, catalog: Catalog) -> Iterator[tuple[IndexArray, FloatArray]]:
        """The items of each shard and their vectors."""
        order = np.argsort(self.shards, kind="stable")
        starts = np.flatnonzero(np.diff(self.shards[order], prepend=-1))
        for places in np.split(order, starts[1:]):
            vectors = catalog.archive.vectors(int(self.shards[places[0]]))
            yield places, vectors[self.rows[places]]

    def described(self, catalog: Catalog, members: IndexArray, names: list[str]) -> pa.Table:
        """Text columns of some items, in their order; a shard is read once."""
        import pyarrow as pa

        order = np.argsort(self.shards[members], kind="stable")
        parts = [pa.schema([(name, pa.string()) for name in names]).empty_table()]
        starts = np.flatnonzero(np.diff(self.shards[members][order], prepend=-1))
        for block in np.split(order, starts[1:]) if len(order) else []:
            shard = int(self.shards[members[block[0]]])
            table = catalog.archive.table(shard, names).take(pa.array(self.rows[members[block]]))
            if "item_id" in names:
                row_ids = table.column("item_id").to_pylist()
                parents = catalog.ledger.parts.parents(row_ids)
                ids = [parents.get(row_id, row_id) for row_id in row_ids]
                place = names.index("item_id")
                table = table.set_column(place, "item_id", pa.array(ids, pa.string()))
            parts.append(table)
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        return pa.concat_tables(parts).take(pa.array(back)).combine_chunks()


def _live_rows(catalog: Catalog) -> Iterator[tuple[int, IndexArray]]:
    """The first picture of each item: pictures of one item are no copies of each other."""
    for shard in catalog.ledger.shards():
        rows = catalog.ledger.items_in(shard).rows
        if rows.size:
            yield shard, rows


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

    def __init__(self, vectors: FloatArray) -> None:
        self._vectors = vectors

    def lead(self, threshold: float, active: BoolArray, watch: Watch) -> Led:
        """Group the active items."""
        rows = np.flatnonzero(active)
        vectors = self._vectors[rows]
        led = lead(vectors, threshold, watch=watch)
        join_nearest(vectors, led)
        leaders = np.arange(len(active))
        similarities = np.ones(len(active), dtype=np.float32)
        leaders[rows], similarities[rows] = rows[led.leaders], led.similarities
        return Led(leaders, similarities)

    def steps(self, active: BoolArray) -> int:
        """Steps that ``lead`` reports."""
        return int(active.sum())

    def take(self, rows: IndexArray) -> FloatArray:
        """float32 (m, d): of some rows."""
        return self._vectors[rows]


class OnDisk:
    """Vectors in lists in a temporary file: an item is compared with the nearest lists."""

    def __init__(
        self, watch: Watch, file: IO[bytes], catalog: Catalog, rows: Rows, threshold: float
    ) -> None:
        watch.begin("Sorting into lists", None)
        self._lists = Lists(
            file,
            lambda: rows.blocks(catalog),
            count=len(rows.shards),
            width=catalog.archive.width,
        )
        self.probing = self._lists.choose_probes(threshold)

    def lead(self, threshold: float, active: BoolArray, watch: Watch) -> Led:
        """Group the active items."""
        probes = self.probing.probes
        return lead_in_lists(self._lists, threshold, probes, active=active, watch=watch)

    def steps(self, active: BoolArray) -> int:
        """Steps that ``lead`` reports."""
        return 2 * len(active)

    def take(self, rows: IndexArray) -> FloatArray:
        """float32 (m, d): of some rows."""
        return self._lists.take(rows)
