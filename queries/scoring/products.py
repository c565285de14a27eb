"""Inner products of very many queries with the rows of a matrix, some queries at a time."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from indexer.core.records import FloatArray
from queries.scoring.scratch import Scratch

_FEWEST_QUERIES, _MOST_QUERIES, _PRODUCTS = 288, 2048, 2**18
"""Queries, and their products with all rows, at a time: they stay in the cache for what is done
with them, and the more queries, the less often do threads that score side by side wait for
Python's interpreter."""


class Products(Protocol):
    """Rows that very many queries are multiplied with. Threads may share it."""

    @property
    def rows_at_once(self) -> int:
        """How many queries may be given at a time."""

    def of(self, queries: FloatArray) -> FloatArray:
        """float32 (n, m): products of at most ``rows_at_once`` queries, float32 (n, d).

        The thread's next products may be written over them.
        """


class MatrixRows:
    """Rows whose products numpy takes.

    Args:
        matrix: float32 (m, d).
    """

    def __init__(self, matrix: FloatArray) -> None:
        self._matrix = matrix
        fitting = _PRODUCTS // max(len(matrix), 1)
        self.rows_at_once = max(_FEWEST_QUERIES, min(_MOST_QUERIES, fitting))
        self._scratch = Scratch()

    def of(self, queries: FloatArray) -> FloatArray:
        """float32 (n, m), which the thread's next products are written over."""
        shape = (len(queries), len(self._matrix))
        found = self._scratch.array("products", shape, np.float32)
        return np.matmul(queries, self._matrix.T, out=found)


def products_with(matrix: FloatArray, *, packed: bool = False) -> Products:
    """The quickest products with the rows of a matrix.

    Args:
        matrix: float32 (m, d).
        packed: by torch, where it can; torch is loaded then.
    """
    if packed:
        from indexer.encoder.packed import PackedRows, can_pack

        if can_pack(matrix.shape[1]):
            return PackedRows(matrix)
    return MatrixRows(matrix)
