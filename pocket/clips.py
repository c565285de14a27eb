"""Draws short videos of moving products: what the tests and figures of videos are made of.

A clip is a row of scenes with hard cuts between them. In each scene one product of the sample
catalog is moved, turned and scaled before a background that stays.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, pi, radians, sin
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pocket.drawing import product_type
from pocket.drawing.scene import background_picture, colour_of, compose, light
from pocket.drawing.sketch import Sketch

Pixels = NDArray[np.uint8]

CODECS = {".webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"})}
"""Encoder and options by the file's extension; H.264 for all others."""

_H264 = ("libx264", {"preset": "veryfast"})
_DETAIL = 3
_TURN = 12.0
_WAY = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One scene of a clip.

    Attributes:
        product: name of a product type of ``pocket.drawing``.
        background: one of ``BACKGROUNDS``.
        seconds: how long it lasts.
        motion: 0 is a still picture; 1 is the usual motion of a hand-held camera, and more is more.
    """

    product: str
    colour: str
    background: str = "studio"
    pattern: str = "plain"
    seconds: float = 4.0
    motion: float = 1.0


THREE_SCENES = (
    Scene(product="mug", colour="red"),
    Scene(product="backpack", colour="blue", background="room"),
    Scene(product="guitar", colour="brown", background="cloth"),
)
"""Twelve seconds, with cuts at 4.0 and 8.0 s."""


def scene_frames(
    scene: Scene, *, rate: int, size: int, rng: random.Random, detail: int = _DETAIL
) -> Iterator[Pixels]:
    """The frames of one scene, uint8 (size, size, 3).

    Args:
        rate: frames a second.
        rng: where shape, shade, background and way are drawn from.
        detail: how many times larger the product is drawn before it is scaled down.
    """
    shade = colour_of(scene.colour, rng)
    sketch = Sketch(colour=shade, pattern=scene.pattern, pixels=size * detail, rng=rng)
    product_type(scene.product).drawing(sketch)
    product = light(sketch.image, rng)
    ground = background_picture(scene.background, size, rng)
    shadow, phase = rng.getstate(), rng.uniform(0, 2 * pi)
    for number in range(round(scene.seconds * rate)):
        turn = phase + 2 * pi * number / rate / 6
        placed = _moved(product, size, turn, scene.motion)
        rng.setstate(shadow)  # the light stays where it is
        yield np.asarray(compose(placed, ground, rng), dtype=np.uint8)


def write_clip(
    path: Path,
    scenes: Sequence[Scene] = THREE_SCENES,
    *,
    rate: int = 25,
    size: int = 192,
    seed: int = 0,
    rotation: int = 0,
) -> None:
    """Draw a clip into a file; its extension says the container and the codec.

    Args:
        rotation: degrees, counterclockwise, by which a player is told to turn the frames.
    """
    rng = random.Random(seed)  # noqa: S311 - drawings, not secrets
    frames = (
        frame for scene in scenes for frame in scene_frames(scene, rate=rate, size=size, rng=rng)
    )
    encode(path, frames, rate=rate, rotation=rotation)


def encode(
    path: Path,
    frames: Iterator[Pixels],
    *,
    rate: int,
    rotation: int = 0,
    encoder: tuple[str, dict[str, str]] | None = None,
) -> None:
    """Encode frames of one size, uint8 (height, width, 3), each an even number of pixels.

    Args:
        encoder: its name and its options; None is that of the path's extension.
    """
    codec, options = encoder or CODECS.get(path.suffix, _H264)
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        for number, pixels in enumerate(frames):
            if not number:
                stream.height, stream.width = pixels.shape[:2]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode())


def _moved(product: Image.Image, size: int, turn: float, motion: float) -> Image.Image:
    """The product at one moment of its way."""
    wide = product.width
    angle = radians(_TURN * motion * sin(turn))
    scale = 0.9 + 0.08 * motion * sin(0.7 * turn)
    a, b = cos(angle) / scale, sin(angle) / scale
    cx = wide * (0.5 + _WAY * motion * cos(turn))
    cy = wide * (0.5 + _WAY * motion * sin(1.3 * turn))
    c, f = wide / 2 - a * cx - b * cy, wide / 2 + b * cx - a * cy
    turned = product.transform(
        product.size, Image.Transform.AFFINE, (a, b, c, -b, a, f), Image.Resampling.BILINEAR
    )
    return turned.resize((size, size), Image.Resampling.BOX)
