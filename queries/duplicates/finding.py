"""Finds the look-alikes of a catalog, and writes their groups as a table."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from indexer.catalog.catalog import Catalog
from indexer.core.errors import UsageError
from indexer.core.records import BoolArray, FloatArray, IndexArray
from indexer.core.watch import Watch
from queries.categorizing.tables import TableWriter
from queries.duplicates.leaders import Led, lead
from queries.duplicates.leading_lists import lead_in_lists
from queries.duplicates.lists import Lists, Probing
from queries.duplicates.thresholds import Thresholds

if TYPE_CHECKING:
    import pyarrow as pa

MOST_COMPARED_ALL = 50_000
"""Items up to which each is compared with each: in 768 dimensions about ten seconds a core. Above,
an item is compared with those of the lists that are nearest to it."""

_HASH_DIGITS = 32
_GATHERED = 8192

Hashes = npt.NDArray[np.bytes_]


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatesReport:
    """What was found.

    Attributes:
        items: of the catalog.
        groups: of two items or more.
        grouped: items in them.
        same_content: items whose content is that of another one that is kept.
        near_duplicates: items whose picture is nearly that of another one that is kept.
        variants: items that show another version of a product; all of them are kept.
        kept: items of the groups that are kept.
        largest: items of the largest group.
        near: lowest cosine of near-duplicates.
        product: lowest cosine of variants.
        calibrated_on: pictures that the thresholds were calibrated on; 0: the usual ones or given.
        probes: lists that each item was compared with; None: each was compared with each.
        recall: measured share of the neighbours that these lists hold; None where each was compared
            with each, or no sampled item has a neighbour.
    """

    items: int
    groups: int
    grouped: int
    same_content: int
    near_duplicates: int
    variants: int
    kept: int
    largest: int
    near: float
    product: float
    calibrated_on: int
    probes: int | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class _Grouping:
    """Where each of n items belongs; rows count in the order in which items are kept.

    Attributes:
        like: int64 (n,), the item that it is compared with; its own where it is the centre.
        similarities: float32 (n,), to that item.
        centres: int64 (n,), the centre of its group.
        kinds: int8 (n,), places in ``KINDS``.
    """

    like: IndexArray
    similarities: FloatArray
    centres: IndexArray
    kinds: npt.NDArray[np.int8]


KINDS = ("centre", "same content", "near-duplicate", "variant")


def find_duplicates(
    catalog: Catalog,
    to: Path,
    limits: Thresholds,
    *,
    keep_by: str | None = None,
    variants: bool = True,
    csv_raw: bool = False,
    compare_all: bool | None = None,
    watch: Watch = Watch(),
) -> tuple[DuplicatesReport, pa.Table]:
    """Write the groups of look-alikes, the largest first.

    Args:
        to: ``.parquet``, ``.csv`` or ``.jsonl``; replaced when all is done.
        limits: lowest cosines.
        keep_by: metadata column whose highest number is kept; None, and ties: the item that was
            ingested first.
        variants: also group variants of a product.
        compare_all: compare each item with each; None: where the catalog is small enough.
        watch: follows the items through each stage; a stop ends it, and nothing is written.

    Returns:
        What was found, and the table that was written.

    Raises:
        UsageError: another ending of ``to``, or no item has a number in ``keep_by``.
    """
    writer = TableWriter(to, csv_raw=csv_raw)
    rows = _Rows.of(catalog, keep_by)
    count = len(rows.shards)
    compare_all = count <= MOST_COMPARED_ALL if compare_all is None else compare_all
    # The file has no name: nothing is left of it after a kill.
    with tempfile.TemporaryFile(dir=catalog.folder.root) as file:
        vectors = (
            _InMemory(rows.vectors(catalog))
            if compare_all
            else _OnDisk(watch, file, catalog, rows, limits.product if variants else limits.near)
        )
        grouping = _group(rows, vectors, limits, variants=variants, watch=watch)
        probing = vectors.probing
    table = _table(catalog, rows, grouping)
    with writer:
        writer.write(table)
    return _report(count, grouping, limits, probing), table


@dataclass(frozen=True, slots=True)
class _Rows:
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
    def of(cls, catalog: Catalog, keep_by: str | None) -> _Rows:
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


class _InMemory:
    """All vectors in memory: each item is compared with each."""

    probing: Probing | None = None

    def __init__(self, vectors: FloatArray) -> None:
        self._vectors = vectors

    def lead(self, threshold: float, active: BoolArray, watch: Watch) -> Led:
        rows = np.flatnonzero(active)
        led = lead(self._vectors[rows], threshold, watch=watch)
        leaders = np.arange(len(active))
        similarities = np.ones(len(active), dtype=np.float32)
        leaders[rows], similarities[rows] = rows[led.leaders], led.similarities
        return Led(leaders, similarities)

    def steps(self, active: BoolArray) -> int:
        return int(active.sum())

    def take(self, rows: IndexArray) -> FloatArray:
        return self._vectors[rows]


class _OnDisk:
    """Vectors in lists in a temporary file: an item is compared with the nearest lists."""

    def __init__(
        self, watch: Watch, file: IO[bytes], catalog: Catalog, rows: _Rows, threshold: float
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
        probes = self.probing.probes
        return lead_in_lists(self._lists, threshold, probes, active=active, watch=watch)

    def steps(self, active: BoolArray) -> int:
        return 2 * len(active)

    def take(self, rows: IndexArray) -> FloatArray:
        return self._lists.take(rows)


def _group(
    rows: _Rows,
    vectors: _InMemory | _OnDisk,
    limits: Thresholds,
    *,
    variants: bool,
    watch: Watch,
) -> _Grouping:
    """Same content first, then near-duplicates of what is left, then variants of what is kept."""
    everything = np.arange(len(rows.first))
    is_first = rows.first == everything
    like, similarities = rows.first.copy(), np.ones(len(everything), dtype=np.float32)
    kinds = np.where(is_first, 0, 1).astype(np.int8)
    watch.begin("Near-duplicates", vectors.steps(is_first))
    near = vectors.lead(limits.near, is_first, watch)
    joins = is_first & ~near.leads
    like[joins], similarities[joins], kinds[joins] = (
        near.leaders[joins], near.similarities[joins], 2,
    )  # fmt: skip
    # What has the content of a near-duplicate is as near to the picture that is kept.
    kept = near.leaders[rows.first]
    centres = kept.copy()
    if variants:
        kept_pictures = is_first & near.leads
        watch.begin("Variants", vectors.steps(kept_pictures))
        product = vectors.lead(limits.product, kept_pictures, watch)
        centres = product.leaders[kept]
        centres = _without_chains(vectors, kept, centres, limits.product)
        joins = (kept == everything) & (centres != everything)
        like[joins], similarities[joins], kinds[joins] = (
            centres[joins], product.similarities[joins], 3,
        )  # fmt: skip
    return _Grouping(like, similarities, centres, kinds)


def _without_chains(
    vectors: _InMemory | _OnDisk, kept: IndexArray, centres: IndexArray, threshold: float
) -> IndexArray:
    """Take out of a group whose near-duplicates are far from the group's centre.

    A near-duplicate is near the variant that is kept of it, and that is near the centre; both
    steps together may lead too far.
    """
    everything = np.arange(len(kept))
    followers = np.flatnonzero((kept != everything) & (centres != kept))
    apart: set[int] = set()
    for start in range(0, len(followers), _GATHERED):
        block = followers[start : start + _GATHERED]
        cosines = (vectors.take(block) * vectors.take(centres[block])).sum(axis=1)
        apart.update(kept[block[cosines < threshold]].tolist())
    leaves = np.isin(kept, np.array(sorted(apart), dtype=np.int64))
    return np.where(leaves, kept, centres)


def _table(catalog: Catalog, rows: _Rows, grouping: _Grouping) -> pa.Table:
    """A row each item of a group of two or more: the largest group first, its centre first."""
    import pyarrow as pa

    sizes = np.bincount(grouping.centres, minlength=len(grouping.centres))
    members = np.flatnonzero(sizes[grouping.centres] > 1)
    centres = grouping.centres[members]
    order = np.lexsort((members, members != centres, centres, -sizes[centres]))
    members, centres = members[order], centres[order]
    numbers = np.cumsum(np.diff(centres, prepend=-1) != 0)
    named = _named(catalog, rows, members)
    ids = named.column("item_id")
    places = np.empty(len(sizes), dtype=np.int64)
    places[members] = np.arange(len(members))
    kinds = grouping.kinds[members]
    return pa.table(
        {
            "group": pa.array(numbers, pa.int64()),
            "item_id": ids,
            "title": named.column("title"),
            "kept": pa.array((kinds == 0) | (kinds == KINDS.index("variant"))),
            "kind": pa.array([KINDS[kind] for kind in kinds.tolist()], pa.string()),
            "like_id": ids.take(pa.array(places[grouping.like[members]])),
            "similarity": pa.array(grouping.similarities[members], pa.float32()),
        }
    )


def _named(catalog: Catalog, rows: _Rows, members: IndexArray) -> pa.Table:
    """Ids and titles of some items, in their order; a shard is read once."""
    import pyarrow as pa

    names = ["item_id", "title"]
    order = np.argsort(rows.shards[members], kind="stable")
    parts = [pa.schema([(name, pa.string()) for name in names]).empty_table()]
    starts = np.flatnonzero(np.diff(rows.shards[members][order], prepend=-1))
    for block in np.split(order, starts[1:]) if len(order) else []:
        shard = int(rows.shards[members[block[0]]])
        table = catalog.archive.table(shard, names).take(pa.array(rows.rows[members[block]]))
        row_ids = table.column("item_id").to_pylist()
        parents = catalog.ledger.parts.parents(row_ids)
        ids = pa.array([parents.get(row_id, row_id) for row_id in row_ids], pa.string())
        parts.append(table.set_column(0, "item_id", ids))
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_tables(parts).take(pa.array(back)).combine_chunks()


def _report(
    items: int, grouping: _Grouping, limits: Thresholds, probing: Probing | None
) -> DuplicatesReport:
    sizes = np.bincount(grouping.centres, minlength=items)
    counts: dict[str, Any] = {
        name: int((grouping.kinds == place).sum()) for place, name in enumerate(KINDS)
    }
    grouped = int(sizes[sizes > 1].sum())
    dropped = counts["same content"] + counts["near-duplicate"]
    return DuplicatesReport(
        items=items,
        groups=int((sizes > 1).sum()),
        grouped=grouped,
        same_content=counts["same content"],
        near_duplicates=counts["near-duplicate"],
        variants=counts["variant"],
        kept=grouped - dropped,
        largest=int(sizes.max(initial=0)) if grouped else 0,
        near=limits.near,
        product=limits.product,
        calibrated_on=limits.sampled,
        probes=None if probing is None else probing.probes,
        recall=None if probing is None else probing.recall,
    )
