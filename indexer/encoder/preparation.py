"""Resizing and cropping of pictures for a model, in a fifth of its own processor's time.

The processors resize with Pillow, a value at a time. torch has the same filters, with
Pillow's coefficients and its rounding to bytes between the passes
(``torch.nn.functional.interpolate``, ``antialias=True``), as vector instructions. Pixels
differ by at most 2 of 255, and few of them do. Pictures stay bytes until they are normalised on
the device (``pixels``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from indexer.core.errors import ItemError
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.encoder.pixels import Normalisation, normalisation_of

_MODES = {2: "bilinear", 3: "bicubic"}
"""Pillow's numbers of the filters that torch has too, as it calls them."""

_TOLERANCE = 4
"""Difference allowed to a pixel of noise, where both round most."""

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
    """How a processor resizes and crops a picture.

    Attributes:
        mode: torch's name of the filter.
        shortest_edge: length that the shorter side gets, the other in proportion; None
            where the picture is made ``size``.
        size: height and width, whatever they were before; None with ``shortest_edge``.
        crop: height and width of the centre crop; None keeps all.
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
            # side as they are only where the strides say so. Writable, or torch warns.
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


def crop_ends(picture: Pixels) -> Pixels:
    """The middle of a very long picture, whose ends the centre crop would remove anyway.

    Without this, two rows of 30,000 pixels would be resized to gigabytes first.
    """
    height, width = picture.shape[:2]
    longest = LONGEST_SIDES * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    return picture[top : top + longest, left : left + longest]


def resizing_of(processor: Any, prepare: Callable[[Pixels], Pixels]) -> Resizing | None:
    """How a processor resizes; None where torch can't do it, or gives other pixels.

    Args:
        processor: an image processor of transformers.
        prepare: resizes and crops with it; torch's result is compared with this.
    """
    resizing = _declared_resizing(processor)
    if resizing is None:
        return None
    rng = np.random.default_rng(0)
    for size in _PROBE_SIZES:
        probe = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        expected, resized = prepare(probe), resizing.resized(probe)
        if expected.shape != resized.shape:
            return None
        if np.abs(expected.astype(np.int16) - resized).max() > _TOLERANCE:
            return None
    return resizing


def picture_of_patches(patches: Pixels, shape: Sequence[int]) -> Pixels:
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


def _declared_resizing(processor: Any) -> Resizing | None:
    """The resizing that a processor's settings declare; None for what torch has not."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedBy:
    """How a model's pictures are prepared without its own processor, which was compared with it.

    Attributes:
        resizing: by torch.
        normalisation: on the device.
        crops: the processor resizes in proportion and crops the centre.
    """

    resizing: Resizing
    normalisation: Normalisation
    crops: bool


class Preparation:
    """Turns pictures into the inputs of one model. Threads may share it.

    Args:
        model: its name, for messages.
        processor: gives its image processor, of transformers; called when it is first needed.
        prepared_by: what an earlier start found out; with it the processor is not needed for most.
    """

    def __init__(
        self, model: str, processor: Callable[[], Any], prepared_by: PreparedBy | None = None
    ) -> None:
        self._model = model
        self._load_processor = processor
        self._prepared_by = prepared_by

    def prepare(self, picture: Pixels) -> Pixels:
        """Resize and crop, leaving bytes: by torch where it gives the same, else by the processor.

        Args:
            picture: uint8 (height, width, 3).

        Returns:
            uint8 (input height, input width, 3).

        Raises:
            ItemError: the processor can't make an input of it.
        """
        if self._crops:
            picture = crop_ends(picture)
        try:
            if self.resizing is not None:
                return self.resizing.resized(picture)
            return self.process(picture)
        except (ValueError, TypeError, IndexError, ArithmeticError, RuntimeError) as error:
            height, width = picture.shape[:2]
            raise ItemError(
                Reason.NOT_EMBEDDED,
                f"model {self._model!r} can't take a picture of {width}x{height} pixels: {error}",
            ) from error

    def process(self, picture: Pixels) -> Pixels:
        """As ``prepare``, by the model's own processor."""
        prepared = self._processor(
            images=[picture],
            do_rescale=False,
            do_normalize=False,
            # Told where the colours are: three rows look like three channels.
            input_data_format="channels_last",
        )
        values = np.asarray(prepared["pixel_values"][0])
        if "spatial_shapes" in prepared:
            return picture_of_patches(values, prepared["spatial_shapes"][0])
        return np.ascontiguousarray(values.transpose(1, 2, 0))

    def normalised(self, picture: Pixels) -> dict[str, Any]:
        """The model's inputs from a prepared picture, by its own processor."""
        options = {"do_resize": False, "do_center_crop": False, "return_tensors": "pt"}
        return dict(self._processor(images=[picture], **options))

    @property
    def least_side(self) -> int | None:
        """Pixels of the shorter side that a JPEG may be decoded to; None asks for the whole."""
        return None if self.resizing is None else DECODED_SIDES * self.resizing.shorter_side

    @property
    def reusable(self) -> PreparedBy | None:
        """What a later start may rely on; None where the processor itself is needed."""
        if self.resizing is None or self.normalisation is None:
            return None
        return PreparedBy(
            resizing=self.resizing, normalisation=self.normalisation, crops=self._crops
        )

    @cached_property
    def resizing(self) -> Resizing | None:
        """How torch resizes as the processor does; None where it can't."""
        if self._prepared_by is not None:
            return self._prepared_by.resizing
        return resizing_of(self._processor, self.process)

    @cached_property
    def normalisation(self) -> Normalisation | None:
        """How pixel values are normalised; None where the processor does more than that."""
        if self._prepared_by is not None:
            return self._prepared_by.normalisation
        return normalisation_of(self._processor, self.normalised)

    @cached_property
    def _crops(self) -> bool:
        if self._prepared_by is not None:
            return self._prepared_by.crops
        # A processor that makes every picture of one size squeezes the ends in before it crops.
        settings = self._processor.to_dict()
        in_proportion = set(settings.get("size") or {}) == {"shortest_edge"}
        return bool(settings.get("do_center_crop")) and in_proportion

    @cached_property
    def _processor(self) -> Any:
        return self._load_processor()
