"""Boxes: the grid covers the picture, overlaps are right, suppression keeps the best."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.boxes import SMALLEST_SIDE, RegionGrid, cut, overlaps, suppress

_BOX = st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 40)] * 2)
_BOXES = st.lists(_BOX, min_size=1, max_size=12)


@given(width=st.integers(1, 400), height=st.integers(1, 400))
def test_the_largest_regions_cover_a_picture(width: int, height: int) -> None:
    """Every pixel is in a region of each size, and no region lies beyond the picture."""
    boxes = RegionGrid().boxes(width, height)
    for side in np.unique(boxes[:, 2]):
        covered = np.zeros((height, width), dtype=bool)
        for x, y, w, h in boxes[boxes[:, 2] == side].tolist():
            assert x >= 0
            assert x + w <= width
            assert y >= 0
            assert y + h <= height
            covered[y : y + h, x : x + w] = True
        assert covered.all()
    assert (boxes[:, 2:] >= SMALLEST_SIDE).all()


@pytest.mark.parametrize("size", [(640, 480), (4000, 40), (20, 30_000), (9000, 300)])
def test_a_long_picture_has_no_more_regions_than_others(size: tuple[int, int]) -> None:
    """They lie wider apart, and reach its end; a picture of usual sides has all of its own."""
    boxes = RegionGrid().boxes(*size)
    assert 300 <= len(boxes) <= 600
    assert len(np.unique(boxes, axis=0)) == len(boxes)
    assert tuple((boxes[:, :2] + boxes[:, 2:]).max(axis=0)) == size


def test_a_picture_smaller_than_a_region_has_none() -> None:
    """What is left of it is too small for a model to see."""
    assert RegionGrid().boxes(15, 400).shape == (0, 4)
    assert len(RegionGrid().boxes(16, 400))


@given(boxes=_BOXES, others=_BOXES)
def test_overlaps_are_those_of_pixels(
    boxes: list[tuple[int, ...]], others: list[tuple[int, ...]]
) -> None:
    """Counted pixel by pixel."""
    iou, inside = overlaps(np.array(boxes), np.array(others))
    for row, box in enumerate(boxes):
        for column, other in enumerate(others):
            one, two = _pixels(box), _pixels(other)
            assert iou[row, column] == pytest.approx(len(one & two) / len(one | two))
            smaller = min(len(one), len(two))
            assert inside[row, column] == pytest.approx(len(one & two) / smaller)


def _pixels(box: tuple[int, ...]) -> set[tuple[int, int]]:
    x, y, width, height = box
    return {(column, row) for column in range(x, x + width) for row in range(y, y + height)}


@given(boxes=_BOXES, seed=st.integers(0, 9), most=st.floats(0, 1))
def test_suppression_leaves_the_best_of_what_overlaps(
    boxes: list[tuple[int, ...]], seed: int, most: float
) -> None:
    """No two kept boxes overlap; each that is not kept overlaps a kept one of a higher score."""
    scores = np.random.default_rng(seed).random(len(boxes))
    kept = suppress(np.array(boxes), scores, max_iou=most)
    iou, _ = overlaps(np.array(boxes), np.array(boxes))
    assert list(scores[kept]) == sorted(scores[kept], reverse=True)
    for place, row in enumerate(kept):
        assert all(iou[row, kept[:place]] <= most)
    for row in set(range(len(boxes))) - set(kept.tolist()):
        better = [other for other in kept if scores[other] >= scores[row]]
        assert any(iou[row, better] > most)


def test_a_part_of_a_thing_is_suppressed_by_the_whole() -> None:
    """Their union is large, so their intersection over it is small."""
    boxes, scores = np.array([(0, 0, 100, 100), (10, 10, 30, 30)]), np.array([0.9, 0.8])
    assert suppress(boxes, scores, max_iou=0.2).tolist() == [0, 1]
    assert suppress(boxes, scores, max_iou=0.2, max_inside=0.5).tolist() == [0]
    assert suppress(boxes[:0], scores[:0], max_iou=0.2).tolist() == []


def test_a_cut_is_that_region() -> None:
    """Columns are x, rows are y."""
    picture = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(4, 6, 3)
    assert (cut(picture, (1, 2, 3, 2)) == picture[2:4, 1:4]).all()
