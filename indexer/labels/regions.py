"""Finds the things in a picture without a detector: a grid of regions, and the label index.

Each region of the grid is embedded as a picture of its own, by any CLIP. A region that holds a
thing, and little else, is nearer to that thing's label than regions beside it, which cut it off,
and larger ones, in which it is small.

1. A region's **contrast** with each label: its cosine, less three quarters of the mean over all
   regions of the picture. A table's grain may look like a shoe to a model, and does so everywhere.
   To it comes a fifth of the mean of the regions that share half of it: what only one region
   says is often a part that looks like another thing.
2. Its **score**: how far its highest contrast lies from the mean of all regions (0) to the best
   one (1). Models differ in their cosines; pictures of one model do, too.
3. Regions from ``MIN_SCORE`` on are kept, the best first, unless a better one lies over them.

This rule is the project's own; ``docs/objects.md`` says how it was chosen, and how good it is.
"""

from __future__ import annotations

import numpy as np

from indexer.core.boxes import FoundObject, RegionGrid, cut, overlaps, suppress
from indexer.core.hashing import canonical_json, sha256
from indexer.core.protocols import PictureEncoder, Pixels
from indexer.core.records import DoubleArray, FloatArray, IndexArray

COMMON_SHARE = 0.75
"""Of a label's mean over the picture, that is taken from its cosines."""

OWN_SHARE = 0.8
"""Of a region's own contrasts; the rest is its neighbours'."""

NEIGHBOUR_IOU = 0.5
MIN_SCORE = 0.55
MAX_INSIDE = 0.05
"""Share of the smaller of two regions that may lie in the other."""

# Cosines of a picture of one colour differ by rounding only.
_ALIKE = 1e-4

GRID = RegionGrid()
_AT_ONCE = 64


class GridFinder:
    """Finds objects by the labels' vectors; ``indexer.core.boxes.ObjectFinder``.

    Args:
        encoder: of the labels.
        labels: float32 (k, d), rows of length 1, k at least 1.
        grid: the regions.
        threshold: score from which a region holds a thing; None is ``MIN_SCORE``.
        most: regions of a picture that are kept, the best.
    """

    def __init__(
        self,
        encoder: PictureEncoder,
        labels: FloatArray,
        *,
        grid: RegionGrid = GRID,
        threshold: float | None = None,
        most: int = 20,
    ) -> None:
        self._encoder = encoder
        self._labels = labels
        self._grid = grid
        self._threshold = MIN_SCORE if threshold is None else threshold
        self._most = most

    @property
    def recipe(self) -> str:
        """The grid, the rule and the labels; see ``ObjectFinder``."""
        grid = self._grid
        rule = [
            *grid.sides,
            grid.step,
            grid.most,
            COMMON_SHARE,
            OWN_SHARE,
            NEIGHBOUR_IOU,
            MAX_INSIDE,
        ]
        rule += [self._threshold, self._most]
        labels = sha256(np.ascontiguousarray(self._labels).tobytes())
        return f"grid {sha256(canonical_json([*rule, labels]).encode())[:16]}"

    @property
    def words(self) -> tuple[str, ...]:
        """None: the labels choose."""
        return ()

    def find(self, picture: Pixels) -> list[FoundObject]:
        """The regions that hold a thing, the best first, each with the vector of its crop.

        Args:
            picture: uint8 (height, width, 3).
        """
        boxes = self.regions(picture)
        return self.choose(boxes, self._embed(picture, boxes)) if len(boxes) else []

    def regions(self, picture: Pixels) -> IndexArray:
        """int64 (n, 4): boxes of the regions that are looked at; none in a very small picture."""
        height, width = picture.shape[:2]
        return self._grid.boxes(width, height)

    def choose(self, boxes: IndexArray, vectors: FloatArray) -> list[FoundObject]:
        """The regions that hold a thing, the best first.

        Args:
            boxes: int64 (n, 4).
            vectors: float32 (n, d), of their crops.
        """
        scores = region_scores(boxes, vectors @ self._labels.T)
        high = np.flatnonzero(scores >= self._threshold)
        best = high[suppress(boxes[high], scores[high], max_iou=1.0, max_inside=MAX_INSIDE)]
        return [
            FoundObject(
                box=tuple(boxes[row].tolist()), score=float(scores[row]), vector=vectors[row]
            )
            for row in best[: self._most]
        ]

    def _embed(self, picture: Pixels, boxes: IndexArray) -> FloatArray:
        """float32 (n, d), of the regions."""
        blocks = []
        for start in range(0, len(boxes), _AT_ONCE):
            crops = [
                self._encoder.prepare(cut(picture, tuple(box)))
                for box in boxes[start : start + _AT_ONCE].tolist()
            ]
            blocks.append(self._encoder.embed_pictures(crops))
        return np.concatenate(blocks)


def region_scores(boxes: IndexArray, cosines: FloatArray) -> DoubleArray:
    """float64 (n,): how much each region holds a thing; 1 for the best, below 0 for many.

    Where all regions look alike none does: all scores are below 0.

    Args:
        boxes: int64 (n, 4), n at least 1.
        cosines: float32 (n, k), of the regions with the labels.
    """
    iou, _ = overlaps(boxes, boxes)
    weights = np.where(iou >= NEIGHBOUR_IOU, iou, 0.0)
    np.fill_diagonal(weights, 0.0)
    totals = weights.sum(axis=1, keepdims=True)
    contrasts = cosines - COMMON_SHARE * cosines.mean(axis=0)
    # A region without neighbours has its own contrasts alone.
    means = np.where(totals > 0, weights @ contrasts / np.maximum(totals, 1e-9), contrasts)
    highest = (OWN_SHARE * contrasts + (1 - OWN_SHARE) * means).max(axis=1).astype(np.float64)
    spread = highest.max() - highest.mean()
    if spread < _ALIKE:
        return np.full(len(boxes), -1.0)
    return np.asarray((highest - highest.mean()) / spread)
