"""The options of every command that fetches and decodes pictures, sounds and videos."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from indexer.commands.options import option, with_options
from indexer.commands.panels import READING
from indexer.core import limits

if TYPE_CHECKING:
    from indexer.jobs.ingest_options import IngestOptions
    from indexer.sources import Fetcher
    from indexer.sources.decoding import Decoder
    from indexer.sources.decoding.contents import ContentDecoder
    from indexer.sources.decoding.sounds import SoundDecoder
    from indexer.sources.video import VideoDecoder


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How pictures, sounds and videos are fetched and decoded; the fields are the options.

    Raises:
        UsageError: a ``--header`` is none.
    """

    max_pixels: Annotated[int, option(min=1, help="Largest picture, width times height.")] = (
        limits.MAX_PIXELS
    )
    max_bytes: Annotated[int, option(min=1, help="Largest picture file.")] = (
        limits.MAX_PICTURE_BYTES
    )
    window: Annotated[
        float | None,
        option(
            min=0.5,
            help="Seconds of a window: a sound is embedded window by window. By default 10, or as "
            "many as the model takes.",
            show_default=False,
        ),
    ] = None
    max_sound_seconds: Annotated[float, option(min=1.0, help="Longest sound.")] = limits.MAX_SOUND_S
    max_sound_bytes: Annotated[int, option(min=1, help="Largest sound file.")] = (
        limits.MAX_SOUND_BYTES
    )
    fps: Annotated[
        float, option(min=0.01, max=60.0, help="Frames a second of a video that are embedded.")
    ] = 1.0
    max_video_seconds: Annotated[float, option(min=1.0, help="Longest video.")] = limits.MAX_VIDEO_S
    max_video_bytes: Annotated[int, option(min=1, help="Largest video file.")] = (
        limits.MAX_VIDEO_BYTES
    )
    decode_memory: Annotated[
        int, option(min=1, help="Bytes that pictures decoded at the same time may take together.")
    ] = limits.DECODE_MEMORY
    decode_timeout: Annotated[
        float, option(min=0.1, help="Seconds that decoding one picture may take.")
    ] = limits.DECODE_TIMEOUT_S
    timeout: Annotated[float, option(min=0.1, help="Seconds that one download may take.")] = 30.0
    retries: Annotated[int, option(min=0, help="How often a download is tried again.")] = 2
    per_host: Annotated[int, option(min=1, help="Requests to one host of the web at once.")] = 8
    header: Annotated[
        list[str] | None,
        option(
            metavar="'NAME: VALUE'",
            help="Sent with each download, but to no other host that one is redirected to. "
            "Repeatable; kept out of logs.",
            show_default=False,
        ),
    ] = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._downloads()  # a wrong header is refused before any work

    def decoder(self) -> Decoder:
        """Decodes within these limits."""
        from indexer.sources.decoding import DecodeMemory, Decoder

        return Decoder(
            max_pixels=self.max_pixels,
            max_bytes=self.max_bytes,
            memory=DecodeMemory(limit=self.decode_memory),
            timeout_s=self.decode_timeout,
        )

    def sounds(self) -> SoundDecoder:
        """Decodes sounds within these limits."""
        from indexer.sources.decoding.sounds import SoundDecoder

        return SoundDecoder(
            window_s=self.window,
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
            timeout_s=self.decode_timeout,
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
            **self._downloads(),
            **more,
        )

    def fetcher(self) -> Fetcher:
        """Fetches within these limits; to be closed."""
        from indexer.sources import Fetcher

        return Fetcher(
            max_bytes=self.max_bytes,
            max_sound_bytes=self.max_sound_bytes,
            **self._downloads(),
        )

    def _downloads(self) -> dict[str, Any]:
        """How files are downloaded."""
        headers: dict[str, str] = {}
        if self.header:
            from indexer.sources.web import parse_headers

            headers = parse_headers(self.header)
        return {
            "timeout_s": self.timeout,
            "retries": self.retries,
            "per_host": self.per_host,
            "headers": headers,
        }


with_reading = with_options("reading", Reading, panel=READING)
"""Puts them in the place of a command's parameter ``reading``."""
