"""From a picture's bytes to pixels, within limits.

Runs in worker threads (Pillow releases the interpreter while it decodes). Limits are checked
from the header, before any pixel is decoded: a file of a few kilobytes can claim gigabytes.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from PIL import Image

from indexer.core import limits
from indexer.core.errors import ItemError
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.sources.decoding import colour, isolated
from indexer.sources.decoding.jpeg import quick_jpeg, scan_count
from indexer.sources.decoding.memory import DecodeMemory, needed_for
from indexer.sources.decoding.opening import TimedContent, bad_picture, open_picture
from indexer.sources.decoding.pixels import as_array, pixels_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """Decodes pictures within limits; a small value that travels to workers.

    Attributes:
        max_pixels: largest width times height that is decoded.
        max_bytes: largest encoded picture that is decoded.
        least_side: a JPEG is decoded at a half, a quarter or an eighth of its size as long
            as its shorter side keeps so many pixels: a photo of 12 megapixels takes a
            quarter of the time. None decodes every pixel.
        memory: the memory that all pictures decoded at a time may need.
        timeout_s: a picture that takes longer fails. One that may take long is decoded in
            another process; None decodes every picture in this one.
        ignored_profiles: counts pictures whose colour profile could not be used.
    """

    max_pixels: int = limits.MAX_PIXELS
    max_bytes: int = limits.MAX_PICTURE_BYTES
    least_side: int | None = None
    memory: DecodeMemory = field(default_factory=DecodeMemory)
    timeout_s: float | None = limits.DECODE_TIMEOUT_S
    ignored_profiles: colour.Tally = field(default_factory=colour.Tally, compare=False, repr=False)

    def decode(self, content: bytes, name: str) -> Pixels:
        """Decode one picture, upright as its EXIF data says, transparency on white, in sRGB.

        Colours are converted by the picture's profile (see ``colour``). Grey of 16 bits is
        scaled to 8; of an animation the first frame is taken.

        Args:
            content: the encoded picture, of one of ``FORMATS``.
            name: its name in error messages.

        Returns:
            uint8 (height, width, 3), RGB, contiguous.

        Raises:
            ItemError: TOO_MANY_BYTES, TOO_MANY_PIXELS, TRUNCATED, UNSUPPORTED, NOT_A_PICTURE,
                TOO_SLOW.
        """
        if len(content) > self.max_bytes:
            raise ItemError(
                Reason.TOO_MANY_BYTES,
                f"{name}: {len(content):,} bytes, the limit is {self.max_bytes:,}; "
                "shrink the picture or raise max_bytes",
            )
        timed = TimedContent(content, name, self.timeout_s)
        with open_picture(content, name, timed) as image:
            full_size = image.size
            if full_size[0] * full_size[1] > self.max_pixels:
                raise ItemError(
                    Reason.TOO_MANY_PIXELS,
                    f"{name}: {full_size[0]} x {full_size[1]} is "
                    f"{full_size[0] * full_size[1]:,} pixels, the limit is "
                    f"{self.max_pixels:,}; shrink the picture or raise max_pixels",
                )
            scans = scan_count(image, content)
            elsewhere = self.timeout_s is not None and isolated.may_take_long(image, scans=scans)
            self._draft(image)
            needed = needed_for(image, full_size, scans=scans, elsewhere=elsewhere)
            with self.memory.held(needed, name):
                if elsewhere:
                    assert self.timeout_s is not None
                    pixels, ignored = isolated.decode(self, content, name, timeout_s=self.timeout_s)
                else:
                    timed.start()  # it may have waited for memory
                    pixels, ignored = self._pixels(image, full_size, content, name)
        if ignored:
            self.ignored_profiles.add()
            _log.info("%s: its colour profile is ignored (%s).", name, ignored)
        return pixels

    def decode_here(self, content: bytes, name: str) -> tuple[Pixels, str]:
        """As ``decode``, in this process and thread, without the checks of size and memory.

        Returns:
            The pixels, and why the colour profile was ignored, empty where it was not.
        """
        with open_picture(content, name) as image:
            full_size = image.size
            self._draft(image)
            return self._pixels(image, full_size, content, name)

    def _draft(self, image: Image.Image) -> None:
        """Let a JPEG be decoded at the smallest allowed size."""
        if self.least_side is not None and image.format in {"JPEG", "MPO"}:
            image.draft(None, (self.least_side, self.least_side))

    def _pixels(
        self, image: Image.Image, full_size: tuple[int, int], content: bytes, name: str
    ) -> tuple[Pixels, str]:
        try:
            pixels = quick_jpeg(image, content) if image.size == full_size else None
            if pixels is None:
                image.load()
                return pixels_of(image)
            return _with_srgb_colours(pixels, image)
        except (ItemError, MemoryError):
            raise
        # Damaged files make Pillow's decoders raise nearly anything: OSError,
        # SyntaxError, struct.error, IndexError, zlib.error, ValueError.
        except Exception as error:
            raise bad_picture(error, image.format, name, len(content)) from error


def _with_srgb_colours(pixels: Pixels, image: Image.Image) -> tuple[Pixels, str]:
    """Pixels of an upright JPEG by its profile, and why that was ignored, if it was."""
    profile = image.info.get("icc_profile")
    if not profile:
        return pixels, ""
    try:
        if not colour.needs_conversion(image):
            return pixels, ""
        loaded = Image.fromarray(pixels)
        loaded.info = {"icc_profile": profile}
        return as_array(colour.to_srgb(loaded)), ""
    except colour.ProfileError as error:
        return pixels, str(error)
