"""JPEG by simplejpeg where it gives the very pixels that Pillow gives: its only home."""

from __future__ import annotations

import numpy as np
from PIL import Image, features

try:
    import simplejpeg  # the extra ``fast`` brings it
except ImportError:
    simplejpeg = None

from indexer.core.protocols import Pixels
from indexer.sources.decoding.pixels import turn_of

_HARMLESS = 5 * 10**10
"""Pixels times bytes of a JPEG which has no room for scans that take more than seconds in all:
each takes ten bytes at least, and a nanosecond a pixel at most where it takes no more."""

_WORD = np.dtype(np.uint16)
_SCAN = int(np.frombuffer(b"\xff\xda", _WORD)[0])
_SAME_LIBRARY = features.check_feature("libjpeg_turbo")


def quick_jpeg(image: Image.Image, content: bytes) -> Pixels | None:
    """The very pixels that Pillow gives, in four fifths of its time.

    Both have libjpeg-turbo; a Pillow that was built with another library gives others. None
    for what needs more than decoding, and for what Pillow has to judge: whether a picture
    that the library complains about is damaged. The colours are as the file has them.
    """
    if simplejpeg is None or not _SAME_LIBRARY or image.format != "JPEG" or image.mode != "RGB":
        return None
    if turn_of(image) is not None:
        return None
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(content, "RGB")
    except (ValueError, RuntimeError):
        return None
    return pixels


def scan_count(image: Image.Image, content: bytes) -> int:
    """Scans of a JPEG at most, also within a TIFF, and 1 of any other picture.

    Each costs a pass over all pixels, and a few bytes of file. Thumbnails in the metadata and
    strips are counted too; within a scan, the mark can't occur.
    """
    if image.format not in {"JPEG", "MPO"} and image.info.get("compression") != "jpeg":
        return 1
    if image.width * image.height * len(content) < _HARMLESS:
        return 2 if "progressive" in image.info else 1
    # A third of the time that ``content.count`` takes, which would be a tenth of decoding's.
    even = len(content) & ~1
    odd = (len(content) - 1) & ~1
    marks = np.count_nonzero(np.frombuffer(content, _WORD, even // 2) == _SCAN)
    marks += np.count_nonzero(np.frombuffer(content, _WORD, odd // 2, offset=1) == _SCAN)
    return max(1, int(marks))
