"""The leader algorithm over lists on disk: inside each list first, then between near lists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from indexer.core.records import BoolArray, FloatArray, IndexArray
from indexer.core.threads import side_by_side
from indexer.core.watch import Watch
from queries.duplicates.leaders import ItemViews, Led, lead
from queries.duplicates.lists import Lists

_ROWS = 2048
_QUERIED_AT_ONCE = 2**18


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Near pairs: items int64 (p,), the others int64 (p,), their cosines float32 (p,).

    Two items may be several times among them, by several views.
    """

    items: IndexArray
    others: IndexArray
    cosines: FloatArray


def lead_in_lists(
    lists: Lists,
    threshold: float,
    probes: int,
    *,
    active: BoolArray | None = None,
    watch: Watch = Watch(),
) -> Led:
    """Group the items of lists; whoever has the lower number leads.

    Leaders of near lists are then compared with each other. One that joins another's group
    leaves members behind: they join the nearest leader that is left, or lead.

    Args:
        threshold: lowest cosine of a member and its leader.
        probes: lists that a vector is compared with.
        active: bool (n,), the items to group; the others lead nobody and stay alone.
        watch: follows the vectors, twice.
    """
    count = int(lists.owners.max(initial=-1)) + 1
    pending = np.ones(count, dtype=bool) if active is None else active.copy()
    led = Led(np.arange(count), np.ones(count, dtype=np.float32))
    established = np.zeros(count, dtype=bool)
    while pending.any():
        if established.any():
            near = _pairs(lists, threshold, probes, pending, established)
            _join_nearest(near, led)
            pending &= led.leads
        _lead_inside(lists, threshold, pending, led, watch)
        leading = pending & led.leads
        near = _pairs(lists, threshold, probes, leading, leading, watch)
        _settle(near, led)
        established |= leading & led.leads
        # Whose leader has joined another group looks for one again.
        pending &= led.leaders[led.leaders] != led.leaders
        led.leaders[pending] = np.flatnonzero(pending)
        led.similarities[pending] = 1.0
    # As ``join_nearest``: some lead since a member joined.
    _join_nearest(_pairs(lists, threshold, probes, ~led.leads, established), led)
    return led


def _lead_inside(
    lists: Lists,
    threshold: float,
    pending: BoolArray,
    led: Led,
    watch: Watch,
) -> None:
    """Group the pending items of each list by themselves; an item is in the lists of its views."""

    def inside(number: int) -> tuple[int, IndexArray, Led]:
        owners = lists.owners[_rows(lists, number)]
        chosen = pending[owners]
        views = ItemViews.of(lists.vectors(number)[chosen], owners[chosen])
        return len(owners), owners[chosen][views.starts], lead(views, threshold)

    for count, items, grouped in side_by_side(inside, range(len(lists))):
        leaders, joins = items[grouped.leaders], ~grouped.leads
        # By several views an item may find a leader in several lists.
        alone = led.leaders[items] == items
        joins &= alone | (grouped.similarities > led.similarities[items])
        led.leaders[items[joins]] = leaders[joins]
        led.similarities[items[joins]] = grouped.similarities[joins]
        lists.release()
        watch.advance(count)
        watch.check_stop()


def _rows(lists: Lists, number: int) -> IndexArray:
    return lists.rows[lists.starts[number] : lists.starts[number + 1]]


def _settle(pairs: _Pairs, led: Led) -> None:
    """Let leaders, in order, join the nearest earlier one that still leads."""
    if not len(pairs.items):
        return
    # A pair may have been met from one side only: the later one joins.
    later, earlier = np.maximum(pairs.items, pairs.others), np.minimum(pairs.items, pairs.others)
    order = np.lexsort((-pairs.cosines, later))
    later, earlier, cosines = later[order], earlier[order], pairs.cosines[order]
    items, starts = np.unique(later, return_index=True)
    ends = np.append(starts[1:], len(later))
    for item, start, end in zip(items.tolist(), starts.tolist(), ends.tolist(), strict=True):
        near = earlier[start:end]
        leads = led.leaders[near] == near
        if leads.any():
            place = int(leads.argmax())
            led.leaders[item], led.similarities[item] = near[place], cosines[start + place]


def _join_nearest(pairs: _Pairs, led: Led) -> None:
    """Let each item join the nearest of the leaders beside it."""
    order = np.lexsort((-pairs.cosines, pairs.items))
    items, first = np.unique(pairs.items[order], return_index=True)
    led.leaders[items] = pairs.others[order][first]
    led.similarities[items] = pairs.cosines[order][first]


def _pairs(
    lists: Lists,
    threshold: float,
    probes: int,
    queried: BoolArray,
    compared: BoolArray,
    watch: Watch | None = None,
) -> _Pairs:
    """Near pairs of queried items with compared ones of the lists that are nearest to them."""
    blocks = [_nothing()]
    rows = np.flatnonzero(queried[lists.owners])
    for start in range(0, len(rows), _QUERIED_AT_ONCE):
        block = rows[start : start + _QUERIED_AT_ONCE]
        asking = _asking(lists, block, probes)

        def near(number: int, asking: list[IndexArray] = asking) -> list[_Pairs]:
            parts = range(0, len(asking[number]), _ROWS)
            return [
                _near(lists, number, asking[number][part : part + _ROWS], threshold, compared)
                for part in parts
            ]

        for pairs in side_by_side(near, range(len(lists))):
            blocks += pairs
            lists.release()
            if watch is not None:
                watch.check_stop()
        if watch is not None:
            watch.advance(len(block))
    columns = zip(*((pairs.items, pairs.others, pairs.cosines) for pairs in blocks), strict=True)
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
) -> _Pairs:
    """The near pairs of the items of some rows with the compared items of one list."""
    items, others = lists.owners[rows], lists.owners[_rows(lists, number)]
    eligible = compared[others]
    others = others[eligible]
    cosines = lists.take(rows) @ lists.vectors(number)[eligible].T
    asking, places = np.nonzero(cosines >= threshold)
    fits = others[places] != items[asking]
    asking, places = asking[fits], places[fits]
    return _Pairs(items[asking], others[places], cosines[asking, places])
