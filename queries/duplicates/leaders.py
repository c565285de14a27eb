"""Groups without chains: every member is near its leader; pure numpy.

Joining all pairs above a threshold chains: the first picture of such a group need not be like
the last. Here items come in an order, and each joins the leader that it is most like, or leads
a group of its own where no earlier leader is near (the leader algorithm: Hartigan 1975,
"Clustering Algorithms", chapter 3). So leaders are unlike each other, and members are as near
to their leader as the threshold says. No list of pairs is kept, so a group of any size will do.

An item may have several vectors, its views: two items are as near as their nearest views.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from indexer.core.records import BoolArray, FloatArray, IndexArray
from indexer.core.vectors import rows_of_groups
from indexer.core.watch import Watch

# Cosines of one block with so many leaders are 32 MiB.
_BLOCK = 1024
_LEADERS_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class Led:
    """The leader of each of n items.

    Attributes:
        leaders: int64 (n,), an item; its own for a leader.
        similarities: float32 (n,), the cosine of the nearest views; 1 for a leader.
    """

    leaders: IndexArray
    similarities: FloatArray

    @property
    def leads(self) -> BoolArray:
        """Bool (n,): which items are leaders."""
        return np.asarray(self.leaders == np.arange(len(self.leaders)))


@dataclass(frozen=True, slots=True)
class ItemViews:
    """The vectors of n items with m views together.

    Attributes:
        vectors: float32 (m, d), rows of length 1, those of an item together.
        starts: int64 (n,), the first row of each item.
    """

    vectors: FloatArray
    starts: IndexArray

    @classmethod
    def of(cls, vectors: FloatArray, owners: IndexArray | None = None) -> ItemViews:
        """Vectors by the item of each.

        Args:
            owners: int64 (m,), ascending; None: each vector is an item.
        """
        if owners is None:
            return cls(vectors, np.arange(len(vectors)))
        return cls(vectors, np.flatnonzero(np.diff(owners, prepend=-1)))

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def ends(self) -> IndexArray:
        """int64 (n,): the row after the last one of each item."""
        return np.append(self.starts[1:], len(self.vectors))

    def take(self, items: IndexArray) -> ItemViews:
        """Some of the items, in their order."""
        if len(self) == len(self.vectors):
            return ItemViews(self.vectors[items], np.arange(len(items)))
        rows, starts = rows_of_groups(self.starts, len(self.vectors), items)
        return ItemViews(self.vectors[rows], starts)

    def cosines(self, others: ItemViews) -> FloatArray:
        """float32 (n, k): of the nearest views of each item and each other one."""
        return by_item(self.vectors @ others.vectors.T, self.starts, others.starts)

    def blocks(self, items: IndexArray, size: int = _BLOCK) -> Iterator[IndexArray]:
        """Some items in blocks of about so many views."""
        counts = (self.ends - self.starts)[items]
        places = np.flatnonzero(np.diff((np.cumsum(counts) - counts) // size, prepend=-1))
        yield from np.split(items, places[1:]) if len(items) else ()


def by_item(cosines: FloatArray, starts: IndexArray, other_starts: IndexArray) -> FloatArray:
    """The highest cosine of each item's views with each other item's.

    Args:
        cosines: float32 (m, l), of views.
        starts: int64 (n,), the first row of each item.
        other_starts: int64 (k,), the first column of each other item.
    """
    if len(starts) < len(cosines):
        cosines = np.maximum.reduceat(cosines, starts, axis=0)
    if len(other_starts) < cosines.shape[1]:
        cosines = np.maximum.reduceat(cosines, other_starts, axis=1)
    return cosines


def lead(views: ItemViews, threshold: float, *, watch: Watch = Watch()) -> Led:
    """Group items by the leader algorithm, exactly: by blocked products.

    Args:
        views: of n items; whoever comes first leads.
        threshold: lowest cosine of a member and its leader.
        watch: follows the items.
    """
    count = len(views)
    leaders, similarities = np.arange(count), np.ones(count, dtype=np.float32)
    leading = np.empty(0, dtype=np.int64)
    for items in views.blocks(np.arange(count)):
        block = views.take(items)
        nearest, cosines = _nearest(block, views, leading)
        joins = cosines >= threshold
        leaders[items[joins]], similarities[items[joins]] = nearest[joins], cosines[joins]
        rest = items[~joins]
        remaining = views.take(rest)
        settle_in_order(rest, remaining.cosines(remaining), threshold, leaders, similarities)
        leading = np.concatenate([leading, rest[leaders[rest] == rest]])
        watch.advance(len(items))
        watch.check_stop()
    return Led(leaders, similarities)


def join_nearest(views: ItemViews, led: Led) -> None:
    """Let each member join the nearest of all leaders: some lead since it joined.

    Else two pictures that are nearly equal could be in two groups.

    Args:
        views: as ``lead`` was given them.
        led: changed.
    """
    leading = np.flatnonzero(led.leads)
    for items in views.blocks(np.flatnonzero(~led.leads)):
        led.leaders[items], led.similarities[items] = _nearest(views.take(items), views, leading)


def settle_in_order(
    rows: IndexArray,
    cosines: FloatArray,
    threshold: float,
    leaders: IndexArray,
    similarities: FloatArray,
) -> None:
    """Let rows that no earlier leader is near lead or join one another, in their order.

    Args:
        rows: int64 (m,), ascending.
        cosines: float32 (m, m), of each with each.
        leaders: int64 (n,); changed for the rows that join.
        similarities: float32 (n,), likewise.
    """
    near = np.tril(cosines >= threshold, -1)
    leads = np.logical_not(near.any(axis=1))
    for place in np.flatnonzero(~leads):
        earlier = np.flatnonzero(near[place] & leads)
        if not earlier.size:
            leads[place] = True
            continue
        best = earlier[cosines[place, earlier].argmax()]
        leaders[rows[place]] = rows[best]
        similarities[rows[place]] = cosines[place, best]


def _nearest(
    block: ItemViews, views: ItemViews, leading: IndexArray
) -> tuple[IndexArray, FloatArray]:
    """The nearest of the leading items to each of a block, and its cosine; -1 without any."""
    nearest = np.full(len(block), -1, dtype=np.int64)
    highest = np.full(len(block), -np.inf, dtype=np.float32)
    for leaders in views.blocks(leading, _LEADERS_AT_ONCE):
        cosines = block.cosines(views.take(leaders))
        best = cosines.argmax(axis=1)
        values = cosines[np.arange(len(block)), best]
        better = values > highest
        nearest[better], highest[better] = leaders[best[better]], values[better]
    return nearest, highest
