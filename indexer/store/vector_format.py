"""Vectors in the number format of a collection, and back; pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.core.layout import VectorType
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise


def to_stored(vectors: FloatArray, kind: VectorType) -> npt.NDArray[np.floating]:
    """float32 (n, d) in the format of a collection; queries too must be of its format."""
    return vectors.astype(np.float16) if kind is VectorType.FLOAT16 else vectors


def from_stored(value: Any, kind: VectorType) -> FloatArray:
    """float32 (d,) from pymilvus' form of a stored vector.

    pymilvus 3.0.2 gives a list of floats, and for float16 bytes, which a query wraps in a list.
    Rounded vectors are normalised to length 1 again.
    """
    if kind is VectorType.FLOAT32:
        return np.asarray(value, dtype=np.float32)
    packed = value[0] if isinstance(value, list) else value
    return normalise(np.frombuffer(packed, dtype="<f2"))
