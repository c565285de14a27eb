"""Opens a video within limits.

The container's format is told to FFmpeg by the file's first bytes and never guessed: its guesses
include playlists, which name other files and addresses that it would open.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import IO

from indexer.core import limits
from indexer.core.errors import ItemError
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.sources.video.reader import VideoReader, damaged

# Bytes that FFmpeg reads at a time, 32 KiB if nothing is said: each read is a call into Python.
_BUFFER = 2**18

_EACH_FRAME = 1000.0
"""Looks a second at which each frame is looked at."""

_START = 12
"""Bytes of a file that tell its container."""

_EBML = b"\x1a\x45\xdf\xa3"
_MOVIE_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
"""What a file of QuickTime or MP4 begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoDecoder:
    """Decodes videos within limits; a small value.

    Attributes:
        fps: frames a second that are looked at.
        max_bytes: largest file.
        max_length_s: longest video.
        max_pixels: largest frame, width times height.
        timeout_s: seconds that decoding may take from one frame that is looked at to the next.
    """

    fps: float = 1.0
    max_bytes: int = limits.MAX_VIDEO_BYTES
    max_length_s: float = limits.MAX_VIDEO_S
    max_pixels: int = limits.MAX_PIXELS
    timeout_s: float | None = limits.DECODE_TIMEOUT_S

    @contextmanager
    def opened(self, file: IO[bytes], name: str) -> Iterator[VideoReader]:
        """Open a video.

        Args:
            file: can be sought in; stays open.
            name: its name in messages.

        Raises:
            ItemError: NOT_A_VIDEO, TRUNCATED, UNSUPPORTED, TOO_LONG, TOO_MANY_BYTES,
                TOO_MANY_PIXELS; the package for videos lacks.
        """
        av = _pyav(name)
        size = file.seek(0, io.SEEK_END)
        if size > self.max_bytes:
            raise ItemError(
                Reason.TOO_MANY_BYTES,
                f"{name}: {size:,} bytes, the limit is {self.max_bytes:,}; cut the video or raise "
                "--max-video-bytes",
            )
        file.seek(0)
        container_format = _container_of(file.read(_START))
        if container_format is None:
            raise ItemError(
                Reason.NOT_A_VIDEO,
                f"{name}: not a video of a known container (mp4, mov, webm, mkv, avi); save it as "
                ".mp4",
            )
        file.seek(0)
        try:
            container = av.open(
                file, "r", format=container_format, buffer_size=_BUFFER, metadata_errors="replace"
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise damaged(name, error) from error
        with container:
            reader = VideoReader(self, container, name)
            try:
                yield reader
            finally:
                reader.stop()

    def frame_at(self, file: IO[bytes], name: str, time_s: float) -> Pixels:
        """One frame: the first from a time on, or that of the start where there is none.

        Args:
            file: can be sought in.

        Returns:
            uint8 (height, width, 3), RGB, upright.

        Raises:
            ItemError: as ``opened``; not one frame could be decoded.
        """
        exact = replace(self, fps=_EACH_FRAME)
        try:
            with exact.opened(file, name) as reader:
                return next(reader.frames(time_s)).pixels
        except ItemError:
            with exact.opened(file, name) as reader:
                return next(reader.frames()).pixels


def _container_of(start: bytes) -> str | None:
    """FFmpeg's name of the container of a file with this start; None for others."""
    if start.startswith(_EBML):
        return "matroska"
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return "avi"
    return "mov" if start[4:8] in _MOVIE_ATOMS else None


def _pyav(name: str) -> ModuleType:
    try:
        import av
    except ImportError as error:
        raise ItemError(
            Reason.UNSUPPORTED,
            f"{name}: a video, which takes a package more. Run: pip install 'zeroshelf[video]'",
        ) from error
    logging.getLogger("libav").setLevel(logging.CRITICAL)  # the item is named here
    return av
