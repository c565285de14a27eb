"""Reads an opened video: a frame a slot of time, upright and in RGB."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.core.errors import ItemError, first_line
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.sources.video.key_frames import starts_anew
from indexer.sources.video.packet_plan import PlannedPacket, needed_packets, sampled

if TYPE_CHECKING:
    import av
    from av.container import InputContainer
    from av.video.reformatter import VideoReformatter
    from av.video.stream import VideoStream

    from indexer.sources.video.decoder import VideoDecoder

_MISSING_S = 1.0
"""Seconds that may lack at a file's end: containers tell their length to a frame or two."""

_HD_HEIGHT = 720
"""From this height on, colours of a video that does not tell are those of BT.709, as players
take them; below, those of BT.601."""

_UNSPECIFIED = 2

_RATE_TO_SKIP = 5
"""From so many frames a slot on, those that no other frame needs are not decoded."""

_LONGEST_SLOT_S = 10.0
"""Packets of a slot wait in memory until one of them is chosen."""

_SKIPS_AT_OPENING = "libdav1d"
"""A decoder that heeds which frames to skip only when it is opened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame of a video.

    Attributes:
        time_s: when it is shown, in seconds from the video's start.
        pixels: uint8 (height, width, 3), RGB, upright.
    """

    time_s: float
    pixels: Pixels


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
        self._reformatter: VideoReformatter | None = None
        self._damage: Exception | None = None
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
            for time_s, frame in self._looked_at(start_s, end_s):
                yield Frame(time_s=time_s, pixels=self._pixels(frame))
                decoded += 1
            if self._damage is not None:
                raise self._broken(self._damage)
            if end_s == math.inf:
                self._check_end()
                self.end_s = max(self.end_s, self._last_frame_s)
        except ItemError as error:
            self.problem = error
        if not decoded:
            raise self.problem or damaged(self._name, ValueError("no frame in it"))

    def stop(self) -> None:
        """Wait for the decoder's threads; the reader may then be dropped.

        PyAV frees a decoder, which waits for its threads, while it holds Python's lock. A thread
        that has an error to log waits for that lock: without this, damaged videos hang.
        """
        self._stream.codec_context.flush_buffers()

    def _looked_at(self, start_s: float, end_s: float) -> Iterator[tuple[float, av.VideoFrame]]:
        """The frame of each slot, with the slot's time."""
        fps = self._decoder.fps
        packets = self._packets()
        first = next(packets, None)
        if first is None:
            return
        packets = chain([first], packets)
        if fps * _LONGEST_SLOT_S < 1 or not self._tells_times(first):
            frames = self._decoded(chain(packets, [None]), start_s, end_s)
            yield from sampled(frames, fps=fps, start_s=start_s)
            return
        chosen_seconds: list[tuple[float, float]] = []
        needed = needed_packets(map(self._planned, packets), fps=fps, start_s=start_s, end_s=end_s)
        for time_s, frame in self._decoded(self._to_decode(needed, chosen_seconds), start_s, end_s):
            slot_s = None
            # One that its decoder does not give is replaced by the next one that it gives.
            while chosen_seconds and chosen_seconds[0][0] <= time_s:
                slot_s = heapq.heappop(chosen_seconds)[1]
            if slot_s is not None:
                yield slot_s, frame

    def _to_decode(
        self, needed: Iterator[PlannedPacket[av.Packet[Any]]], chosen: list[tuple[float, float]]
    ) -> Iterator[av.Packet[Any] | None]:
        """The packets for the decoder, and None at their end, for the frames that it holds.

        Args:
            chosen: gets the time and the slot of each frame that is looked at; a heap.
        """
        context = self._stream.codec_context
        may_change = context.name != _SKIPS_AT_OPENING
        for packet in needed:
            if packet.slot_s is not None:
                heapq.heappush(chosen, (packet.time_s, packet.slot_s))
            if may_change:
                context.skip_frame = "NONREF" if packet.slot_s is None else "DEFAULT"
            yield packet.packet
        yield None

    def _tells_times(self, first: av.Packet[Any]) -> bool:
        """Whether packets tell when their frames are shown; those of AVI may not."""
        return first.pts is not None and self._container.format.name != "avi"

    def _planned(self, packet: av.Packet[Any]) -> PlannedPacket[av.Packet[Any]]:
        time_s = self._seconds(packet.pts)
        return PlannedPacket(
            packet=packet,
            time_s=0.0 if time_s is None else time_s,
            decode_s=-math.inf if packet.dts is None else self._seconds(packet.dts) or 0.0,
            is_key=packet.is_keyframe and starts_anew(packet, self._stream.codec_context),
            is_decided=time_s is None or packet.is_discard,
        )

    def _decoded(
        self, packets: Iterable[av.Packet[Any] | None], start_s: float, end_s: float
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        """All frames from a time on, with their times."""
        started, limit = time.monotonic(), self._decoder.timeout_s
        for packet in packets:
            for frame in self._frames_of(packet):
                time_s = self._seconds(frame.pts)
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

    def _frames_of(self, packet: av.Packet[Any] | None) -> Sequence[av.VideoFrame]:
        import av

        try:
            return self._stream.codec_context.decode(packet)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._broken(error) from error

    def _packets(self) -> Iterator[av.Packet[Any]]:
        """The packets of the stream, up to damage of the file, which is noted."""
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
                    self._damage = ValueError(logs[0][2].strip())
                    return
                self._note(packet)
                if packet.stream is self._stream and packet.size:
                    yield packet
        except (av.FFmpegError, OSError, ValueError) as error:
            self._damage = error

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

    def _seconds(self, stamp: int | None) -> float | None:
        """Seconds from the video's start of a time stamp."""
        stream = self._stream
        if stamp is None or stream.time_base is None:
            return None
        return float((stamp - (stream.start_time or 0)) * stream.time_base)

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
        from av.video.reformatter import Colorspace, VideoReformatter

        width, height = frame.width, frame.height
        aspect = self._stream.sample_aspect_ratio
        if aspect:
            width = max(1, round(width * aspect))
            self._check_frame(width, height)
        standard = "ITU709" if height >= _HD_HEIGHT else "ITU601"
        if self._reformatter is None:
            self._reformatter = VideoReformatter()
        # A context for each frame, with its threads, takes as long as the conversion.
        converted = self._reformatter.reformat(
            frame,
            format="rgb24",
            width=width,
            height=height,
            src_colorspace=Colorspace[standard] if frame.colorspace == _UNSPECIFIED else None,
            threads=1,
        )
        pixels: Pixels = converted.to_ndarray()  # type: ignore[assignment]
        turns = round(frame.rotation / 90) % 4
        return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


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
            # PyAV's default divides a frame among threads, which few files allow.
            stream.thread_type = "AUTO"
            return stream
    raise ItemError(Reason.NOT_A_VIDEO, f"{name}: there are no moving pictures in it; leave it out")


def damaged(name: str, error: Exception) -> ItemError:
    """The failure of a video that could not be decoded."""
    return ItemError(
        Reason.TRUNCATED,
        f"{name}: the video is cut short or damaged ({_cause(error)}); fetch or export it again",
    )


def _cause(error: Exception) -> str:
    """What FFmpeg says, without the number and the name of our buffer."""
    return str(getattr(error, "strerror", None) or first_line(error))
