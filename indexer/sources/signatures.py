"""Recognises pictures, sounds and videos by their first bytes.

For files with missing or wrong extensions.
"""

from __future__ import annotations

from indexer.core.records import Kind

LONGEST = 32
"""Number of bytes that is needed."""

_STARTS = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\x00", b"MM\x00*"),
    *(b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),  # JPEG 2000: a file, a bare stream
    b"\x00\x00\x00\x0cJXL \r\n\x87\n",  # a file of JPEG XL; a bare stream's two bytes are too few
)
_HEADER_BYTES = (12, 40, 52, 56, 64, 108, 124)  # of BMP, by its versions
BRANDS = {
    "AVIF": frozenset(b"avif avis".split()),
    "HEIF": frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 msf1".split()),
}
"""What a picture in an ISO base media file calls itself, by Pillow's name of its format."""


_SOUNDS = (b"fLaC", b"OggS", b"ID3")
_MOVIES = frozenset(b"isom iso2 iso4 iso5 iso6 mp41 mp42 avc1 M4V  qt   dash".split())


def kind_of(start: bytes) -> Kind | None:
    """The kind of a file with this start; None where it is of no known format.

    Args:
        start: the first ``LONGEST`` bytes, or all there are.
    """
    if is_picture(start):
        return Kind.PICTURE
    if _is_sound(start):
        return Kind.SOUND
    return Kind.VIDEO if _is_video(start) else None


def _is_sound(start: bytes) -> bool:
    if start.startswith(_SOUNDS) or (start[:4] == b"RIFF" and start[8:12] == b"WAVE"):
        return True
    # A frame of MPEG audio, layer III: eleven bits of one, then version and layer.
    return len(start) > 2 and start[0] == 0xFF and start[1] & 0xE6 == 0xE2 and start[2] < 0xF0


def _is_video(start: bytes) -> bool:
    if start[4:8] == b"ftyp":
        return start[8:12].strip() in _MOVIES
    return start.startswith(b"\x1aE\xdf\xa3") or (start[:4] == b"RIFF" and start[8:12] == b"AVI ")


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
        return any(start[8:12] in brands for brands in BRANDS.values())
    # Two letters alone are too few for a bitmap.
    return start[:2] == b"BM" and int.from_bytes(start[14:18], "little") in _HEADER_BYTES
