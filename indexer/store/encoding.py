"""Vectors as a collection stores them, and back; pure."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.core.layout import VectorType
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise


def stored(vectors: FloatArray, kind: VectorType) -> npt.NDArray[np.floating]:
    """float32 (n, d) in the format of a collection; queries too must be of its format."""
    return vectors.astype(np.float16) if kind is VectorType.FLOAT16 else vectors


def restored(value: Any, kind: VectorType) -> FloatArray:
    """float32 (d,) out of what pymilvus gives for a stored vector.

    It gives a list of floats, and for float16 bytes, in a list of one when they come of a
    query (pymilvus 3.0.2). Rounded vectors are of length 1 again afterwards.
    """
    if kind is VectorType.FLOAT32:
        return np.asarray(value, dtype=np.float32)
    packed = value[0] if isinstance(value, list) else value
    return normalise(np.frombuffer(packed, dtype="<f2"))
