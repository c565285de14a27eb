"""The items of a catalog, shard by shard, and the vectors of all their rows.

An item belongs to the shard of its lead row. Its other rows may lie in any shard, as where its
pictures came by several ingestions, and reading those shards again for every shard would take time
with the square of their number. So the vectors of such rows are gathered once, in a scratch file,
in the order of the items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from indexer.catalog.archive import Archive
from indexer.catalog.parts import Followers, PartIndex
from indexer.core.records import FloatArray, IndexArray
from indexer.core.scratch import ScratchVectors

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

Numbers = npt.NDArray[np.int32] | npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRows:
    """The items whose lead rows are in one shard, with all their other rows; picklable.

    Attributes:
        shard: of the lead rows.
        rows: int64 (n,), the lead rows, in order.
        named: ids of the items whose lead row has another id, by place among the n.
        owners: int64 (m,), places among the n of the items' other rows, ascending.
        other_rows: int64 (m,), rows of this shard; -1 for those of other shards.
        far: float32 (f, d), the vectors of those; None until they are gathered.
        other_ids: m ids of the other rows, where they were asked for.
    """

    shard: int
    rows: IndexArray
    named: dict[int, str]
    owners: IndexArray
    other_rows: IndexArray
    far: FloatArray | None = None
    other_ids: tuple[str, ...] = ()

    @property
    def counts(self) -> IndexArray:
        """int64 (n,): rows of each item."""
        return 1 + np.bincount(self.owners, minlength=len(self.rows)).astype(np.int64)

    def item_ids(self, row_ids: pa.ChunkedArray) -> pa.ChunkedArray:
        """The items' ids.

        Args:
            row_ids: of the lead rows.
        """
        import pyarrow as pa

        if not self.named:
            return row_ids
        ids = row_ids.to_pylist()
        for place, item_id in self.named.items():
            ids[place] = item_id
        return pa.chunked_array([pa.array(ids, pa.string())])

    def views(self, vectors: FloatArray) -> tuple[FloatArray, IndexArray]:
        """The vectors of all rows, float32 (n + m, d), those of one item together.

        Args:
            vectors: float32 (r, d), of all rows of the shard.

        Returns:
            The vectors, and the place of each item's first one, its lead row's, int64 (n,).
        """
        if not len(self.owners):
            leads = vectors if len(self.rows) == len(vectors) else vectors[self.rows]
            return leads, np.arange(len(leads))
        views = np.empty((len(self.rows) + len(self.owners), vectors.shape[1]), dtype=np.float32)
        starts, others, is_far = self._starts, self._other_places, self.other_rows < 0
        views[starts] = vectors[self.rows]
        views[others[~is_far]] = vectors[self.other_rows[~is_far]]
        if is_far.any():
            assert self.far is not None
            views[others[is_far]] = self.far
        return views, starts

    def view_ids(self, row_ids: pa.ChunkedArray) -> list[str]:
        """Ids of all rows, in the order of ``views``.

        Args:
            row_ids: of the lead rows.
        """
        ids = np.empty(len(self.rows) + len(self.owners), dtype=object)
        ids[self._starts], ids[self._other_places] = row_ids.to_pylist(), self.other_ids
        return list(ids)

    @property
    def _starts(self) -> IndexArray:
        """int64 (n,): places of the lead rows in ``views``."""
        counts = self.counts
        return np.cumsum(counts) - counts

    @property
    def _other_places(self) -> IndexArray:
        """int64 (m,): places of the other rows in ``views``."""
        return 1 + self.owners + np.arange(len(self.owners))


def places_by_shard(shards: Numbers) -> Iterator[tuple[int, IndexArray]]:
    """Each shard with the places of its rows.

    Args:
        shards: (n,), of n rows.
    """
    order = np.argsort(shards, kind="stable")
    starts = np.flatnonzero(np.diff(shards[order], prepend=-1))
    for places in np.split(order, starts[1:]) if len(order) else ():
        yield int(shards[places[0]]), places


def row_keys(shards: Numbers, rows: Numbers) -> IndexArray:
    """int64 (n,): a number for each row of the archive, in its order."""
    return shards.astype(np.int64) << 32 | rows


class CatalogItems:
    """The items of a catalog, or a selection of them.

    Args:
        rows_of: the rows of a shard, int64 (r,): the current ones, or selected ones that have all
            rows of each item.
        followers: of these rows; called once.
    """

    def __init__(
        self,
        archive: Archive,
        index: PartIndex,
        *,
        shards: Sequence[int],
        rows_of: Callable[[int], IndexArray],
        followers: Callable[[], Followers],
    ) -> None:
        self._archive, self._index = archive, index
        self._shards, self._rows_of = shards, rows_of
        self._find_followers = followers

    def __iter__(self) -> Iterator[ItemRows]:
        for shard in self._shards:
            items = self.of(shard)
            if items.rows.size:
                yield items

    def of(self, shard: int) -> ItemRows:
        """The items whose lead rows are in a shard."""
        rows = self._rows_of(shard)
        followers = self.followers
        leads = np.setdiff1d(rows, followers.rows[self.following(shard)], assume_unique=True)
        led = followers.led_by(shard)
        is_near = followers.shards[led] == shard
        return ItemRows(
            shard=shard,
            rows=leads,
            named=self._named(shard, leads) if shard in followers.part_leads else {},
            owners=np.searchsorted(leads, followers.lead_rows[led]),
            other_rows=np.where(is_near, followers.rows[led], -1).astype(np.int64),
        )

    def only(self, leads: Mapping[int, IndexArray]) -> CatalogItems:
        """Some of the items.

        Args:
            leads: int64 (n,) a shard, their lead rows.
        """
        none = np.empty(0, dtype=np.int64)
        return CatalogItems(
            self._archive,
            self._index,
            shards=sorted(leads),
            rows_of=lambda shard: leads.get(shard, none),
            followers=lambda: self.followers.of_leads(leads),
        )

    @cached_property
    def followers(self) -> Followers:
        """The rows that do not stand for their item."""
        return self._find_followers()

    def following(self, shard: int) -> IndexArray:
        """Those of the ``followers`` that lie in a shard, int64 (p,)."""
        start, end = np.searchsorted(self._sorted_shards, [shard, shard + 1])
        return self._by_shard[start:end]

    def with_vectors(self, folder: Path, *, with_ids: bool = False) -> Iterator[ItemRows]:
        """The items shard by shard, with the vectors of their rows in other shards.

        Args:
            folder: for a scratch file of these vectors.
            with_ids: also with the ids of rows that are not lead rows.

        Raises:
            OSError: the disk has too little room for them.
        """
        followers = self.followers
        is_far = followers.shards != followers.lead_shards
        places = np.cumsum(is_far) - is_far
        scratch = ScratchVectors(folder, count=int(is_far.sum()), width=self._archive.width)
        for shard in np.unique(followers.shards[is_far]).tolist():
            following = self.following(shard)
            following = following[is_far[following]]
            vectors = self._archive.vectors(shard)
            scratch.vectors[places[following]] = vectors[followers.rows[following]]
            # Else this process's memory would grow with all these vectors.
            scratch.release()
        for items in self:
            led = followers.led_by(items.shard)
            far = places[led][is_far[led]]
            yield replace(
                items,
                # One slice: followers are sorted by lead row, so a shard's places are in a row.
                far=scratch.vectors[far[0] : far[-1] + 1] if far.size else None,
                other_ids=self._other_ids(items) if with_ids else (),
            )
            scratch.release()

    def row_by_row(self) -> Iterator[ItemRows]:
        """Each row as an item of its own, shard by shard."""
        none = np.empty(0, dtype=np.int64)
        for shard in self._shards:
            rows = self._rows_of(shard)
            if rows.size:
                yield ItemRows(shard=shard, rows=rows, named={}, owners=none, other_rows=none)

    @cached_property
    def _by_shard(self) -> IndexArray:
        return np.argsort(self.followers.shards, kind="stable")

    @cached_property
    def _sorted_shards(self) -> npt.NDArray[np.int32]:
        return self.followers.shards[self._by_shard]

    def _named(self, shard: int, leads: IndexArray) -> dict[int, str]:
        """Items whose lead row is a part, by place among the lead rows."""
        ids = self._row_ids(shard, leads).to_pylist()
        parents = self._index.parents(ids)
        return {place: parents[row_id] for place, row_id in enumerate(ids) if row_id in parents}

    def _other_ids(self, items: ItemRows) -> tuple[str, ...]:
        owners = np.unique(items.owners)
        item_ids = items.item_ids(self._row_ids(items.shard, items.rows)).take(owners).to_pylist()
        by_item = self._index.rows_of(item_ids)
        return tuple(row.row_id for item_id in item_ids for row in by_item[item_id][1:])

    def _row_ids(self, shard: int, rows: IndexArray) -> pa.ChunkedArray:
        return self._archive.table(shard, ["item_id"]).column("item_id").take(rows)
