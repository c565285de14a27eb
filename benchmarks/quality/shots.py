"""How well the cuts of videos are found, on clips that are made for it.

    python -m benchmarks.quality --part shots

Two sorts of clips: products of the sample catalog that move before a background, and pans and
zooms over real photos. Scenes last 2 to 8 seconds, the cuts lie anywhere, and a third of them are
cross-fades of half a second to a second. Frames are looked at once a second. A cut counts as found
where one is told within a second of it. The defaults were chosen on the clips of even numbers,
among thresholds from .02 to .4 and contrasts from 0 to 6, and the table is of the odd ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.quality.sets import Sources
from benchmarks.quality.table import Row
from indexer.core.protocols import Pixels
from indexer.core.records import DoubleArray, FloatArray
from indexer.encoder import SentenceTransformerEncoder
from indexer.ingestion.shots import ShotSettings, find_shots
from pocket.clips import Scene, scene_frames
from pocket.drawing import BACKGROUNDS, COLOURS, product_types

RATE = 8
"""Frames a second that are drawn: of these, one a second is looked at."""

SIZE = 160
CLIPS = 24
"""Clips of each sort: those of even numbers chose the settings, the others measure them."""

FADED = 1 / 3
TOLERANCE_S = 1.0
_ZOOM = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """The frames of one clip that are looked at.

    Attributes:
        frames: uint8 (SIZE, SIZE, 3), one a second.
        cuts: seconds; of a cross-fade its middle.
        length_s: of the clip.
    """

    frames: tuple[Pixels, ...]
    cuts: tuple[float, ...]
    length_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedClip:
    """A clip's frames as a model sees them."""

    vectors: FloatArray
    cuts: tuple[float, ...]
    length_s: float

    @property
    def times(self) -> DoubleArray:
        """float64 (n,): seconds of the frames."""
        return np.arange(len(self.vectors), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Counts over some clips."""

    right: int
    told: int
    true: int

    @property
    def precision(self) -> float:
        """Share of the told cuts that are some."""
        return self.right / max(1, self.told)

    @property
    def recall(self) -> float:
        """Share of the cuts that were found."""
        return self.right / max(1, self.true)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return 2 * self.right / max(1, self.told + self.true)


def drawn_scene(rng: random.Random, seconds: float) -> list[Pixels]:
    """A product that moves, more or less."""
    scene = Scene(
        product=rng.choice(product_types()).name,
        colour=rng.choice(list(COLOURS)),
        background=rng.choice(BACKGROUNDS),
        seconds=seconds,
        motion=rng.choice([0.0, 0.5, 1.0, 2.0]),
    )
    return list(scene_frames(scene, rate=RATE, size=SIZE, rng=rng, detail=2))


def photo_scene(rng: random.Random, seconds: float, photos: Sequence[Path]) -> list[Pixels]:
    """A pan and zoom over a photo."""
    with Image.open(rng.choice(photos)) as file:
        photo = file.convert("RGB")
    count = round(seconds * RATE)
    windows = [_window(photo, rng) for _ in range(2)]
    frames = []
    for number in range(count):
        share = number / max(1, count - 1)
        window = [a + (b - a) * share for a, b in zip(*windows, strict=True)]
        frames.append(np.asarray(photo.resize((SIZE, SIZE), box=tuple(window)), dtype=np.uint8))
    return frames


def _window(photo: Image.Image, rng: random.Random) -> tuple[float, float, float, float]:
    side = min(photo.size) * (1 - rng.uniform(0, _ZOOM))
    x, y = rng.uniform(0, photo.width - side), rng.uniform(0, photo.height - side)
    return x, y, x + side, y + side


def make_clip(seed: int, photos: Sequence[Path] = ()) -> Clip:
    """One clip, by its number.

    Args:
        photos: of which its scenes are; drawings without.
    """
    rng = random.Random(seed)  # noqa: S311 - drawings, not secrets
    frames: list[Pixels] = []
    cuts: list[float] = []
    for number in range(rng.randint(3, 6)):
        seconds = rng.uniform(2, 8)
        scene = photo_scene(rng, seconds, photos) if photos else drawn_scene(rng, seconds)
        if number and rng.random() < FADED:
            mixed = rng.randint(RATE // 2, RATE)
            cuts.append((len(frames) - mixed / 2) / RATE)
            frames[-mixed:] = _faded(frames[-mixed:], scene[:mixed])
            scene = scene[mixed:]
        elif number:
            cuts.append(len(frames) / RATE)
        frames += scene
    return Clip(frames=tuple(frames[::RATE]), cuts=tuple(cuts), length_s=len(frames) / RATE)


def _faded(first: Sequence[Pixels], second: Sequence[Pixels]) -> Iterator[Pixels]:
    for number, (one, other) in enumerate(zip(first, second, strict=True), start=1):
        share = number / (len(first) + 1)
        yield (one * (1 - share) + other * share).astype(np.uint8)


def embedded(encoder: SentenceTransformerEncoder, clip: Clip) -> EmbeddedClip:
    """A clip through a model."""
    vectors = encoder.embed_pictures([encoder.prepare(frame) for frame in clip.frames])
    return EmbeddedClip(vectors=vectors, cuts=clip.cuts, length_s=clip.length_s)


def measure(clips: Sequence[EmbeddedClip], settings: ShotSettings) -> Found:
    """The cuts that are found; each told one counts for one true one."""
    right = told = true = 0
    for clip in clips:
        shots = find_shots(clip.vectors, clip.times, clip.length_s, settings)
        claims = [shot.start_s for shot in shots[1:]]
        told, true = told + len(claims), true + len(clip.cuts)
        for cut in clip.cuts:
            near = [claim for claim in claims if -TOLERANCE_S < claim - cut <= TOLERANCE_S]
            if near:
                right += 1
                claims.remove(min(near, key=lambda claim, cut=cut: abs(claim - cut)))
    return Found(right=right, told=told, true=true)


def rows(sources: Sources) -> Iterator[Row]:
    """F1 of the cuts of the clips that did not choose the settings."""
    photos = sorted((sources.data / "photos").glob("*.JPEG"))
    sorts: dict[str, Sequence[Path]] = {"drawn products": (), "pans over photos": photos}
    for sort, files in sorts.items():
        clips = [make_clip(seed, files) for seed in range(CLIPS)]
        for model, encoder in (("pocket", sources.pocket), ("a small dual encoder", sources.lit)):
            seen = [embedded(encoder, clip) for clip in clips]
            chosen_on, reported = (measure(seen[half::2], ShotSettings()) for half in (0, 1))
            yield Row(
                what=f"F1 of {reported.true} cuts of videos, {sort}, {model}",
                plain=chosen_on.f1,
                reached=reported.f1,
                goal=None,
                how=f"{CLIPS // 2} clips of each sort, a third of the cuts cross-fades, a frame a "
                "second; a cut counts that is told within a second. Settings were chosen on as "
                "many other clips, whose F1 is in the column plain. No interval: few clips.",
                more={"precision": reported.precision, "recall": reported.recall},
            )
