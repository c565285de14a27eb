"""Ways to lay vectors out in two dimensions, and which one is taken. Light: the help needs it."""

from __future__ import annotations

import importlib.util
from enum import StrEnum

from indexer.core.errors import UsageError

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
