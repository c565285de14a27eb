"""Products of a matrix's rows with very many queries on a CPU, by oneDNN.

oneDNN, which torch has, packs the matrix once and uses the widest vector instructions on
processors of any maker. BLAS libraries do not (see ``indexer.encoder.linear``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import torch

from indexer.core.records import FloatArray

_FEWEST_ROWS = 96
"""Queries that the packing is made for."""

_TRIAL_COLUMNS = (1, 5, 37, 320, 1111)
_TRIAL_ROWS = (1, 7, _FEWEST_ROWS)
# Half a unit in the last place of float32.
_ROUNDING = 2.0**-24
_MARGIN = 4
"""The error of a product of d terms is at most d + 4 roundings of the lengths' product."""


class PackedRows:
    """Packed rows to multiply queries with, in float32. Threads may share it.

    Args:
        matrix: float32 (m, d).
    """

    def __init__(self, matrix: FloatArray) -> None:
        reorder = torch.ops.mkldnn._reorder_linear_weight
        self._packed = reorder(_tensor(matrix), _FEWEST_ROWS)

    def of(self, queries: FloatArray) -> FloatArray:
        """Float32 (n, m): products of queries float32 (n, d)."""
        multiply = torch.ops.mkldnn._linear_pointwise
        products: FloatArray = multiply(
            _tensor(queries), self._packed, None, "none", [], ""
        ).numpy()
        return products


def _tensor(rows: FloatArray) -> torch.Tensor:
    return torch.from_numpy(np.require(rows, requirements=["C", "W"]))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let each product run in its calling thread only, here and in threads that start meanwhile."""
    previous = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(previous)


@lru_cache(maxsize=16)
def can_pack(width: int) -> bool:
    """Whether this build of torch on this processor computes packed products correctly.

    Args:
        width: d.
    """
    random = np.random.default_rng(0)
    rows = random.standard_normal((max(_TRIAL_COLUMNS), width), dtype=np.float32)
    queries = random.standard_normal((max(_TRIAL_ROWS), width), dtype=np.float32)
    exact = queries.astype(np.float64) @ rows.T.astype(np.float64)
    lengths = np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(rows, axis=1))
    bounds = (width + _MARGIN) * _ROUNDING * lengths
    try:
        return all(
            (
                np.abs(packed.of(queries[:items]) - exact[:items, :columns])
                <= bounds[:items, :columns]
            ).all()
            for columns in _TRIAL_COLUMNS
            for packed in [PackedRows(rows[:columns])]
            for items in _TRIAL_ROWS
        )
    # A build without the operator has no such attribute; one without its kernel raises.
    except (AttributeError, NotImplementedError, RuntimeError):
        return False
