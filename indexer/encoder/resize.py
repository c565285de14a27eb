"""Resizing as a model's own picture processor does it, in a fifth of the time.

The processors resize with Pillow, a value at a time. torch has the same filters, with
Pillow's coefficients and its rounding to bytes between the passes
(``torch.nn.functional.interpolate``, ``antialias=True``), as vector instructions. Pixels
differ by at most 2 of 255, and few of them do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.core.protocols import Pixels

_MODES = {2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of the filters that torch has too, as it calls them."""

_SAME_AS = 4
"""Values that a pixel may be off by on noise, where both round most."""

_PROBE_SIZES = ((96, 128), (530, 300))
"""Heights and widths of the pictures that the two ways are compared on."""

DECODED_SIDES = 4
"""How many times the model's input the shorter side of a JPEG has to stay when it is decoded at a
fraction of its size. Measured on photos of 8 times the input: at 4 the cosine to the whole
picture is 0.9993 on average, closer than noise of one value in 255 (0.9973); at 2 it is 0.9984."""


LONGEST_SIDES = 8
"""Long side over short side of a picture beyond which its ends are cut before resizing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resizing:
    """What a processor does to a picture's size.

    Attributes:
        mode: torch's name of the filter.
        shortest_edge: length that the shorter side gets, the other in proportion; None
            where the picture is made ``size``.
        size: height and width, whatever they were before; None with ``shortest_edge``.
        crop: height and width of the middle that is kept; None keeps all.
    """

    mode: str
    shortest_edge: int | None = None
    size: tuple[int, int] | None = None
    crop: tuple[int, int] | None = None

    @property
    def shorter_side(self) -> int:
        """The shorter side of a picture after resizing, before the crop."""
        return min(self.size) if self.size is not None else self.shortest_edge or 0

    def resized(self, picture: Pixels) -> Pixels:
        """The picture as the model's input.

        Args:
            picture: uint8 (height, width, 3), neither of them 0.

        Returns:
            uint8 (input height, input width, 3), contiguous.
        """
        import torch
        from torch.nn.functional import interpolate

        height, width = self._before_crop(*picture.shape[:2])
        with torch.inference_mode():
            # As a batch of one before its axes are turned: torch takes three colours side by
            # side as they are only where the strides say so.
            batch = torch.from_numpy(np.require(picture, requirements=["C", "W"]))[None]
            resized = interpolate(
                batch.permute(0, 3, 1, 2), size=(height, width), mode=self.mode, antialias=True
            )
        rows, columns = self.crop or (height, width)
        top, left = (height - rows) // 2, (width - columns) // 2
        whole: Pixels = resized[0].permute(1, 2, 0).numpy()
        return np.ascontiguousarray(whole[top : top + rows, left : left + columns])

    def _before_crop(self, height: int, width: int) -> tuple[int, int]:
        if self.size is not None:
            return self.size
        short = self.shortest_edge or 0
        if height <= width:
            return short, int(short * width / height)
        return int(short * height / width), short


def without_far_ends(picture: Pixels) -> Pixels:
    """A ribbon's middle: its short side is made the input's, and then the ends are cut off.

    Without it, two rows of 30,000 pixels would be resized to gigabytes first.
    """
    height, width = picture.shape[:2]
    longest = LONGEST_SIDES * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    return picture[top : top + longest, left : left + longest]


def resizing_like(processor: Any, prepare: Callable[[Pixels], Pixels]) -> Resizing | None:
    """The quick way to what a processor does; None where there is none.

    Args:
        processor: an image processor of transformers.
        prepare: resizes and crops with it; what the quick way is compared with.
    """
    resizing = _described(processor)
    if resizing is None:
        return None
    rng = np.random.default_rng(0)
    for size in _PROBE_SIZES:
        probe = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        expected, resized = prepare(probe), resizing.resized(probe)
        if expected.shape != resized.shape:
            return None
        if np.abs(expected.astype(np.int16) - resized).max() > _SAME_AS:
            return None
    return resizing


def unpatched(patches: Pixels, shape: Sequence[int]) -> Pixels:
    """The picture that a processor cut into patches (SigLIP 2 of native resolution).

    Args:
        patches: uint8 (n, side * side * 3) row by row, those behind the picture's for padding.
        shape: rows and columns of patches.

    Returns:
        uint8 (rows * side, columns * side, 3), contiguous.
    """
    rows, columns = (int(count) for count in shape)
    side = math.isqrt(patches.shape[1] // 3)
    squares = patches[: rows * columns].reshape(rows, columns, side, side, 3)
    return np.ascontiguousarray(squares.swapaxes(1, 2)).reshape(rows * side, columns * side, 3)


def _described(processor: Any) -> Resizing | None:
    """What a processor says that it does, as far as it can be done here."""
    settings = processor.to_dict()
    mode = _MODES.get(settings.get("resample"))
    size, crop = settings.get("size") or {}, settings.get("crop_size") or {}
    if mode is None or not settings.get("do_resize") or settings.get("do_pad"):
        return None
    cropped = (int(crop["height"]), int(crop["width"])) if settings.get("do_center_crop") else None
    if set(size) == {"shortest_edge"}:
        edge = int(size["shortest_edge"])
        if cropped is not None and max(cropped) > edge:
            return None
        return Resizing(mode=mode, shortest_edge=edge, crop=cropped)
    if set(size) == {"height", "width"} and cropped is None:
        return Resizing(mode=mode, size=(int(size["height"]), int(size["width"])))
    return None
