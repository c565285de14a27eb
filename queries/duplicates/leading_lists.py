"""The leader algorithm over lists on disk: inside each list first, then between near lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from indexer.core.records import BoolArray, FloatArray, IndexArray
from indexer.core.threads import side_by_side
from indexer.core.watch import Watch
from queries.duplicates.leaders import Led, lead, same_product
from queries.duplicates.lists import Lists

_ROWS = 2048
_QUERIED_AT_ONCE = 2**18


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
    # As ``join_nearest``: some lead since a member joined.
    _join_nearest(_pairs(lists, threshold, probes, ~led.leads, established, parents), led)
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

    def inside(number: int) -> tuple[int, IndexArray, Led]:
        everything = _rows(lists, number)
        chosen = pending[everything]
        rows, vectors = everything[chosen], lists.vectors(number)[chosen]
        of_rows = None if parents is None else parents[rows]
        return len(everything), rows, lead(vectors, threshold, of_rows)

    for count, rows, grouped in side_by_side(inside, range(len(lists))):
        led.leaders[rows], led.similarities[rows] = rows[grouped.leaders], grouped.similarities
        lists.release()
        watch.advance(count)
        watch.check_stop()


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
    watch: Watch | None = None,
) -> _Pairs:
    """Near pairs of queried rows with compared rows of the lists that are nearest to them."""
    blocks = [_nothing()]
    rows = np.flatnonzero(queried)
    for start in range(0, len(rows), _QUERIED_AT_ONCE):
        block = rows[start : start + _QUERIED_AT_ONCE]
        asking = _asking(lists, block, probes)

        def near(number: int, asking: list[IndexArray] = asking) -> list[_Pairs]:
            parts = range(0, len(asking[number]), _ROWS)
            return [
                _near(
                    lists, number, asking[number][part : part + _ROWS], threshold, compared, parents
                )
                for part in parts
            ]

        for pairs in side_by_side(near, range(len(lists))):
            blocks += pairs
            lists.release()
            if watch is not None:
                watch.check_stop()
        if watch is not None:
            watch.advance(len(block))
    columns = zip(*((pairs.rows, pairs.others, pairs.cosines) for pairs in blocks), strict=True)
    return _Pairs(*map(np.concatenate, columns))


def _nothing() -> _Pairs:
    none = np.empty(0, dtype=np.int64)
    return _Pairs(none, none, np.empty(0, dtype=np.float32))


def _asking(lists: Lists, rows: IndexArray, probes: int) -> list[IndexArray]:
    """The rows that are compared with each list: those it is one of the nearest lists of."""

    def probed(start: int) -> IndexArray:
        return lists.probed(lists.take(rows[start : start + _ROWS]), probes)

    numbers = np.concatenate(list(side_by_side(probed, range(0, len(rows), _ROWS))))
    order = np.argsort(numbers.ravel(), kind="stable")
    ends = np.searchsorted(numbers.ravel()[order], np.arange(len(lists)), side="right")
    return np.split(rows[order // numbers.shape[1]], ends[:-1])


def _near(
    lists: Lists,
    number: int,
    rows: IndexArray,
    threshold: float,
    compared: BoolArray,
    parents: IndexArray | None,
) -> _Pairs:
    """The near pairs of some rows with the compared rows of one list."""
    others = _rows(lists, number)
    eligible = compared[others]
    others = others[eligible]
    cosines = lists.take(rows) @ lists.vectors(number)[eligible].T
    asking, places = np.nonzero(cosines >= threshold)
    fits = others[places] != rows[asking]
    if parents is not None:
        fits &= ~same_product(parents[rows], parents[others])[asking, places]
    asking, places = asking[fits], places[fits]
    return _Pairs(rows[asking], others[places], cosines[asking, places])
