"""The options of every command that fetches and decodes pictures, sounds and videos."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from indexer.commands.options import option, with_options
from indexer.commands.panels import READING

if TYPE_CHECKING:
    from indexer.jobs.ingest_options import IngestOptions
    from indexer.sources import Fetcher
    from indexer.sources.decoding import Decoder
    from indexer.sources.decoding.contents import ContentDecoder
    from indexer.sources.decoding.sounds import SoundDecoder
    from indexer.sources.video import VideoDecoder

# 64 megapixels: 192 MB as RGB bytes.
PIXELS = 64_000_000
BYTES = 32 * 2**20
MEMORY = 2**30
# A header can promise more work than any picture needs; this ends it.
DECODING_S = 20.0
SOUND_BYTES = 512 * 2**20
SOUND_S = 4 * 3600.0
VIDEO_BYTES = 8 * 2**30
VIDEO_S = 4 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How pictures, sounds and videos are fetched and decoded.

    Attributes:
        max_pixels: of a picture, width times height.
        max_bytes: of a picture's file.
        window_s: of a window, which is a part of a sound; None for the default.
        max_sound_seconds: of a sound.
        max_sound_bytes: of a sound's file.
        fps: frames a second of a video that are embedded.
        max_video_seconds: of a video.
        max_video_bytes: of a video's file.
        decode_memory: bytes that pictures which are decoded at a time may take.
        decode_timeout_s: that decoding one picture may take.
        timeout_s: that one download may take.
        retries: how often a download is tried again.
        per_host: requests to one host at once.
        headers: sent with each download.
    """

    max_pixels: int
    max_bytes: int
    window_s: float | None
    max_sound_seconds: float
    max_sound_bytes: int
    fps: float
    max_video_seconds: float
    max_video_bytes: int
    decode_memory: int
    decode_timeout_s: float
    timeout_s: float
    retries: int
    per_host: int
    headers: dict[str, str] = field(repr=False)

    def decoder(self) -> Decoder:
        """Decodes within these limits."""
        from indexer.sources.decoding import DecodeMemory, Decoder

        return Decoder(
            max_pixels=self.max_pixels,
            max_bytes=self.max_bytes,
            memory=DecodeMemory(limit=self.decode_memory),
            timeout_s=self.decode_timeout_s,
        )

    def sounds(self) -> SoundDecoder:
        """Decodes sounds within these limits."""
        from indexer.sources.decoding.sounds import SoundDecoder

        return SoundDecoder(
            window_s=self.window_s,
            max_seconds=self.max_sound_seconds,
            max_bytes=self.max_sound_bytes,
        )

    def videos(self) -> VideoDecoder:
        """Decodes videos within these limits."""
        from indexer.sources.video import VideoDecoder

        return VideoDecoder(
            fps=self.fps,
            max_bytes=self.max_video_bytes,
            max_length_s=self.max_video_seconds,
            max_pixels=self.max_pixels,
            timeout_s=self.decode_timeout_s,
        )

    def contents(self) -> ContentDecoder:
        """Decodes pictures, sounds and videos within these limits."""
        from indexer.sources.decoding.contents import ContentDecoder

        return ContentDecoder(pictures=self.decoder(), sounds=self.sounds(), videos=self.videos())

    def ingest_options(self, **more: Any) -> IngestOptions:
        """What jobs that embed from sources take: these limits, and what else they are given."""
        from indexer.jobs.ingest_options import IngestOptions

        return IngestOptions(
            decoder=self.decoder(),
            sounds=self.sounds(),
            videos=self.videos(),
            timeout_s=self.timeout_s,
            retries=self.retries,
            per_host=self.per_host,
            headers=self.headers,
            **more,
        )

    def fetcher(self) -> Fetcher:
        """Fetches within these limits; to be closed."""
        from indexer.sources import Fetcher

        return Fetcher(
            max_bytes=self.max_bytes,
            max_sound_bytes=self.max_sound_bytes,
            timeout_s=self.timeout_s,
            retries=self.retries,
            per_host=self.per_host,
            headers=self.headers,
        )


def _reading(
    *,
    max_pixels: Annotated[int, option(min=1, help="Largest picture, width times height.")] = PIXELS,
    max_bytes: Annotated[int, option(min=1, help="Largest picture file.")] = BYTES,
    window: Annotated[
        float | None,
        option(
            min=0.5,
            help="Seconds of a window: a sound is embedded window by window. By default 10, or as "
            "many as the model takes.",
            show_default=False,
        ),
    ] = None,
    max_sound_seconds: Annotated[float, option(min=1.0, help="Longest sound.")] = SOUND_S,
    max_sound_bytes: Annotated[int, option(min=1, help="Largest sound file.")] = SOUND_BYTES,
    fps: Annotated[
        float, option(min=0.01, max=60.0, help="Frames a second of a video that are embedded.")
    ] = 1.0,
    max_video_seconds: Annotated[float, option(min=1.0, help="Longest video.")] = VIDEO_S,
    max_video_bytes: Annotated[int, option(min=1, help="Largest video file.")] = VIDEO_BYTES,
    decode_memory: Annotated[
        int, option(min=1, help="Bytes that pictures decoded at the same time may take together.")
    ] = MEMORY,
    decode_timeout: Annotated[
        float, option(min=0.1, help="Seconds that decoding one picture may take.")
    ] = DECODING_S,
    timeout: Annotated[float, option(min=0.1, help="Seconds that one download may take.")] = 30.0,
    retries: Annotated[int, option(min=0, help="How often a download is tried again.")] = 2,
    per_host: Annotated[int, option(min=1, help="Requests to one host of the web at once.")] = 8,
    header: Annotated[
        list[str] | None,
        option(
            metavar="'NAME: VALUE'",
            help="Sent with each download, but to no other host that one is redirected to. "
            "Repeatable; kept out of logs.",
            show_default=False,
        ),
    ] = None,
) -> Reading:
    headers: dict[str, str] = {}
    if header:
        from indexer.sources.web import parse_headers

        headers = parse_headers(header)
    return Reading(
        max_pixels=max_pixels,
        max_bytes=max_bytes,
        window_s=window,
        max_sound_seconds=max_sound_seconds,
        max_sound_bytes=max_sound_bytes,
        fps=fps,
        max_video_seconds=max_video_seconds,
        max_video_bytes=max_video_bytes,
        decode_memory=decode_memory,
        decode_timeout_s=decode_timeout,
        timeout_s=timeout,
        retries=retries,
        per_host=per_host,
        headers=headers,
    )


with_reading = with_options("reading", _reading, panel=READING)
"""Puts them in the place of a command's parameter ``reading``."""
