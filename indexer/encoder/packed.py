"""Products of a matrix's rows with very many queries on a CPU, by oneDNN.

BLAS libraries choose their kernels by processor and by the shape of a product; oneDNN, which
torch has, packs the matrix once and fills the widest vectors there are, on processors of any
maker (see ``indexer.encoder.linear``). A product of its kernels has the same bits in any row and
any column, whatever stands beside it, and that is tried before it is relied on.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from indexer.records import FloatArray

_FEWEST_ROWS, _MOST_ROWS = 96, 2048
_PRODUCTS = 2**21
"""At a time: they stay in the cache for what is done with them."""

_FEWEST_COLUMNS = 16
"""A single column is multiplied by another kernel, which adds up in another order."""

_TRIAL_COLUMNS = (1, 5, 37, 320, 1111)
_TOLERANCE = 1e-4
"""What a product of normal vectors of length 1 may be off by: with bfloat16 inside it is more."""


class PackedRows:
    """Rows that queries are multiplied with, in float32. Threads may share it.

    Args:
        matrix: float32 (m, d).

    Attributes:
        count: m.
        repeatable: a product has the same bits whatever other rows there are.
        rows_at_once: how many queries may be given at a time.
    """

    repeatable = True

    def __init__(self, matrix: FloatArray) -> None:
        self.count = len(matrix)
        self.rows_at_once = max(_FEWEST_ROWS, min(_MOST_ROWS, _PRODUCTS // max(self.count, 1)))
        lacking = max(0, _FEWEST_COLUMNS - self.count)
        filled = np.concatenate([matrix, np.zeros((lacking, matrix.shape[1]), dtype=np.float32)])
        self._packed = torch.ops.mkldnn._reorder_linear_weight(
            torch.from_numpy(filled), _FEWEST_ROWS
        )

    def of(self, queries: FloatArray) -> FloatArray:
        """Float32 (n, m): products of queries float32 (n, d), taken by the thread that asks."""
        given = np.require(queries, requirements=["C", "W"])
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            products = torch.ops.mkldnn._linear_pointwise(
                torch.from_numpy(given), self._packed, None, "none", [], ""
            )
        finally:
            torch.set_num_threads(threads)
        found: FloatArray = products.numpy()[:, : self.count]
        return found

    def like(self, matrix: FloatArray) -> PackedRows:
        """Other rows by the same kernel."""
        return PackedRows(matrix)


@lru_cache(maxsize=16)
def can_pack(width: int) -> bool:
    """Whether this build of torch and this processor can, and products are right and repeatable.

    Args:
        width: d.
    """
    random = np.random.default_rng(0)
    rows, queries = random.standard_normal((2, max(_TRIAL_COLUMNS), width), dtype=np.float32)
    rows /= np.sqrt(np.float32(width))
    queries = queries[:_FEWEST_ROWS] / np.sqrt(np.float32(width))
    try:
        everything = PackedRows(rows).of(queries)
        parts = [
            (slice(first, first + columns), PackedRows(rows[first : first + columns]))
            for columns in _TRIAL_COLUMNS
            for first in {0, 13, len(rows) - columns}
            if first + columns <= len(rows)
        ]
        alike = all(
            np.array_equal(packed.of(queries[:items]), everything[:items, part])
            for part, packed in parts
            for items in (1, 7, _FEWEST_ROWS)
        )
    # A build without the operator has no such attribute; one without its kernel raises.
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
    return alike and bool(np.abs(everything - queries @ rows.T).max() <= _TOLERANCE)
