"""Pictures as a model takes them: resized and cropped by its processor, or as it does.

Bytes go to the device, and are normalised there (``pixels``).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from indexer.core.errors import ItemError
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.encoder.pixels import Normalisation, normalisation_like
from indexer.encoder.resize import (
    DECODED_SIDES,
    Resizing,
    resizing_like,
    unpatched,
    without_far_ends,
)


class Preparation:
    """What one model's pictures go through before it. Threads may share it.

    Args:
        model: what it is called, for messages.
        processor: its image processor, of transformers.
    """

    def __init__(self, model: str, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def prepare(self, picture: Pixels) -> Pixels:
        """Resize and crop, leaving bytes: in the quick way, or by the processor.

        Args:
            picture: uint8 (height, width, 3).

        Returns:
            uint8 (input height, input width, 3).

        Raises:
            ItemError: the processor can't make an input of it.
        """
        if getattr(self._processor, "do_center_crop", False):
            picture = without_far_ends(picture)
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
            return unpatched(values, prepared["spatial_shapes"][0])
        return np.ascontiguousarray(values.transpose(1, 2, 0))

    def normalised(self, picture: Pixels) -> dict[str, Any]:
        """The model's inputs from a prepared picture, by its own processor."""
        options = {"do_resize": False, "do_center_crop": False, "return_tensors": "pt"}
        return dict(self._processor(images=[picture], **options))

    @property
    def least_side(self) -> int | None:
        """Pixels of the shorter side that a JPEG may be decoded to; None asks for the whole."""
        return None if self.resizing is None else DECODED_SIDES * self.resizing.shorter_side

    @cached_property
    def resizing(self) -> Resizing | None:
        """The quick way to resize; None where there is none."""
        return resizing_like(self._processor, self.process)

    @cached_property
    def normalisation(self) -> Normalisation | None:
        """What is done to the values of pixels; None where it is more than to normalise them."""
        return normalisation_like(self._processor, self.normalised)
