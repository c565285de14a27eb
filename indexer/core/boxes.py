"""Boxes in pictures: regions of a grid, overlaps, suppression, crops; pure.

A box is ``(x, y, width, height)`` in pixels of the upright picture, from its upper left corner.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from indexer.core.parts import BOX
from indexer.core.protocols import Pixels
from indexer.core.records import DoubleArray, FloatArray, IndexArray, Part

Box = tuple[int, int, int, int]

# Sides of a region: so wide a step leaves few regions even of the longest picture.
_WIDEST_STEP = 1000.0

SMALLEST_SIDE = 16
"""Pixels that both sides of a region have at least: of fewer a model sees nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundObject:
    """A thing in a picture.

    Attributes:
        score: how sure the finder is; comparable within one finder only.
        word: that named it to a detector; empty from a grid.
        vector: float32 (d,), of the crop, where the finder embedded it anyway.
    """

    box: Box
    score: float
    word: str = ""
    vector: FloatArray | None = field(default=None, compare=False, repr=False)


class ObjectFinder(Protocol):
    """Finds the things in a picture."""

    @property
    def recipe(self) -> str:
        """What the boxes depend on besides the picture, short: equal ones give equal boxes."""
        ...

    @property
    def words(self) -> tuple[str, ...]:
        """What it looks for; empty where it needs no words."""
        ...

    def find(self, picture: Pixels) -> list[FoundObject]:
        """The things in a picture uint8 (height, width, 3), the surest first; none overlap.

        Raises:
            ItemError: it can't look at this picture.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionGrid:
    """Regions that cover a picture at several sizes.

    Attributes:
        sides: of the square regions, in shorter sides of the picture, the largest first.
        step: from one region to the next, in sides of the region.
        most: regions of a picture. A long one gets a wider step, until there are no more.
    """

    sides: tuple[float, ...] = (1.0, 0.8, 0.65, 0.5, 0.4, 0.3)
    step: float = 0.25
    most: int = 600

    def boxes(self, width: int, height: int) -> IndexArray:
        """int64 (n, 4): the regions of a picture; none where they would be too small.

        Rows and columns are spread evenly, so that the last ones end with the picture.
        """
        step = self.step
        while len(boxes := self._spaced(width, height, step)) > self.most and step < _WIDEST_STEP:
            step *= 1.25
        return boxes[: self.most]

    def _spaced(self, width: int, height: int, step: float) -> IndexArray:
        shorter = min(width, height)
        blocks = [np.empty((0, 4), dtype=np.int64)]
        for share in self.sides:
            side = round(share * shorter)
            if side < SMALLEST_SIDE:
                continue
            xs, ys = (_starts(length, side, step) for length in (width, height))
            corners = np.array([(x, y, side, side) for y in ys for x in xs], dtype=np.int64)
            blocks.append(corners)
        return np.concatenate(blocks)


def _starts(length: int, side: int, step: float) -> IndexArray:
    count = 1 + int(np.ceil((length - side) / max(1.0, step * side)))
    return np.linspace(0, length - side, count).round().astype(np.int64)


def overlaps(boxes: IndexArray, others: IndexArray) -> tuple[DoubleArray, DoubleArray]:
    """How far boxes lie over each other.

    Args:
        boxes: int64 (n, 4).
        others: int64 (m, 4).

    Returns:
        float64 (n, m) each: intersection over union, and intersection over the smaller one.
    """
    low = np.maximum(boxes[:, np.newaxis, :2], others[:, :2])
    ends, other_ends = boxes[:, :2] + boxes[:, 2:], others[:, :2] + others[:, 2:]
    high = np.minimum(ends[:, np.newaxis], other_ends)
    shared = np.clip(high - low, 0, None).prod(axis=2).astype(np.float64)
    areas, other_areas = boxes[:, 2:].prod(axis=1), others[:, 2:].prod(axis=1)
    smaller = np.minimum(areas[:, np.newaxis], other_areas)
    union = areas[:, np.newaxis] + other_areas - shared
    return shared / union, shared / smaller


def suppress(
    boxes: IndexArray, scores: DoubleArray, *, max_iou: float, max_inside: float = 1.0
) -> IndexArray:
    """Greedy non-maximum suppression: the best box, then the best that overlaps no kept one.

    torchvision has it compiled, and is not needed for anything else here.

    Args:
        boxes: int64 (n, 4).
        scores: float64 (n,); of equal ones the first box is kept.
        max_iou: intersection over union with a better box up to which a box is kept.
        max_inside: the same of the intersection over the smaller box, such as a part of a thing
            in the whole thing.

    Returns:
        int64 (k,): rows of the kept boxes, the best first.
    """
    iou, inside = overlaps(boxes, boxes)
    waiting = np.argsort(-scores, kind="stable")
    kept_boxes = []
    while len(waiting):
        best, others = waiting[0], waiting[1:]
        kept_boxes.append(best)
        waiting = others[(iou[best, others] <= max_iou) & (inside[best, others] <= max_inside)]
    return np.array(kept_boxes, dtype=np.int64)


def cut(picture: Pixels, box: Box) -> Pixels:
    """The region of a picture: uint8 (height, width, 3), contiguous.

    Args:
        picture: uint8 (height, width, 3).
    """
    x, y, width, height = box
    return np.ascontiguousarray(picture[y : y + height, x : x + width])


def box_of(part: Part) -> Box:
    """The box of a part that is cut from a picture; databases may give its numbers as floats."""
    x, y, width, height = map(int, part[BOX])
    return x, y, width, height
