"""Inner products of queries with the rows of a matrix.

By numpy's BLAS. oneDNN, which torch has, is no quicker where both may use the same vector
instructions, and loading torch takes seconds.
"""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.core.records import FloatArray


class Scratch:
    """Arrays to be written over, of each thread its own.

    A mebibyte that is asked for anew each time is taken from the system and given back, and
    threads wait for each other there: it cost a run with 100 labels a quarter.
    """

    def __init__(self) -> None:
        self._kept = threading.local()

    def array(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        """The thread's array of a name, as large as asked for; what it holds is undefined.

        Args:
            name: of one dtype each time.
            shape: may differ from time to time.
            dtype: of the array.
        """
        size = math.prod(shape)
        buffer: npt.NDArray[Any] | None = getattr(self._kept, name, None)
        if buffer is None or buffer.size < size:
            buffer = np.empty(size, dtype=dtype)
            setattr(self._kept, name, buffer)
        return buffer[:size].reshape(shape)


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
