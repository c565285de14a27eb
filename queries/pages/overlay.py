"""A heat map laid over its picture, for pages."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from indexer.core.protocols import Pixels

Colour = tuple[int, int, int]
"""RGB, 0 to 255."""

Layer = tuple[npt.NDArray[np.floating], Colour]
"""Heat, float (rows, columns), 0 to 1, and the colour of the most heat."""

GROUND_SHARE = 0.35
"""Share of the picture's own colour where the heat is 0."""

_STRONGEST = 0.78
"""Opacity of the colour where the heat is 1."""


def tinted(
    pixels: Pixels,
    layers: Sequence[Layer],
    *,
    box: tuple[float, float, float, float],
    side: int,
) -> bytes:
    """A picture with colour where heat is, as a small JPEG.

    Args:
        pixels: uint8 (height, width, 3), RGB.
        layers: of the part of the picture in ``box``; later ones lie on top.
        box: top, left, bottom and right as shares of height and width; what is outside
            is dimmed.
        side: longest side of the result, in pixels; small pictures are enlarged to it.
    """
    picture = Image.fromarray(pixels)
    scale = side / max(picture.size)
    width, height = (max(1, round(length * scale)) for length in picture.size)
    ground = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float64)
    grey = ground.mean(axis=2, keepdims=True)
    blended = GROUND_SHARE * ground + (1 - GROUND_SHARE) * (0.75 * grey + 0.25 * 255)
    for heat, colour in layers:
        opacity, seen = _spread(heat, box, height, width)
        cover = _STRONGEST * opacity
        tint = 0.35 * ground + 0.65 * np.array(colour, dtype=np.float64)
        blended = np.where(seen, (1 - cover) * blended + cover * tint, 0.45 * grey + 0.55 * 128)
    buffer = io.BytesIO()
    shown = Image.fromarray(np.clip(blended, 0, 255).astype(np.uint8))
    shown.save(buffer, "JPEG", quality=88, optimize=True)
    return buffer.getvalue()


def _spread(
    heat: npt.NDArray[np.floating],
    box: tuple[float, float, float, float],
    height: int,
    width: int,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Heat at every pixel, float (height, width, 1), and which pixels the box holds."""
    top, bottom = round(box[0] * height), max(round(box[2] * height), round(box[0] * height) + 1)
    left, right = round(box[1] * width), max(round(box[3] * width), round(box[1] * width) + 1)
    grid = Image.fromarray(np.asarray(heat, dtype=np.float32))
    smooth = np.asarray(grid.resize((right - left, bottom - top), Image.Resampling.BICUBIC))
    opacity = np.zeros((height, width, 1))
    seen = np.zeros((height, width, 1), dtype=bool)
    inside = opacity[top:bottom, left:right]
    inside[..., 0] = np.clip(smooth, 0, 1)[: inside.shape[0], : inside.shape[1]]
    seen[top:bottom, left:right] = True
    return opacity, seen
