"""From a picture's bytes to pixels, within limits.

Runs in worker threads (Pillow releases the interpreter while it decodes). Limits are checked
from the header, before any pixel is decoded: a file of a few kilobytes can claim gigabytes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from indexer.decode import colour
from indexer.decode.jpeg import quick_jpeg
from indexer.decode.opening import bad_picture, open_picture
from indexer.decode.pixels import pixels_of
from indexer.errors import ItemError
from indexer.protocols import Pixels
from indexer.reasons import Reason

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """Decodes pictures within limits; a small value that travels to workers.

    Attributes:
        max_pixels: width times height that is still decoded.
        max_bytes: size of the encoded picture that is still decoded.
        least_side: a JPEG is decoded at a half, a quarter or an eighth of its size as long
            as its shorter side keeps so many pixels: a photo of 12 megapixels takes a
            quarter of the time. None decodes every pixel.
        ignored_profiles: counts pictures whose colour profile could not be used.
    """

    max_pixels: int = 64_000_000
    max_bytes: int = 32 * 2**20
    least_side: int | None = None
    ignored_profiles: colour.Tally = field(default_factory=colour.Tally, compare=False, repr=False)

    def decode(self, content: bytes, name: str) -> Pixels:
        """Decode one picture, upright as its EXIF data says, transparency on white, in sRGB.

        Colours are converted by the picture's profile (see ``colour``). Grey of 16 bits is
        scaled to 8; of an animation the first frame is taken.

        Args:
            content: the encoded picture, of one of ``FORMATS``.
            name: what error messages call it.

        Returns:
            uint8 (height, width, 3), RGB, contiguous.

        Raises:
            ItemError: TOO_MANY_BYTES, TOO_MANY_PIXELS, TRUNCATED, UNSUPPORTED, NOT_A_PICTURE.
        """
        if len(content) > self.max_bytes:
            raise ItemError(
                Reason.TOO_MANY_BYTES,
                f"{name}: {len(content):,} bytes, the limit is {self.max_bytes:,}; "
                "shrink the picture or raise max_bytes",
            )
        with open_picture(content, name) as image:
            width, height = image.size
            if width * height > self.max_pixels:
                raise ItemError(
                    Reason.TOO_MANY_PIXELS,
                    f"{name}: {width} x {height} is {width * height:,} pixels, the limit is "
                    f"{self.max_pixels:,}; shrink the picture or raise max_pixels",
                )
            try:
                pixels, ignored = self._pixels(image, content)
            except MemoryError:
                raise
            # Damaged files make Pillow's decoders raise nearly anything: OSError,
            # SyntaxError, struct.error, IndexError, zlib.error, ValueError.
            except Exception as error:
                raise bad_picture(error, image.format, name, len(content)) from error
        if ignored:
            self.ignored_profiles.add()
            _log.info("%s: its colour profile is ignored (%s).", name, ignored)
        return pixels

    def _pixels(self, image: Image.Image, content: bytes) -> tuple[Pixels, str]:
        """The picture's pixels, and why its colour profile was ignored, if it was."""
        size = image.size
        if self.least_side is not None and image.format in {"JPEG", "MPO"}:
            image.draft(None, (self.least_side, self.least_side))
        pixels = quick_jpeg(image, content) if image.size == size else None
        if pixels is None:
            image.load()
            return pixels_of(image)
        if "icc_profile" not in image.info:
            return pixels, ""
        try:
            if not colour.needs_conversion(image):
                return pixels, ""
            loaded = Image.fromarray(pixels)
            loaded.info = {"icc_profile": image.info["icc_profile"]}
            return np.array(colour.to_srgb(loaded), order="C"), ""
        except colour.ProfileError as error:
            return pixels, str(error)
