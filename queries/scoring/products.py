"""Inner products of queries with the rows of a matrix.

By numpy's BLAS. oneDNN, which torch has, is no quicker where both may use the same vector
instructions, and loading torch takes seconds.
"""

from __future__ import annotations

import numpy as np

from indexer.core.records import FloatArray
from queries.scoring.scratch import Scratch


class Products:
    """Rows that queries are multiplied with. Threads may share it.

    Args:
        matrix: float32 (m, d).
        scratch: what products are written to.
    """

    def __init__(self, matrix: FloatArray, scratch: Scratch) -> None:
        self._matrix, self._scratch = matrix, scratch

    def of(self, queries: FloatArray) -> FloatArray:
        """float32 (n, m): products of queries float32 (n, d), in rows that lie together.

        The thread's next products are written over them.
        """
        out = self._scratch.array("products", (len(queries), len(self._matrix)), np.float32)
        return np.matmul(queries, self._matrix.T, out=out)
