"""Decodes a video within limits, a frame a slot of time, upright and in RGB.

The container's format is told to FFmpeg by the file's first bytes and never guessed: its guesses
include playlists, which name other files and addresses that it would open.
"""

from __future__ import annotations

import io
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from indexer.core.errors import ItemError, first_line
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.sources.video.containers import LONGEST, container_of
from indexer.sources.video.sampling import sampled

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.stream import VideoStream

_BUFFER = 2**18
_MISSING_S = 1.0
"""Seconds that may lack at a file's end: containers tell their length to a frame or two."""

_HD_HEIGHT = 720
"""From this height on, colours of a video that does not tell are those of BT.709, as players
take them; below, those of BT.601."""

_UNSPECIFIED = 2

_RATE_TO_SKIP = 5
"""From so many frames a slot on, those that no other frame needs are not decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame of a video.

    Attributes:
        time_s: when it is shown, in seconds from the video's start.
        pixels: uint8 (height, width, 3), RGB, upright.
    """

    time_s: float
    pixels: Pixels


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
    max_bytes: int = 8 * 2**30
    max_length_s: float = 4 * 3600.0
    max_pixels: int = 64_000_000
    timeout_s: float | None = 20.0

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
        container_format = container_of(file.read(LONGEST))
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
            raise _damaged(name, error) from error
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
        try:
            with self.opened(file, name) as reader:
                return next(reader.frames(time_s)).pixels
        except ItemError:
            with self.opened(file, name) as reader:
                return next(reader.frames()).pixels


class VideoReader:
    """One opened video.

    Attributes:
        end_s: end of the last frame that was decoded.
        problem: why the video could not be read to its end; None where it was.
    """

    def __init__(self, decoder: VideoDecoder, container: InputContainer, name: str) -> None:
        self._decoder = decoder
        self._container = container
        self._name = name
        self._stream = _picture_stream(container, name)
        self._last_packet_s = 0.0
        self._last_frame_s = 0.0
        rate = self._stream.average_rate
        if rate and rate >= _RATE_TO_SKIP * decoder.fps:
            self._stream.codec_context.skip_frame = "NONREF"
        self.end_s = 0.0
        self.problem: ItemError | None = None
        self._check()

    @property
    def length_s(self) -> float | None:
        """Length in seconds as the file tells it; None where it does not."""
        stream = self._stream
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return self._container.duration / 1e6 if self._container.duration else None

    def frames(self, start_s: float = 0.0, end_s: float = math.inf) -> Iterator[Frame]:
        """The frames that are looked at, in order.

        A video that breaks off ends here, and ``problem`` says why.

        Args:
            start_s: of the first one.
            end_s: before this time.

        Raises:
            ItemError: not one frame could be decoded.
        """
        decoded = 0
        try:
            if start_s > 0:
                self._seek(start_s)
            frames = self._decoded(start_s, end_s)
            for time_s, frame in sampled(frames, fps=self._decoder.fps, start_s=start_s):
                yield Frame(time_s=time_s, pixels=self._pixels(frame))
                decoded += 1
            if end_s == math.inf:
                self._check_end()
                self.end_s = max(self.end_s, self._last_frame_s)
        except ItemError as error:
            self.problem = error
        if not decoded:
            raise self.problem or _damaged(self._name, ValueError("no frame in it"))

    def stop(self) -> None:
        """Wait for the decoder's threads; the reader may then be dropped.

        PyAV frees a decoder, which waits for its threads, while it holds Python's lock. A thread
        that has an error to log waits for that lock: without this, damaged videos hang.
        """
        self._stream.codec_context.flush_buffers()

    def _decoded(self, start_s: float, end_s: float) -> Iterator[tuple[float, av.VideoFrame]]:
        """All frames from a time on, with their times."""
        started, limit = time.monotonic(), self._decoder.timeout_s
        for frames in self._read():
            for frame in frames:
                time_s = self._time_of(frame)
                if time_s is None or time_s < start_s:
                    continue
                if time_s >= end_s:
                    return
                self._check_decoded(frame, time_s)
                yield time_s, frame
                # The time that the caller takes is not the decoder's.
                started = time.monotonic()
            if limit is not None and time.monotonic() - started > limit:
                raise ItemError(
                    Reason.TOO_SLOW,
                    f"{self._name}: at {self.end_s:.1f} s, {limit:g} s did not suffice to decode "
                    "the next frame; encode it anew or raise --decode-timeout",
                )

    def _read(self) -> Iterator[list[av.VideoFrame]]:
        """The frames of each packet of the file; none of other streams' packets."""
        import av
        import av.logging

        av.logging.set_level(av.logging.ERROR)
        packets = self._container.demux()
        try:
            while True:
                # Matroska's reader goes on behind damage, and only its log tells.
                with av.logging.Capture(local=True) as logs:
                    packet = next(packets, None)
                if packet is None:
                    return
                if any(level <= av.logging.ERROR for level, *_ in logs):
                    raise self._broken(ValueError(logs[0][2].strip()))
                self._note(packet)
                # The last packet of a stream has no data: its decoder gives what it holds.
                yield packet.decode() if packet.stream is self._stream else []  # type: ignore[misc]
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._broken(error) from error

    def _check_decoded(self, frame: av.VideoFrame, time_s: float) -> None:
        if frame.is_corrupt:
            raise self._broken(ValueError("a frame is damaged"))
        self._check_frame(frame.width, frame.height)
        self.end_s = max(self.end_s, time_s + self._frame_s)
        if self.end_s > self._decoder.max_length_s + 1:
            raise self._too_long(self.end_s)

    @property
    def _frame_s(self) -> float:
        rate = self._stream.average_rate
        return float(1 / rate) if rate else 0.0

    @property
    def _start_s(self) -> float:
        stream = self._stream
        return float((stream.start_time or 0) * (stream.time_base or 0))

    def _time_of(self, frame: av.VideoFrame) -> float | None:
        if frame.pts is None or frame.time_base is None:
            return None
        return float((frame.pts - (self._stream.start_time or 0)) * frame.time_base)

    def _note(self, packet: av.Packet[Any]) -> None:
        if packet.pts is not None and packet.time_base is not None:
            end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
            self._last_packet_s = max(self._last_packet_s, end)
            if packet.stream is self._stream:
                self._last_frame_s = max(self._last_frame_s, end - self._start_s)

    def _seek(self, start_s: float) -> None:
        """To the last key frame before a time."""
        import av

        stream = self._stream
        assert stream.time_base is not None
        offset = (stream.start_time or 0) + int(start_s / stream.time_base)
        # Files without an index are read from their start.
        with suppress(av.FFmpegError):
            self._container.seek(offset, stream=stream)

    def _check(self) -> None:
        """Check the header against the limits."""
        length = self.length_s
        if length is not None and length > self._decoder.max_length_s:
            raise self._too_long(length)
        self._check_frame(self._stream.width, self._stream.height)

    def _check_frame(self, width: int, height: int) -> None:
        if width * height > self._decoder.max_pixels:
            raise ItemError(
                Reason.TOO_MANY_PIXELS,
                f"{self._name}: {width} x {height} is {width * height:,} pixels a frame, the "
                f"limit is {self._decoder.max_pixels:,}; encode it smaller or raise --max-pixels",
            )

    def _too_long(self, length_s: float) -> ItemError:
        return ItemError(
            Reason.TOO_LONG,
            f"{self._name}: {length_s:,.0f} s long, the limit is "
            f"{self._decoder.max_length_s:,.0f} s; cut it or raise --max-video-seconds",
        )

    def _check_end(self) -> None:
        """Find what a file that was cut off lacks: FFmpeg takes its end for the video's."""
        duration = self._container.duration
        if not duration:
            return
        start = (self._container.start_time or 0) / 1e6
        lacking = duration / 1e6 - (max(self._last_packet_s, self.end_s) - max(start, 0))
        if lacking > _MISSING_S:
            raise self._broken(ValueError(f"the last {lacking:.1f} s lack"))

    def _broken(self, error: Exception) -> ItemError:
        return ItemError(
            Reason.TRUNCATED,
            f"{self._name}: the video is cut short or damaged after {self.end_s:.1f} s "
            f"({_cause(error)}); fetch or export it again",
        )

    def _pixels(self, frame: av.VideoFrame) -> Pixels:
        """uint8 (height, width, 3), RGB, contiguous, upright, with square pixels."""
        width, height = frame.width, frame.height
        aspect = self._stream.sample_aspect_ratio
        if aspect:
            width = max(1, round(width * aspect))
            self._check_frame(width, height)
        standard = "ITU709" if height >= _HD_HEIGHT else "ITU601"
        pixels = frame.to_ndarray(
            format="rgb24",
            width=width,
            height=height,
            src_colorspace=standard if frame.colorspace == _UNSPECIFIED else None,
        )
        upright: Pixels = np.rot90(pixels, round(frame.rotation / 90) % 4).astype(np.uint8)
        return np.ascontiguousarray(upright)


def _picture_stream(container: InputContainer, name: str) -> VideoStream:
    """The stream of moving pictures; a cover of an album is none."""
    import av
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            if not stream.codec_context:
                raise ItemError(
                    Reason.UNSUPPORTED,
                    f"{name}: its codec is not known to FFmpeg {av.ffmpeg_version_info}; encode "
                    "it as H.264",
                )
            stream.thread_type = "AUTO"
            return stream
    raise ItemError(Reason.NOT_A_VIDEO, f"{name}: there are no moving pictures in it; leave it out")


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


def _damaged(name: str, error: Exception) -> ItemError:
    return ItemError(
        Reason.TRUNCATED,
        f"{name}: the video is cut short or damaged ({_cause(error)}); fetch or export it again",
    )


def _cause(error: Exception) -> str:
    """What FFmpeg says, without the number and the name of our buffer."""
    return str(getattr(error, "strerror", None) or first_line(error))
