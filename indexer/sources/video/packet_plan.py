"""Chooses the frames of a video that are looked at, and the packets that its decoder needs; pure.

One frame a slot of time is looked at, of 25 or so that the file has. Packets tell their times
before they are decoded, so the frames that are looked at are chosen from packets. The decoder is
given each chosen one and what lies between it and the key frame before it. What lies behind the
last chosen one before a key frame is left out.

Packets come in the order in which they are decoded, which is not that in which frames are shown.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise, takewhile
from typing import Generic, TypeVar

T = TypeVar("T")

_MOST_PENDING = 1_000
"""Packets that wait for a choice, at most; some files have a key frame an hour."""

_ROUNDING = 1e-6
"""Share of a slot: times are sums of fractions, and a frame at 3.9999999 s is that of 4 s."""

_MOST_REORDERED = 64
"""Frames that are shown in another order than decoded, at most; codecs allow 16."""


@dataclass(slots=True, eq=False, kw_only=True)
class PlannedPacket(Generic[T]):
    """A packet, and what it is needed for.

    Attributes:
        packet: the packet.
        time_s: when its frame is shown.
        decode_s: before this time no later packet's frame is shown; -inf where that is not known.
        is_key: no packet from it on needs one before it.
        slot_s: time of the slot that its frame is looked at for; None where it is not.
        is_decided: whether ``slot_s`` is final.
    """

    packet: T
    time_s: float
    decode_s: float
    is_key: bool
    slot_s: float | None = None
    is_decided: bool = False


def needed_packets(
    packets: Iterable[PlannedPacket[T]],
    *,
    fps: float,
    start_s: float = 0.0,
    end_s: float = math.inf,
) -> Iterator[PlannedPacket[T]]:
    """The packets that a decoder needs for one frame a slot of ``1 / fps`` seconds, in order.

    Of a slot its first key frame is chosen, which costs least, or its first frame where it has
    none. Where the next slot has no frame, the last frame of a slot is on the screen there, and
    is chosen for it.

    Args:
        packets: in the order of decoding. Those that are decided already are not looked at.
        start_s: time of the first slot.
        end_s: frames from this time on are not looked at.
    """
    pending: deque[PlannedPacket[T]] = deque()
    slots = _slots(_as_shown(packets, pending, end_s), fps, start_s)
    end: list[tuple[float, Sequence[PlannedPacket[T]]]] = [(math.inf, ())]
    last_slot = -1.0
    for (slot, frames), (next_slot, _) in pairwise(chain(slots, end)):
        for frame in frames:
            frame.is_decided = True
        if slot > last_slot:
            last_slot = slot
            slot_frame = next((frame for frame in frames if frame.is_key), frames[0])
            slot_frame.slot_s = start_s + slot / fps
            if slot + 1 < next_slot < math.inf and frames[-1] is not slot_frame:
                frames[-1].slot_s = start_s + (slot + 1) / fps
        yield from _decided(pending)
    # Those that are left are shown after the end; chosen ones may need them.
    for packet in pending:
        packet.is_decided = True
    yield from _decided(pending)


def _as_shown(
    packets: Iterable[PlannedPacket[T]], pending: deque[PlannedPacket[T]], end_s: float
) -> Iterator[PlannedPacket[T]]:
    """The packets in the order in which their frames are shown, up to the end.

    Args:
        pending: gets each packet, in the order of decoding.
    """
    waiting: list[tuple[float, int, PlannedPacket[T]]] = []
    for number, packet in enumerate(packets):
        pending.append(packet)
        if packet.is_decided:
            continue
        heapq.heappush(waiting, (packet.time_s, number, packet))
        while waiting and (waiting[0][0] <= packet.decode_s or len(waiting) > _MOST_REORDERED):
            if waiting[0][0] >= end_s:
                return
            yield heapq.heappop(waiting)[2]
    while waiting and waiting[0][0] < end_s:
        yield heapq.heappop(waiting)[2]


def _slots(
    packets: Iterable[PlannedPacket[T]], fps: float, start_s: float
) -> Iterator[tuple[float, Sequence[PlannedPacket[T]]]]:
    """The packets of each slot that has some, with its number."""
    number, frames = -math.inf, list[PlannedPacket[T]]()
    for packet in packets:
        # A time that goes back, of a damaged file, belongs to the slot that is open.
        slot = max(slot_of(packet.time_s, fps=fps, start_s=start_s), number)
        if frames and (slot > number or len(frames) >= _MOST_PENDING):
            yield number, frames
            frames = []
        number = slot
        frames.append(packet)
    if frames:
        yield number, frames


def _decided(pending: deque[PlannedPacket[T]]) -> list[PlannedPacket[T]]:
    """Take the packets of which is known whether they are needed; gives those that are."""
    decided = sum(1 for _ in takewhile(lambda packet: packet.is_decided, pending))
    end = 0
    for number, packet in enumerate(islice(pending, decided)):
        if packet.slot_s is not None:
            end = number + 1
        elif packet.is_key:
            end = number
    # Whether a packet behind the others needs them.
    is_needed = decided - end >= _MOST_PENDING
    taken = [pending.popleft() for _ in range(decided if is_needed else end)]
    needed = []
    for packet in reversed(taken):
        is_needed = is_needed or packet.slot_s is not None
        if is_needed:
            needed.append(packet)
        if packet.is_key:
            is_needed = False
    return needed[::-1]


def sampled(
    frames: Iterable[tuple[float, T]], *, fps: float, start_s: float = 0.0
) -> Iterator[tuple[float, T]]:
    """One frame a slot of ``1 / fps`` seconds: the first in it.

    A frame that is shown for longer than a slot comes once. Where a slot has no frame, and a newer
    one than that of the slot before is on the screen, that one is taken: a slide that appears
    between two slots and stays is seen.

    Args:
        frames: with their times in seconds, in order; all of them, or the more important ones.
        fps: slots a second.
        start_s: time of the first slot.

    Yields:
        The time at which a slot begins, and its frame.
    """
    due = 0
    on_screen: T | None = None
    for time_s, frame in frames:
        slot = slot_of(time_s, fps=fps, start_s=start_s)
        if slot > due and on_screen is not None:
            yield start_s + due / fps, on_screen
            due, on_screen = due + 1, None
        if slot >= due:
            yield start_s + slot / fps, frame
            due, on_screen = slot + 1, None
        else:
            on_screen = frame


def slot_of(time_s: float, *, fps: float, start_s: float = 0.0) -> int:
    """Number of the slot of a time; negative before the first one."""
    return math.floor((time_s - start_s) * fps + _ROUNDING)
