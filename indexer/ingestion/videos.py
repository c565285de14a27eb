"""Embeds the frames of videos, and groups them into shots.

    file -> frames, one a slot of time -> prepared as pictures are -> batches through the model
         -> shots by the change between neighbours, each with the mean of its frames

Of a frame only its embedding stays, so that memory hardly depends on a video's length: an hour at
one frame a second with 512 dimensions is 7 MB.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, TypeVar

import numpy as np

from indexer.core.chunks import in_chunks
from indexer.core.errors import ItemError
from indexer.core.protocols import Encoder, Pixels
from indexer.core.records import DoubleArray, FloatArray
from indexer.core.vectors import normalise
from indexer.ingestion.reports import Stopwatch
from indexer.ingestion.shots import Shot, ShotSettings, find_shots
from indexer.sources.video import VideoDecoder, VideoReader

T = TypeVar("T")


@dataclass(slots=True)
class FrameTally:
    """Counts frames, and the seconds in which the model computed on them."""

    frames: int = 0
    stopwatch: Stopwatch = field(default_factory=Stopwatch)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoEmbedder:
    """Embeds videos by a model that sees pictures.

    Attributes:
        batch_size: frames that go through the model together.
        tally: counts the frames that were embedded.
    """

    encoder: Encoder
    decoder: VideoDecoder = field(default_factory=VideoDecoder)
    settings: ShotSettings = field(default_factory=ShotSettings)
    batch_size: int = 64
    tally: FrameTally = field(default_factory=FrameTally, compare=False, repr=False)

    @property
    def recipe(self) -> str:
        """What shots depend on beside the file and the model, short."""
        settings = self.settings
        return (
            f"2: {self.decoder.fps:g} fps, cuts {settings.threshold:g}, {settings.contrast:g}, "
            f"{settings.min_length_s:g} s"
        )

    def shots(self, file: IO[bytes], name: str) -> tuple[list[Shot], ItemError | None]:
        """The shots of a video; of one that breaks off, those before the break.

        Args:
            file: can be sought in.
            name: its name in messages.

        Returns:
            The shots in order, at least one; and why the video could not be read to its end.

        Raises:
            ItemError: not one frame could be decoded, or a limit is exceeded.
            ModelError: the model fails.
        """
        with self.decoder.opened(file, name) as reader:
            vectors, times = self._embedded(reader)
            shots = find_shots(vectors, times, reader.end_s, self.settings)
            return shots, reader.problem

    def mean(self, file: IO[bytes], name: str, *, start_s: float, end_s: float) -> FloatArray:
        """float32 (d,), of length 1: the mean of the frames of a shot that is known.

        Raises:
            ItemError, ModelError: as ``shots``.
        """
        with self.decoder.opened(file, name) as reader:
            vectors, _ = self._embedded(reader, start_s, end_s)
            return normalise(vectors.sum(axis=0, dtype=np.float64))

    def _embedded(
        self, reader: VideoReader, start_s: float = 0.0, end_s: float = math.inf
    ) -> tuple[FloatArray, DoubleArray]:
        """Embeddings of the frames, float32 (n, d), and their times, float64 (n,)."""
        vectors: list[FloatArray] = []
        times: list[float] = []
        frames = (
            (frame.time_s, self.encoder.prepare(frame.pixels))
            for frame in reader.frames(start_s, end_s)
        )
        batches: Iterator[list[tuple[float, Pixels]]] = in_chunks(frames, self.batch_size)
        if not self.encoder.takes_all_cores:
            batches = _ahead(batches)
        for batch in batches:
            times += [time_s for time_s, _ in batch]
            with self.tally.stopwatch:
                vectors.append(self.encoder.embed_pictures([pixels for _, pixels in batch]))
            self.tally.frames += len(batch)
        return np.concatenate(vectors), np.array(times, dtype=np.float64)


def _ahead(values: Iterator[T]) -> Iterator[T]:
    """The values, the next of which is made by another thread while one is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, values, end)
        while (value := waiting.result()) is not end:
            waiting = pool.submit(next, values, end)
            yield value  # type: ignore[misc]
