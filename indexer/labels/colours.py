"""Colours measured from pixels: of the foreground of a picture, against named colours; pure.

The background is what the border of the picture has: its colours there, on a grid of CIELAB. A
pixel farther than ``BACKGROUND_DISTANCE`` from all of them is foreground. The foreground's pixels
are counted by cell of a palette, so that a measured picture serves any set of colours.

A label's anchors are points of CIELAB: its name (or a synonym) where it is a known colour, or a
``#rrggbb`` in its description. Each cell of the palette belongs to the labels by a softmax of the
negative distances to their nearest anchors, and a picture's score of a label comes of the share of
its foreground that belongs to it. CIELAB: CIE 15:2004, section 8.2.1, with the white point D65.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from indexer.core.errors import TaxonomyError
from indexer.core.records import DoubleArray, FloatArray, Label

LEVELS = 6
"""Levels of red, green and blue in the palette."""

CELLS = LEVELS**3

SIDE = 64
"""Longest side in pixels of what is measured: colours do not get better by more."""

BACKGROUND_DISTANCE = 32.0
"""Distance in CIELAB from which a pixel is not background. This, the softness and the sharpness are
the best of a few on 328 products that were drawn for it, none of which is in the sample shop."""

_RING = 0.06
"""Width of the border, as a share of the shorter side."""

_COMMON = 0.005
"""Share of the border that a colour must have to be one of the background."""

_GRID = 6.0
"""Width of a cell in which the border's colours are counted."""

_FEWEST = 0.01
"""Share of the picture below which its middle is measured instead: the product fills the border,
or differs little from it."""

_SOFTNESS = 15.0
"""Distance in CIELAB by which belonging to an anchor falls to a third."""

_LIGHTNESS = 0.7
"""Weight of a difference of lightness: shadows change it more than they change the colour."""

_SHARPNESS = 2.5
"""Power of the shares, after which scores are about as often right as they say."""

VERSION = "colours1"
"""Of the method; a part of the label version of what it decided."""

ANCHORS: dict[str, tuple[int, int, int]] = {
    "red": (200, 30, 40),
    "crimson": (165, 20, 50),
    "burgundy": (110, 20, 40),
    "orange": (245, 130, 32),
    "yellow": (250, 215, 50),
    "gold": (205, 165, 70),
    "beige": (225, 205, 170),
    "cream": (250, 240, 215),
    "green": (40, 140, 60),
    "olive": (110, 115, 45),
    "khaki": (170, 155, 105),
    "turquoise": (48, 190, 190),
    "teal": (15, 120, 125),
    "blue": (35, 90, 190),
    "light blue": (140, 190, 235),
    "navy": (25, 35, 85),
    "purple": (120, 60, 150),
    "lilac": (195, 160, 210),
    "pink": (245, 140, 175),
    "brown": (115, 75, 45),
    "black": (25, 25, 28),
    "grey": (128, 128, 128),
    "silver": (190, 192, 196),
    "white": (250, 250, 250),
}
"""Colours by name, as sRGB."""

_OTHER_NAMES = {
    "gray": "grey",
    "violet": "purple",
    "lavender": "lilac",
    "cyan": "turquoise",
    "maroon": "burgundy",
    "tan": "beige",
    "ivory": "cream",
    "navy blue": "navy",
    "dark blue": "navy",
    "sky blue": "light blue",
    "rose": "pink",
    "bronze": "gold",
}

_HEX = re.compile(r"#([0-9a-fA-F]{6})\b")
_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
"""From linear sRGB to XYZ: IEC 61966-2-1."""

_WHITE = np.array([0.95047, 1.0, 1.08883])
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27


def lab_of(rgb: npt.ArrayLike) -> DoubleArray:
    """CIELAB of sRGB values 0 to 255, float64 (..., 3)."""
    share = np.asarray(rgb, dtype=np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE
    bent = np.where(xyz > _EPSILON, np.cbrt(xyz), (_KAPPA * xyz + 16) / 116)
    x, y, z = bent[..., 0], bent[..., 1], bent[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def measure(pixels: npt.NDArray[np.uint8]) -> FloatArray:
    """Share of the foreground in each cell of the palette: float32 (CELLS,), sum 1.

    Args:
        pixels: uint8 (h, w, 3), sRGB; best of at most ``SIDE`` a side.
    """
    foreground = pixels[_foreground(lab_of(pixels))]
    if len(foreground) < _FEWEST * pixels.shape[0] * pixels.shape[1]:
        height, width = pixels.shape[:2]
        middle = pixels[height // 4 : height - height // 4, width // 4 : width - width // 4]
        foreground = middle.reshape(-1, 3)
    levels = np.rint(foreground.astype(np.float64) * ((LEVELS - 1) / 255)).astype(np.int64)
    cells = (levels[:, 0] * LEVELS + levels[:, 1]) * LEVELS + levels[:, 2]
    counts = np.bincount(cells, minlength=CELLS)
    return np.asarray(counts / counts.sum(), dtype=np.float32)


def memberships(labels: Sequence[Label]) -> FloatArray:
    """How much each cell of the palette belongs to each label: float32 (m, CELLS), columns sum 1.

    Raises:
        TaxonomyError: a label is no known colour and gives none.
    """
    anchors = [_anchors(label) for label in labels]
    unknown = [label.name for label, points in zip(labels, anchors, strict=True) if not len(points)]
    if unknown:
        raise TaxonomyError(
            f"labels that are no known colours: {', '.join(map(repr, unknown[:5]))}"
            f"{', ...' if len(unknown) > 5 else ''}. Give each a colour as #rrggbb in its "
            f"description. Known are: {', '.join(ANCHORS)}."
        )
    weights = np.array([_LIGHTNESS, 1.0, 1.0])
    distances = np.stack(
        [
            np.linalg.norm((_palette()[:, None] - points[None]) * weights, axis=2).min(axis=1)
            for points in anchors
        ]
    )
    belonging = np.exp(-(distances - distances.min(axis=0)) / _SOFTNESS)
    return np.asarray(belonging / belonging.sum(axis=0), dtype=np.float32)


def scores(measured: FloatArray, belonging: FloatArray) -> DoubleArray:
    """How much of each picture has each colour: float64 (n, m), rows sum 1.

    Args:
        measured: float32 (n, CELLS), by ``measure``.
        belonging: float32 (m, CELLS), by ``memberships``.
    """
    shares = np.maximum(measured.astype(np.float64) @ belonging.T.astype(np.float64), 1e-9)
    sharp = shares**_SHARPNESS
    return np.asarray(sharp / sharp.sum(axis=1, keepdims=True))


def _anchors(label: Label) -> DoubleArray:
    """Points of CIELAB, float64 (k, 3): those of its description, else of its names."""
    written = _HEX.findall(label.description)
    if written:
        return lab_of([[int(text[at : at + 2], 16) for at in (0, 2, 4)] for text in written])
    names = [" ".join(name.casefold().split()) for name in (label.name, *label.synonyms)]
    anchors = (ANCHORS.get(_OTHER_NAMES.get(name, name)) for name in names)
    points = [point for point in anchors if point is not None]
    return lab_of(points) if points else np.empty((0, 3))


def _foreground(lab: DoubleArray) -> npt.NDArray[np.bool_]:
    """Bool (h, w): the pixels that are not of the border's colours."""
    height, width = lab.shape[:2]
    ring = max(1, round(_RING * min(height, width)))
    is_border = np.ones((height, width), dtype=bool)
    is_border[ring : height - ring, ring : width - ring] = False
    border = lab[is_border]
    cells, counts = np.unique(np.rint(border / _GRID), axis=0, return_counts=True)
    background = cells[counts >= _COMMON * len(border)] * _GRID
    nearest = np.full((height, width), np.inf)
    for colour in background:
        nearest = np.minimum(nearest, np.linalg.norm(lab - colour, axis=2))
    return nearest > BACKGROUND_DISTANCE


@cache
def _palette() -> DoubleArray:
    """CIELAB of the palette's cells, float64 (CELLS, 3)."""
    levels = np.linspace(0, 255, LEVELS)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    return lab_of(grid.reshape(-1, 3))
