"""Inner products with many rows, in tiles of one shape.

A tile stays in the cache, and it is what makes a categorization repeatable to the last bit:
BLAS sums the first and last columns of a product in another order than those between, so a
label's products would depend on where it stands among the others. Of a tile only those
columns are used that are summed alike, which is found by trying. Then a label that is
scored alone, later, gets the very products that it would get among all. That holds while
BLAS takes one thread for a product (``indexer.threads``).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from indexer.records import FloatArray
from indexer.threads import one_blas_thread
from queries.scoring.scratch import Scratch

ROWS = 288
"""Items in a tile: a multiple of what BLAS kernels take at a time, 4, 6, 8, 12 or 16."""

_ROW_STEP = 96
_ROWS = range(_ROW_STEP, ROWS + 1, _ROW_STEP)
_COLUMNS, _FEW_COLUMNS = 320, 64
"""Rows of the matrix in a tile; the few that changed since an earlier run fill a smaller one."""

_MOST_ROWS, _PRODUCTS = 2048, 2**18
"""Items, and their products with all rows, at a time where there are no tiles: the more items,
the less often do threads that score side by side wait for Python's interpreter."""

_TRIALS = 12
"""Sums in another order have other bits in about every second column of a trial."""


class Tiles:
    """Rows that queries are multiplied with.

    Args:
        matrix: float32 (m, d).
        repeatable: False is faster where there are less rows than fill a few tiles.

    Attributes:
        repeatable: whether a product has the same bits whatever other rows there are.
    """

    def __init__(self, matrix: FloatArray, *, repeatable: bool = True) -> None:
        self.count, self.width = matrix.shape
        steady = steady_columns(self.width) if repeatable else None
        self.repeatable = steady is not None
        self._matrix = matrix
        self._tile_columns = _COLUMNS
        few = steady_columns(self.width, _FEW_COLUMNS) if repeatable else None
        if few is not None and self.count <= len(few):
            steady, self._tile_columns = few, _FEW_COLUMNS
        self._columns = steady or range(_COLUMNS)
        self._tiles = [] if steady is None else list(self._cut())
        self._scratch = Scratch()

    def of(self, queries: FloatArray) -> FloatArray:
        """Multiply.

        Args:
            queries: float32 (n, d), n at most ``rows_at_once``.

        Returns:
            float32 (n, m), which the thread's next product writes over.
        """
        rows = len(queries)
        found = self._scratch.array("products", (rows, self.count), np.float32)
        if not self.repeatable:
            return np.matmul(queries, self._matrix.T, out=found)
        padded = -(-rows // _ROW_STEP) * _ROW_STEP
        if padded > rows:
            queries = np.concatenate(
                [queries, np.zeros((padded - rows, self.width), dtype=np.float32)]
            )
        products = self._scratch.array("tile", (padded, self._tile_columns), np.float32)
        for number, tile in enumerate(self._tiles):
            np.matmul(queries, tile, out=products)
            start = number * len(self._columns)
            used = min(self.count - start, len(self._columns))
            first = self._columns.start
            found[:, start : start + used] = products[:rows, first : first + used]
        return found

    @property
    def rows_at_once(self) -> int:
        """How many queries may be given at a time."""
        if self.repeatable:
            return ROWS
        return max(ROWS, min(_MOST_ROWS, _PRODUCTS // int(self.count)))

    def like(self, matrix: FloatArray) -> Tiles:
        """Other rows, whose products are taken alike."""
        return Tiles(matrix, repeatable=self.repeatable)

    def _cut(self) -> list[FloatArray]:
        """float32 (d, columns of a tile) each: the rows as columns, only where they are steady."""
        tiles = []
        for start in range(0, self.count, len(self._columns)):
            part = self._matrix[start : start + len(self._columns)]
            tile = np.zeros((self.width, self._tile_columns), dtype=np.float32)
            tile[:, self._columns.start : self._columns.start + len(part)] = part.T
            tiles.append(tile)
        return tiles


@lru_cache(maxsize=16)
def steady_columns(width: int, columns: int = _COLUMNS) -> range | None:
    """The columns of a tile whose products have the same bits in any place of any tile.

    Found with rows and columns that are all alike: then all products must be alike. None
    where that is less than half of a tile, so that tiles would not pay.

    Args:
        width: d.
        columns: of the tile; its products are held against those of a tile of the usual size.
    """
    random = np.random.default_rng(0)
    steady = np.ones(columns, dtype=bool)
    with one_blas_thread():
        for _ in range(_TRIALS):
            query, row = random.standard_normal((2, width), dtype=np.float32)
            tile = np.repeat(row[:, np.newaxis], _COLUMNS, axis=1)
            wanted = (np.repeat(query[np.newaxis], ROWS, axis=0) @ tile)[0, _COLUMNS // 2]
            tile = np.ascontiguousarray(tile[:, :columns])
            found = [np.repeat(query[np.newaxis], rows, axis=0) @ tile for rows in _ROWS]
            steady &= np.all([(products == wanted).all(axis=0) for products in found], axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], steady, [False]]).astype(np.int8)))
    runs = [range(start, end) for start, end in edges.reshape(-1, 2).tolist()]
    longest = max(runs, key=len, default=range(0))
    return longest if len(longest) > columns // 2 else None
