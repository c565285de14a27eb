"""Checks and arithmetic on blocks of vectors; pure numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from indexer.core.records import FloatArray, IndexArray

UNIT_TOLERANCE = 1e-3
"""How far a stored vector's length may be from 1: float16 round trips stay below it."""


def normalise(vectors: npt.ArrayLike) -> FloatArray:
    """Rows scaled to length 1.

    Args:
        vectors: (n, d) or (d,), any float type; rows must be finite and not zero
            (``problems`` finds those that are not; they come back as they are).

    Returns:
        float32 of the same shape; lengths are taken in float64.
    """
    exact = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(exact, axis=-1, keepdims=True)
    return np.asarray(exact / np.where(lengths > 0, lengths, 1.0), dtype=np.float32)


def problems(vectors: npt.NDArray[np.floating], width: int) -> dict[int, str]:
    """Rows that must not reach Milvus: Lite stores NaN and zero vectors in silence.

    Args:
        vectors: (n, d), before normalisation.
        width: the d that the collection has.

    Returns:
        Row number to cause; empty when all rows are good.
    """
    if vectors.ndim != 2 or vectors.shape[1] != width:
        shape = "x".join(map(str, vectors.shape[1:])) or "no dimension"
        return dict.fromkeys(range(len(vectors)), f"width {shape}, the catalog has {width}")
    problem_by_row: dict[int, str] = {}
    finite = np.isfinite(vectors).all(axis=1)
    lengths = np.linalg.norm(np.where(np.isfinite(vectors), vectors, 0).astype(np.float64), axis=1)
    for row in np.flatnonzero(~finite):
        problem_by_row[int(row)] = "a value that is not a finite number"
    for row in np.flatnonzero(finite & (lengths < 1e-12)):
        problem_by_row[int(row)] = "all values are zero"
    return problem_by_row


def unit_rows(vectors: FloatArray) -> npt.NDArray[np.bool_]:
    """Which rows of (n, d) are finite and of length 1 within ``UNIT_TOLERANCE``."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    return np.asarray(np.abs(lengths - 1.0) <= UNIT_TOLERANCE)


def rows_of_groups(
    starts: IndexArray, count: int, chosen: IndexArray
) -> tuple[IndexArray, IndexArray]:
    """The rows of some groups, where the rows of a group lie together.

    Args:
        starts: int64 (g,), the first row of each group, ascending.
        count: of the rows of all groups.
        chosen: int64 (k,), groups.

    Returns:
        int64 (r,), the rows, group by group; and int64 (k,), where each group's begin among them.
    """
    counts = np.diff(np.append(starts, count))[chosen]
    begins = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(starts[chosen] - begins, counts), begins
