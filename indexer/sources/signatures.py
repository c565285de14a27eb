"""Recognises pictures by their first bytes, for files with missing or wrong extensions."""

from __future__ import annotations

LONGEST = 32
"""Number of bytes that is needed."""

_STARTS = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\x00", b"MM\x00*"),
    *(b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),  # JPEG 2000: a file, a bare stream
    b"\x00\x00\x00\x0cJXL \r\n\x87\n",  # a file of JPEG XL; a bare stream's two bytes are too few
)
_HEADER_BYTES = (12, 40, 52, 56, 64, 108, 124)  # of BMP, by its versions
_BRANDS = frozenset(b"avif avis heic heix heim heis hevc hevx hevm hevs mif1 msf1".split())


def is_picture(start: bytes) -> bool:
    """Whether a file with this start is a picture of a known format.

    Args:
        start: the first ``LONGEST`` bytes, or all there are.
    """
    if start.startswith(_STARTS):
        return True
    if start[:4] == b"RIFF":
        return start[8:12] == b"WEBP"
    if start[4:8] == b"ftyp":
        return start[8:12] in _BRANDS
    # Two letters alone are too few for a bitmap.
    return start[:2] == b"BM" and int.from_bytes(start[14:18], "little") in _HEADER_BYTES
