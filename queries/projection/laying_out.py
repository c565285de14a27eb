"""Vectors to places in two dimensions; arrays in, arrays out."""

from __future__ import annotations

import threading

import numpy as np

from indexer.core.records import FloatArray
from queries.projection.methods import NEIGHBOURS, Method
from queries.projection.umap_process import umap_in_process

NO_SPREAD = 1e-6
"""Vectors of length 1 that differ by less differ by rounding: UMAP gives such items no places, and
scaled to the square they would lie apart."""


def lay_out(
    reduced: FloatArray, method: Method, *, seed: int, stop: threading.Event | None = None
) -> FloatArray:
    """float32 (n, 2): places in the unit square, both axes at one scale.

    The same vectors and seed give the same places on the same machine. Where all vectors are the
    same, all lie in the middle.

    Args:
        reduced: float32 (n, k), along the principal axes, that of the largest variance first.
        seed: of UMAP's random numbers.
        stop: set it to end UMAP.

    Raises:
        StoppedError: ``stop`` was set.
    """
    flat = np.zeros((len(reduced), 2), dtype=np.float32)
    if np.ptp(reduced, axis=0).max(initial=0) < NO_SPREAD:
        return in_unit_square(flat)
    flat[:, : reduced.shape[1]] = reduced[:, :2]
    if method is Method.UMAP:
        # From PCA's places rather than random ones: what is far apart stays so
        # (Kobak and Linderman 2021, "Initialization is critical").
        first = 10 * in_unit_square(flat)
        flat = umap_in_process(
            reduced, first, neighbours=NEIGHBOURS, seed=seed, stop=stop or threading.Event()
        )
    return in_unit_square(flat)


def in_unit_square(places: FloatArray) -> FloatArray:
    """float32 (n, 2): the places moved and scaled into the unit square, in its middle."""
    if not len(places):
        return places
    low, high = places.min(axis=0), places.max(axis=0)
    scale = float((high - low).max()) or 1.0
    moved: FloatArray = np.clip((places - (low + high) / 2) / scale + 0.5, 0, 1)
    return moved.astype(np.float32)
