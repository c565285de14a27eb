"""Groups without chains: every member is near its leader; pure numpy.

Joining all pairs above a threshold chains: the first picture of such a group need not be like
the last. Here items come in an order, and each joins the leader that it is most like, or leads
a group of its own where no earlier leader is near (the leader algorithm: Hartigan 1975,
"Clustering Algorithms", chapter 3). So leaders are unlike each other, and members are as near
to their leader as the threshold says. No list of pairs is kept, so a group of any size will do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.core.records import BoolArray, FloatArray, IndexArray
from indexer.core.watch import Watch

NO_PARENT = -1
_BLOCK = 1024
_LEADERS_AT_ONCE = 8192


@dataclass(frozen=True, slots=True)
class Led:
    """The leader of each of n items.

    Attributes:
        leaders: int64 (n,), a row; its own for a leader.
        similarities: float32 (n,), the cosine to it; 1 for a leader.
    """

    leaders: IndexArray
    similarities: FloatArray

    @property
    def leads(self) -> BoolArray:
        """Bool (n,): which items are leaders."""
        return np.asarray(self.leaders == np.arange(len(self.leaders)))


def lead(
    vectors: FloatArray,
    threshold: float,
    parents: IndexArray | None = None,
    *,
    watch: Watch = Watch(),
) -> Led:
    """Group items by the leader algorithm, exactly: by blocked products.

    Args:
        vectors: float32 (n, d), rows of length 1; whoever comes first leads.
        threshold: lowest cosine of a member and its leader.
        parents: int64 (n,), the product of each item; items of one product are its views, and
            none leads another. ``NO_PARENT`` is no product.
        watch: follows the items.
    """
    count = len(vectors)
    leaders, similarities = np.arange(count), np.ones(count, dtype=np.float32)
    leading = np.empty(0, dtype=np.int64)
    for start in range(0, count, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, count))
        nearest, cosines = _nearest(vectors, rows, leading, parents)
        joins = cosines >= threshold
        leaders[rows[joins]], similarities[rows[joins]] = nearest[joins], cosines[joins]
        rest = rows[~joins]
        inner = _cosines(vectors, rest, rest, parents)
        settle_in_order(rest, inner, threshold, leaders, similarities)
        leading = np.concatenate([leading, rest[leaders[rest] == rest]])
        watch.advance(len(rows))
        watch.check_stop()
    return Led(leaders, similarities)


def join_nearest(vectors: FloatArray, led: Led, parents: IndexArray | None = None) -> None:
    """Let each member join the nearest of all leaders: some lead since it joined.

    Else two pictures that are nearly equal could be in two groups.

    Args:
        vectors: float32 (n, d), as ``lead`` was given them.
        led: changed.
    """
    leading, members = np.flatnonzero(led.leads), np.flatnonzero(~led.leads)
    for start in range(0, len(members), _BLOCK):
        rows = members[start : start + _BLOCK]
        nearest, cosines = _nearest(vectors, rows, leading, parents)
        led.leaders[rows], led.similarities[rows] = nearest, cosines


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
    vectors: FloatArray, rows: IndexArray, leading: IndexArray, parents: IndexArray | None
) -> tuple[IndexArray, FloatArray]:
    """The nearest leader of each row, and its cosine; -1 where there is no leader."""
    nearest = np.full(len(rows), -1, dtype=np.int64)
    highest = np.full(len(rows), -np.inf, dtype=np.float32)
    for start in range(0, len(leading), _LEADERS_AT_ONCE):
        block = leading[start : start + _LEADERS_AT_ONCE]
        cosines = _cosines(vectors, rows, block, parents)
        best = cosines.argmax(axis=1)
        values = cosines[np.arange(len(rows)), best]
        better = values > highest
        nearest[better], highest[better] = block[best[better]], values[better]
    return nearest, highest


def _cosines(
    vectors: FloatArray, rows: IndexArray, others: IndexArray, parents: IndexArray | None
) -> FloatArray:
    """float32 (m, l); -1 for two items of one product."""
    cosines: FloatArray = vectors[rows] @ vectors[others].T
    if parents is not None:
        cosines[same_product(parents[rows], parents[others])] = -1.0
    return cosines


def same_product(parents: IndexArray, others: IndexArray) -> npt.NDArray[np.bool_]:
    """Bool (m, l): which pairs are views of one product."""
    same = parents[:, np.newaxis] == others[np.newaxis]
    return np.asarray(same & (parents != NO_PARENT)[:, np.newaxis])
