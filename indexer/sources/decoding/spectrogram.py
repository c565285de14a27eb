"""A sound as a picture: time to the right, frequency upwards, louder is brighter."""

from __future__ import annotations

import numpy as np

from indexer.core.protocols import Pixels
from indexer.core.records import FloatArray

RATE = 22_050
"""Samples a second that a spectrogram is drawn of: frequencies up to 11 kHz."""

_FRAME, _COLUMNS, _ROWS = 1024, 512, 256
_RANGE_DB = 80.0
"""Decibels below the loudest that are still seen."""

_COLOURS = np.array(
    [(0, 0, 4), (66, 10, 104), (147, 38, 103), (221, 81, 58), (252, 165, 10), (252, 255, 164)],
    dtype=np.float64,
)
"""From silent to loud: six of the colours of matplotlib's ``inferno``, which suits the colour-blind
and survives a print in grey."""


def spectrogram(samples: FloatArray) -> Pixels:
    """The spectrogram of a sound.

    Rows are mel bands: near each other where ears tell pitches apart.

    Args:
        samples: float32 (n,), mono, at ``RATE``.

    Returns:
        uint8 (256, 512, 3).
    """
    padded = np.pad(samples.astype(np.float64), (_FRAME // 2, _FRAME // 2 + 1))
    starts = np.linspace(0, len(padded) - _FRAME, _COLUMNS).astype(np.int64)
    frames = padded[starts[:, np.newaxis] + np.arange(_FRAME)] * np.hanning(_FRAME)
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    edges = np.linspace(_mel(0.0), _mel(RATE / 2), _ROWS)
    bins = 700 * (10 ** (edges / 2595) - 1) * _FRAME / RATE
    low = np.minimum(bins.astype(np.int64), power.shape[1] - 2)
    share = np.clip(bins - low, 0.0, 1.0)
    bands = power[:, low] * (1 - share) + power[:, low + 1] * share
    decibels = 10 * np.log10(np.maximum(bands, 1e-12))
    loudness = np.clip((decibels - decibels.max()) / _RANGE_DB + 1, 0.0, 1.0)
    if not samples.any():
        loudness = np.zeros_like(loudness)
    places = loudness.T[::-1] * (len(_COLOURS) - 1)
    channels = [
        np.interp(places, np.arange(len(_COLOURS)), _COLOURS[:, channel]) for channel in range(3)
    ]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def _mel(frequency: float) -> float:
    return float(2595 * np.log10(1 + frequency / 700))
