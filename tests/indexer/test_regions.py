"""The grid and the label index: what stands out of a picture is found, and nothing in a blank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from indexer.core.boxes import RegionGrid, overlaps
from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.labels.regions import GridFinder, region_scores

LABELS = np.eye(3, dtype=np.float32)
"""Red, green, blue."""


class ByColour:
    """Embeds a picture as how much of it is each colour; grey is a little of all."""

    def prepare(self, picture: Pixels) -> Pixels:
        """As it is."""
        return picture

    def embed_pictures(self, pictures: Sequence[Pixels]) -> FloatArray:
        """float32 (n, 3)."""
        return normalise(
            np.array([picture.mean(axis=(0, 1)) + 1 for picture in pictures], dtype=np.float32)
        )


@pytest.fixture
def scene() -> Pixels:
    """A red and a blue square on grey."""
    picture = np.full((200, 300, 3), 90, dtype=np.uint8)
    picture[20:100, 30:110] = (255, 0, 0)
    picture[110:190, 200:280] = (0, 0, 255)
    return picture


def test_each_thing_is_found_once(scene: Pixels) -> None:
    """A box over each square, the best first, with the vector of its crop."""
    found = GridFinder(ByColour(), LABELS).find(scene)
    squares = np.array([(30, 20, 80, 80), (200, 110, 80, 80)])
    iou, _ = overlaps(squares, np.array([thing.box for thing in found]))
    assert len(found) == 2
    assert (iou.max(axis=1) > 0.5).all()
    named = [int(np.argmax(thing.vector)) for thing in found]
    assert sorted(named) == [0, 2]
    assert found[0].score == 1.0
    for thing in found:
        x, y, width, height = thing.box
        crop = scene[y : y + height, x : x + width]
        np.testing.assert_allclose(thing.vector, ByColour().embed_pictures([crop])[0], atol=1e-6)


def test_the_limits_hold(scene: Pixels) -> None:
    """The surest ones, from the threshold on."""
    assert len(GridFinder(ByColour(), LABELS, most=1).find(scene)) == 1
    assert GridFinder(ByColour(), LABELS, threshold=1.01).find(scene) == []


def test_nothing_is_found_in_a_blank_and_in_a_tiny_picture() -> None:
    """All regions look alike, or there is none."""
    finder = GridFinder(ByColour(), LABELS)
    assert finder.find(np.full((200, 300, 3), 90, dtype=np.uint8)) == []
    assert finder.find(np.zeros((10, 10, 3), dtype=np.uint8)) == []
    assert finder.find(np.zeros((17, 17, 3), dtype=np.uint8)) == []


def test_what_a_whole_picture_resembles_is_no_thing() -> None:
    """A ground that looks like a label everywhere does not hide the thing on it."""
    boxes = RegionGrid(sides=(0.5,), step=1.0).boxes(100, 100)
    cosines = np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.9, 0.6]], dtype=np.float32)
    assert region_scores(boxes, cosines).argmax() == 3


def test_a_recipe_changes_with_the_labels_and_the_rule() -> None:
    """Boxes of other labels are other boxes."""
    finders = [
        GridFinder(ByColour(), LABELS),
        GridFinder(ByColour(), LABELS[:2]),
        GridFinder(ByColour(), LABELS, threshold=0.2),
        GridFinder(ByColour(), LABELS, grid=RegionGrid(step=0.5)),
    ]
    assert len({finder.recipe for finder in finders}) == 4
    assert GridFinder(ByColour(), LABELS.copy()).recipe == finders[0].recipe
