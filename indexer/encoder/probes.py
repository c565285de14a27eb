"""The parts of a fingerprint: fixed inputs, rounded vectors and a hash of settings."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from indexer.core.errors import ModelError
from indexer.core.hashing import sha256
from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray

PROBE_TEXT = "a photo of a product on a white background"
# Enough to tell models apart, and short in the collection's properties.
PROBE_DIMENSIONS = 64

_ALIKE = 1e-6
"""Vectors of one batch that differ by less than this are of one and the same text."""


def probe_picture() -> Pixels:
    """Fixed uint8 (96, 128, 3): gradients and a square, so that crops and colours count."""
    rows, columns = np.mgrid[0:96, 0:128]
    picture = np.stack([rows * 255 // 95, columns * 255 // 127, (rows + columns) % 256], axis=-1)
    picture[24:56, 40:90] = (220, 30, 60)
    return picture.astype(np.uint8)


def probe_sound(rate: int) -> FloatArray:
    """Fixed float32 (5 * rate,): a tone that rises from 100 to 6,000 Hz, louder every half second.

    Args:
        rate: samples a second.
    """
    seconds = np.arange(5 * rate) / rate
    phase = 2 * np.pi * (100 * seconds + 590 * seconds**2)
    return (np.sin(phase) * (2 * seconds % 1)).astype(np.float32)


def require_distinct_texts(model: str, vectors: FloatArray) -> None:
    """Refuse a model that gives different texts one vector: every label would get one score.

    Args:
        model: its name, for the message.
        vectors: float32 (n, d) of different texts, rows of length 1.

    Raises:
        ModelError: all of them are alike.
    """
    if float(np.ptp(vectors, axis=0).max()) < _ALIKE:
        raise ModelError(
            f"model {model!r} gives all texts the same vector. Its tokenizer is not the one that "
            "it was trained with, such as where the token that ends a text has another number than "
            "eos_token_id in config.json: take config.json and the tokenizer's files from the same "
            "folder as the weights."
        )


def rounded(vector: FloatArray) -> tuple[float, ...]:
    """The first dimensions of a vector, as a fingerprint keeps them."""
    return tuple(round(float(value), 4) for value in vector[:PROBE_DIMENSIONS])


def settings_hash(processor: Any) -> str:
    """Hash of what an image processor of transformers is set to, 16 hex digits."""
    settings = json.dumps(processor.to_dict(), sort_keys=True, default=str)
    return sha256(settings.encode())[:16]
