"""Places and codes as browsers take them: numbers of two bytes, in base64; pure."""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt

from indexer.core.records import FloatArray

_LARGEST = 65_535


def quantized(places: FloatArray) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """X and y, uint16 (n,) each: places in the unit square times 65,535.

    Args:
        places: float32 (n, 2), in the unit square.
    """
    numbers = np.rint(places * _LARGEST).astype(np.uint16)
    return numbers[:, 0], numbers[:, 1]


def in_base64(numbers: npt.NDArray[np.uint16]) -> str:
    """Little-endian, as browsers' machines are."""
    return base64.b64encode(np.ascontiguousarray(numbers, dtype="<u2").tobytes()).decode()
