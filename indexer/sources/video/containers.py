"""The containers of videos that are read, by their first bytes."""

from __future__ import annotations

LONGEST = 12
"""Number of bytes that is needed."""

_EBML = b"\x1a\x45\xdf\xa3"
_MOVIE_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
"""What a file of QuickTime or MP4 begins with."""


def container_of(start: bytes) -> str | None:
    """FFmpeg's name of the container of a file with this start; None for others.

    Args:
        start: the first ``LONGEST`` bytes, or all there are.
    """
    if start.startswith(_EBML):
        return "matroska"
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return "avi"
    return "mov" if start[4:8] in _MOVIE_ATOMS else None
