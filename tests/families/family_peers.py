"""What families are compared on, and with."""

from __future__ import annotations

from typing import Any

import family_dual_encoders
import family_siglip
import family_text_models
import numpy as np
from family_checkpoints import FAMILIES

from indexer.core.protocols import Pixels
from indexer.core.vectors import normalise

MAKERS = (family_dual_encoders, family_siglip, family_text_models)
"""Modules that enter families when they are imported."""

TEXTS = (
    "mug",
    "a red ceramic mug with a white handle, dishwasher safe",
    "running shoes",
    "a small blue chair made of wood and steel",
    "a",
)
"""Of lengths that a batch has to pad; within the limit of every family."""

CLOSE = 0.9998
"""The least cosine of vectors that count as equal: pictures are resized to within 2 of 255."""


def encoded(peer: Any, inputs: list[Any], **options: Any) -> Any:
    """Vectors of length 1 by sentence-transformers, each input alone.

    SigLIP's texts are padded as it was trained with, and as transformers' pipeline does it;
    sentence-transformers pads them to the longest of their batch.
    """
    if "siglip" in str(getattr(peer[0], "config", None)).lower():
        fixed = {"text": {"padding": "max_length", "max_length": 64, "truncation": True}}
        options |= {"processing_kwargs": fixed}
    rows = [peer.encode([one], show_progress_bar=False, **options)[0] for one in inputs]
    return normalise(np.stack(rows))


def least_cosine(ours: Any, theirs: Any) -> float:
    """The least cosine of rows of length 1."""
    return float((ours * theirs).sum(axis=1).min())


def drawn(*sizes: tuple[int, int]) -> list[Pixels]:
    """Smooth pictures of these heights and widths."""
    pictures = []
    for number, (height, width) in enumerate(sizes):
        rows, columns = np.mgrid[0:height, 0:width]
        waves = [
            127 + 120 * np.sin(number + colour + rows * (3 + colour) / 20 + columns * number / 30)
            for colour in range(3)
        ]
        pictures.append(np.stack(waves, axis=-1).astype(np.uint8))
    return pictures


__all__ = ["CLOSE", "FAMILIES", "TEXTS", "drawn", "encoded", "least_cosine"]
