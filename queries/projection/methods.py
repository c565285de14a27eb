"""Ways to lay vectors out in two dimensions; arrays in, arrays out."""

from __future__ import annotations

import importlib.util
import threading
from enum import StrEnum

import numpy as np

from indexer.core.errors import UsageError
from indexer.core.records import FloatArray
from queries.projection.umap_process import umap_in_process

NEIGHBOURS = 15
"""Neighbours that UMAP keeps together: its own default."""

FEWEST_FOR_UMAP = 2 * NEIGHBOURS
"""Items below which neighbours say no more than the two main axes."""


class Method(StrEnum):
    """How items are laid out."""

    UMAP = "umap"
    PCA = "pca"


def has_umap() -> bool:
    """Whether UMAP is installed."""
    return importlib.util.find_spec("umap") is not None


def chosen_method(wanted: Method | None, items: int) -> tuple[Method, str]:
    """The method to use, and why it is not UMAP; empty where it is, or where PCA was asked for.

    Args:
        wanted: None is UMAP where that is possible.
        items: how many are laid out.

    Raises:
        UsageError: UMAP is asked for, and is not installed.
    """
    if wanted is Method.PCA:
        return Method.PCA, ""
    if not has_umap():
        install = "pip install 'zeroshelf[map]'"
        if wanted is Method.UMAP:
            raise UsageError(f"--method umap needs umap-learn: {install}")
        return Method.PCA, f"umap-learn, which keeps groups apart, is not installed: {install}"
    if items < FEWEST_FOR_UMAP:
        return Method.PCA, f"UMAP needs {FEWEST_FOR_UMAP} items"
    return Method.UMAP, ""


def lay_out(
    reduced: FloatArray, method: Method, *, seed: int, stop: threading.Event | None = None
) -> FloatArray:
    """float32 (n, 2): places in the unit square, both axes at one scale.

    The same vectors and seed give the same places on the same machine.

    Args:
        reduced: float32 (n, k), along the principal axes, that of the largest variance first.
        seed: of UMAP's random numbers.
        stop: set it to end UMAP.

    Raises:
        StoppedError: ``stop`` was set.
    """
    flat = np.zeros((len(reduced), 2), dtype=np.float32)
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
