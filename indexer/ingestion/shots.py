"""Divides a video into shots by the change between neighbouring frames' embeddings; pure.

A cut is where the cosine distance between two neighbours is above a threshold, and well above that
of the frames around: a camera that pans changes its picture too, but evenly. A shot that is too
short, such as the mix of two in a cross-fade, joins the neighbour that it resembles more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from indexer.core.records import DoubleArray, FloatArray
from indexer.core.vectors import normalise

NEIGHBOURS = 4
"""Changes before and after one that tell what is typical around it."""

_ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotSettings:
    """How shots are found.

    The defaults were chosen by ``benchmarks.quality.shots``: from .02 to .25 the threshold hardly
    matters, and with a contrast of 2 the F1 on clips that did not choose is .91 to .99.

    Attributes:
        threshold: smallest cosine distance of neighbouring frames at a cut, 0 to 2.
        contrast: how many times as large as the typical one around it that is.
        min_length_s: shortest shot.
    """

    threshold: float = 0.12
    contrast: float = 2.0
    min_length_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A part of a video.

    Attributes:
        start_s: time of its first frame.
        end_s: time of the next shot's first frame, or the video's end.
        vector: float32 (d,), the normalised mean of its frames' embeddings.
        frames: number of frames that were embedded.
    """

    start_s: float
    end_s: float
    vector: FloatArray
    frames: int


def find_shots(
    vectors: FloatArray, times: DoubleArray, end_s: float, settings: ShotSettings = ShotSettings()
) -> list[Shot]:
    """The shots of a video, in order; together they cover it.

    Args:
        vectors: float32 (n, d), rows of length 1, of its frames; at least one.
        times: float64 (n,), seconds, ascending.
        end_s: end of the last frame.
    """
    distances = 1.0 - np.einsum("nd,nd->n", vectors[1:], vectors[:-1]).astype(np.float64)
    starts = _without_short(_cuts(distances, settings), vectors, times, end_s, settings)
    stops = [*starts[1:], len(vectors)]
    ends = [*times[starts[1:]].tolist(), max(end_s, float(times[-1]))]
    return [
        Shot(
            start_s=float(times[start]),
            end_s=end,
            vector=normalise(vectors[start:stop].sum(axis=0, dtype=np.float64)),
            frames=stop - start,
        )
        for start, stop, end in zip(starts, stops, ends, strict=True)
    ]


def _cuts(distances: DoubleArray, settings: ShotSettings) -> list[int]:
    """The first frames of the shots.

    Args:
        distances: float64 (n - 1,), of each frame to the next.
    """
    typical = typical_changes(distances)
    is_cut = (distances >= settings.threshold) & (distances >= settings.contrast * typical)
    return [0, *(np.flatnonzero(is_cut) + 1).tolist()]


def typical_changes(distances: DoubleArray) -> DoubleArray:
    """float64 (n,): the median of the distances around each one, itself left out."""
    if not len(distances):
        return distances
    padded = np.pad(distances, NEIGHBOURS, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1).copy()
    windows[:, NEIGHBOURS] = np.nan
    has_changes = np.isfinite(windows).any(axis=1)
    typical = np.zeros(len(distances))
    typical[has_changes] = np.nanmedian(windows[has_changes], axis=1)
    return typical


def _without_short(
    starts: list[int],
    vectors: FloatArray,
    times: DoubleArray,
    end_s: float,
    settings: ShotSettings,
) -> list[int]:
    """The first frames of the shots, after those that are too short joined a neighbour.

    The shortest joins first: two frames of a cross-fade go to different sides.
    """
    sums = [part.sum(axis=0, dtype=np.float64) for part in np.split(vectors, starts[1:])]
    bounds = [*times[starts].tolist(), max(end_s, float(times[-1]))]
    starts = list(starts)
    while len(starts) > 1:
        lengths = np.diff(bounds)
        shortest = int(lengths.argmin())
        if lengths[shortest] >= settings.min_length_s - _ROUNDING_S:
            break
        joins_next = shortest == 0 or (
            shortest + 1 < len(starts)
            and _cosine(sums[shortest], sums[shortest + 1])
            > _cosine(sums[shortest], sums[shortest - 1])
        )
        later = shortest + joins_next
        sums[later - 1] += sums.pop(later)
        del starts[later], bounds[later]
    return starts


def _cosine(first: DoubleArray, second: DoubleArray) -> float:
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second) or 1.0))
