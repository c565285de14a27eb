"""Inner products of queries with the rows of a matrix, by the quickest library."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from indexer.core.records import FloatArray
from queries.scoring.scratch import Scratch


class Products(Protocol):
    """Rows that queries are multiplied with. Threads may share it."""

    def of(self, queries: FloatArray) -> FloatArray:
        """float32 (n, m): products of queries float32 (n, d), in rows that lie together.

        The thread's next products may be written over them.
        """


class MatrixRows:
    """Rows whose products numpy takes.

    Args:
        matrix: float32 (m, d).
        scratch: what products are written to.
    """

    def __init__(self, matrix: FloatArray, scratch: Scratch) -> None:
        self._matrix, self._scratch = matrix, scratch

    def of(self, queries: FloatArray) -> FloatArray:
        """float32 (n, m), which the thread's next products are written over."""
        out = self._scratch.array("products", (len(queries), len(self._matrix)), np.float32)
        return np.matmul(queries, self._matrix.T, out=out)


def products_with(matrix: FloatArray, scratch: Scratch, *, packed: bool = False) -> Products:
    """The quickest products with the rows of a matrix.

    Args:
        matrix: float32 (m, d).
        scratch: where numpy's products are written to.
        packed: by torch, where it can; torch is loaded then.
    """
    if packed:
        from indexer.encoder.packed import PackedRows, can_pack

        if can_pack(matrix.shape[1]):
            return PackedRows(matrix)
    return MatrixRows(matrix, scratch)
