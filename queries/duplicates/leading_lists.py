"""The leader algorithm over lists on disk: inside each list first, then between near lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from indexer.core.records import BoolArray, FloatArray, IndexArray
from indexer.core.watch import Watch
from queries.duplicates.leaders import Led, lead, same_product
from queries.duplicates.lists import Lists


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Near pairs: rows int64 (p,), the others int64 (p,), their cosines float32 (p,)."""

    rows: IndexArray
    others: IndexArray
    cosines: FloatArray


def lead_in_lists(
    lists: Lists,
    threshold: float,
    probes: int,
    *,
    active: BoolArray | None = None,
    parents: IndexArray | None = None,
    watch: Watch = Watch(),
) -> Led:
    """Group the items of lists; whoever has the lower row leads.

    Leaders of near lists are then compared with each other. One that joins another's group
    leaves members behind: they join the nearest leader that is left, or lead.

    Args:
        threshold: lowest cosine of a member and its leader.
        probes: lists that an item is compared with.
        active: bool (n,), the items to group; the others lead nobody and stay alone.
        parents: as ``lead`` takes it.
        watch: follows the items, twice.
    """
    pending = np.ones(lists.count, dtype=bool) if active is None else active.copy()
    led = Led(np.arange(lists.count), np.ones(lists.count, dtype=np.float32))
    established = np.zeros(lists.count, dtype=bool)
    while pending.any():
        if established.any():
            near = _pairs(lists, threshold, probes, pending, established, parents)
            _join_nearest(near, led)
            pending &= led.leads
        _lead_inside(lists, threshold, pending, led, parents, watch)
        leading = pending & led.leads
        near = _pairs(lists, threshold, probes, leading, leading, parents, watch)
        _settle(near, led)
        established |= leading & led.leads
        # Whose leader has joined another group looks for one again.
        pending &= led.leaders[led.leaders] != led.leaders
        led.leaders[pending] = np.flatnonzero(pending)
        led.similarities[pending] = 1.0
    return led


def _lead_inside(
    lists: Lists,
    threshold: float,
    pending: BoolArray,
    led: Led,
    parents: IndexArray | None,
    watch: Watch,
) -> None:
    """Group the pending items of each list by themselves."""
    for number in range(len(lists)):
        rows = _rows(lists, number)
        watch.advance(len(rows))
        watch.check_stop()
        chosen = pending[rows]
        if not chosen.any():
            continue
        rows, vectors = rows[chosen], lists.vectors(number)[chosen]
        inside = lead(vectors, threshold, None if parents is None else parents[rows])
        led.leaders[rows], led.similarities[rows] = rows[inside.leaders], inside.similarities


def _rows(lists: Lists, number: int) -> IndexArray:
    return lists.rows[lists.starts[number] : lists.starts[number + 1]]


def _settle(pairs: _Pairs, led: Led) -> None:
    """Let leaders, in order, join the nearest earlier one that still leads."""
    if not len(pairs.rows):
        return
    # A pair may have been met from one side only: the later one joins.
    later, earlier = np.maximum(pairs.rows, pairs.others), np.minimum(pairs.rows, pairs.others)
    order = np.lexsort((-pairs.cosines, later))
    later, earlier, cosines = later[order], earlier[order], pairs.cosines[order]
    rows, starts = np.unique(later, return_index=True)
    ends = np.append(starts[1:], len(later))
    for row, start, end in zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True):
        near = earlier[start:end]
        leads = led.leaders[near] == near
        if leads.any():
            place = int(leads.argmax())
            led.leaders[row], led.similarities[row] = near[place], cosines[start + place]


def _join_nearest(pairs: _Pairs, led: Led) -> None:
    """Let each row join the nearest of the leaders beside it."""
    order = np.lexsort((-pairs.cosines, pairs.rows))
    rows, first = np.unique(pairs.rows[order], return_index=True)
    led.leaders[rows] = pairs.others[order][first]
    led.similarities[rows] = pairs.cosines[order][first]


def _pairs(
    lists: Lists,
    threshold: float,
    probes: int,
    queried: BoolArray,
    compared: BoolArray,
    parents: IndexArray | None,
    watch: Watch = Watch(),
) -> _Pairs:
    """Near pairs of queried rows with compared rows of the lists that are nearest to them."""
    blocks: list[tuple[IndexArray, IndexArray, FloatArray]] = []
    for number in range(len(lists)):
        rows = _rows(lists, number)
        watch.advance(len(rows))
        watch.check_stop()
        chosen = queried[rows]
        if not chosen.any():
            continue
        rows, vectors = rows[chosen], lists.vectors(number)[chosen]
        probed = lists.probed(vectors, probes)
        for other in np.unique(probed):
            asking = (probed == other).any(axis=1)
            near = _near(
                lists, int(other), rows[asking], vectors[asking], threshold, compared, parents
            )
            blocks.append(near)
    nothing = np.empty(0, dtype=np.int64)
    blocks.append((nothing, nothing, np.empty(0, dtype=np.float32)))
    return _Pairs(*(np.concatenate(part) for part in zip(*blocks, strict=True)))


def _near(
    lists: Lists,
    number: int,
    rows: IndexArray,
    vectors: FloatArray,
    threshold: float,
    compared: BoolArray,
    parents: IndexArray | None,
) -> tuple[IndexArray, IndexArray, FloatArray]:
    """The near pairs of some rows with the compared rows of one list."""
    others = _rows(lists, number)
    cosines = vectors @ lists.vectors(number).T
    asking, places = np.nonzero(cosines >= threshold)
    fits = compared[others[places]] & (others[places] != rows[asking])
    if parents is not None:
        of_one = same_product(parents[rows], parents[others])
        fits &= ~of_one[asking, places]
    asking, places = asking[fits], places[fits]
    return rows[asking], others[places], cosines[asking, places]
