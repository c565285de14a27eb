"""Decodes JPEG with simplejpeg where its pixels are equal to Pillow's: its only home."""

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
    """The same pixels as Pillow's, in four fifths of its time.

    Both use libjpeg-turbo; a Pillow with another library gives other pixels. None for pictures
    that need more than decoding, and where the library reports an error: Pillow decides whether
    the picture is damaged. Colours are not converted.
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
    """Upper bound of the scans of a JPEG, also in a TIFF; 1 for any other picture.

    Each costs a pass over all pixels, and only a few bytes of the file. Thumbnails and strips
    are counted too; the marker can't occur within a scan.
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
