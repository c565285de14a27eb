"""Small signatures of pictures: whether two are the same picture, whatever the model says.

Embeddings say what a picture shows. Weak models, and catalogs of one kind of thing, give two
pictures of unlike things nearly the same embedding. A signature is the picture in 16 x 16 cells
of colour; those of one picture agree after encoding, scaling and marks. A crop is found by
comparing the signatures of several windows of each picture with the whole of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray

_GRID = 50
_CELLS = 16
_WINDOWS = tuple(
    (top, left, side)
    for side in (50, 48, 46, 44, 42, 40)
    for top in sorted({0, (50 - side) // 2, 50 - side})
    for left in sorted({0, (50 - side) // 2, 50 - side})
)
"""Top, left and side of each window in cells of the grid; the whole picture is the first."""

_TINY = 1e-6

ReadPicture = Callable[[str], Pixels | None]
"""A picture by its source; None where it can't be read."""


def signature(picture: Pixels) -> FloatArray:
    """The signatures of a picture's windows, the whole picture first.

    Args:
        picture: uint8 (height, width, 3).

    Returns:
        float32 (windows, 768), rows of length 1; of a picture of one colour zeros.
    """
    grid = _cells(picture.astype(np.float32), _GRID)
    windows = np.stack(
        [_cells(grid[top : top + side, left : left + side], _CELLS) for top, left, side in _WINDOWS]
    ).reshape(len(_WINDOWS), -1)
    windows -= windows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(windows, axis=1, keepdims=True)
    return np.asarray(
        np.where(lengths > _TINY * 255, windows / np.maximum(lengths, _TINY), 0.0), np.float32
    )


def agreement(picture: FloatArray, others: FloatArray) -> FloatArray:
    """How far a picture and others are the same, -1 to 1.

    Args:
        picture: float32 (windows, f).
        others: float32 (m, windows, f).

    Returns:
        float32 (m,): the highest correlation of a window of one with the whole other one.
    """
    own = picture @ others[:, 0].T
    theirs = others @ picture[0]
    return np.asarray(np.maximum(own.max(axis=0), theirs.max(axis=1)))


class Signatures:
    """The signatures of some pictures, each read once.

    Args:
        sources: where the pictures lie; empty for what is no picture.
        read: None leaves them unread.
    """

    def __init__(self, sources: Sequence[str], read: ReadPicture | None) -> None:
        self._sources, self._read = sources, read
        self._by_picture: dict[int, FloatArray | None] = {}
        self.unread = 0

    def agreement(self, picture: int, others: Sequence[int]) -> FloatArray:
        """float32 (m,): of a picture and others; nan where one of the two can't be read."""
        agreed = np.full(len(others), np.nan, dtype=np.float32)
        own = self._of(picture)
        readable = [place for place, other in enumerate(others) if self._of(other) is not None]
        if own is not None and readable:
            signatures = [self._by_picture[others[place]] for place in readable]
            agreed[readable] = agreement(own, np.stack(signatures))  # type: ignore[arg-type]
        return agreed

    def forget(self, pictures: Iterable[int]) -> None:
        """Give back the memory of pictures that are not compared any more."""
        for picture in pictures:
            self._by_picture.pop(picture, None)

    def _of(self, picture: int) -> FloatArray | None:
        if picture not in self._by_picture:
            source = self._sources[picture]
            pixels = self._read(source) if self._read is not None and source else None
            self.unread += pixels is None and self._read is not None
            self._by_picture[picture] = None if pixels is None else signature(pixels)
        return self._by_picture[picture]


def _cells(pixels: FloatArray, count: int) -> FloatArray:
    """Mean colours of count x count cells."""
    for axis in (0, 1):
        size = pixels.shape[axis]
        starts = np.arange(count) * size // count
        widths = np.maximum(np.diff(starts, append=size), 1)
        shape = [1, 1, 1]
        shape[axis] = count
        pixels = np.add.reduceat(pixels, starts, axis=axis) / widths.reshape(shape)
    return pixels.astype(np.float32)
