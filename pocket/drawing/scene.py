"""Puts a drawn product on a background: angle, size, light, shadow and grain."""

import random
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from pocket.drawing.patterns import COLOURS, Rgb, vary

BACKGROUNDS = ("white", "studio", "room", "table", "cloth")

_SOFT_COLOURS: tuple[Rgb, ...] = (
    (236, 232, 224), (222, 230, 236), (228, 222, 232), (224, 234, 222), (240, 226, 216),
    (206, 212, 218), (244, 240, 228), (214, 206, 196),
)  # fmt: skip
_TABLES: tuple[Rgb, ...] = ((198, 160, 118), (168, 128, 92), (214, 186, 152), (178, 172, 166))


def background_picture(name: str, size: int, rng: random.Random) -> Image.Image:
    """A square RGB background.

    Raises:
        ValueError: the background is none of `BACKGROUNDS`.
    """
    rows = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    columns = np.linspace(0, 1, size, dtype=np.float32)[None, :, None]
    soft = np.array(vary(rng.choice(_SOFT_COLOURS), rng), dtype=np.float32)
    shade: NDArray[np.floating]
    if name == "white":
        shade = np.full((size, size, 3), rng.randint(246, 255), dtype=np.float32)
    elif name == "studio":
        distance = (columns - rng.uniform(0.3, 0.7)) ** 2 + (rows - rng.uniform(0.2, 0.6)) ** 2
        shade = soft * (1.06 - 0.28 * distance)
    elif name == "room":
        floor = np.array(vary(rng.choice(_TABLES), rng), dtype=np.float32)
        shade = np.where(rows > rng.uniform(0.62, 0.78), floor * (1.1 - 0.2 * rows), soft)
        shade = shade * (1.03 - 0.08 * columns)
    elif name == "table":
        wood = np.array(vary(rng.choice(_TABLES), rng), dtype=np.float32)
        grain = np.sin(rows * rng.uniform(50, 90) + 0.8 * np.sin(columns * rng.uniform(2, 5)))
        shade = wood * (1 + 0.035 * grain)
    elif name == "cloth":
        threads = rng.uniform(90, 160)
        weave = np.sin(rows * threads) + np.sin(columns * threads)
        shade = soft * (0.93 + 0.012 * weave + 0.08 * rng.uniform(-1, 1) * columns)
    else:
        raise ValueError(f"no background is called {name!r}; there are {', '.join(BACKGROUNDS)}")
    full = np.broadcast_to(shade, (size, size, 3))
    return Image.fromarray(np.clip(full, 0, 255).astype(np.uint8))


def place(product: Image.Image, size: int, rng: random.Random, *, tilt: float) -> Image.Image:
    """The product turned, slanted, mirrored and scaled, on a clear canvas.

    Args:
        product: RGBA, square, several times `size` wide.
        size: the side of the result, in pixels.
        rng: what the angle, the scale and the place are drawn from.
        tilt: the largest angle, in degrees.
    """
    if rng.random() < 0.5:
        product = product.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    wide = product.width
    angle = radians(rng.uniform(-tilt, tilt))
    scale = rng.uniform(0.82, 1.02)
    slant = rng.uniform(-0.07, 0.07)
    stretch = rng.uniform(0.92, 1.08)
    # Image.transform wants the inverse: where each pixel of the result comes from.
    a, b = cos(angle) / scale, (sin(angle) + slant) / scale
    d, e = -sin(angle) / scale, cos(angle) / scale * stretch
    cx = wide * (0.5 + rng.uniform(-0.04, 0.04))
    cy = wide * (0.5 + rng.uniform(-0.04, 0.04))
    c, f = wide / 2 - a * cx - b * cy, wide / 2 - d * cx - e * cy
    turned = product.transform(
        product.size, Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BILINEAR
    )
    return turned.resize((size, size), Image.Resampling.BOX)


def light(product: Image.Image, rng: random.Random) -> Image.Image:
    """Light from one side, and darker rims, on what is not clear."""
    size = product.width
    pixels = np.asarray(product, dtype=np.float32)
    alpha = product.getchannel("A")
    soft = np.asarray(alpha.filter(ImageFilter.GaussianBlur(size * 0.045)), dtype=np.float32) / 255
    angle = rng.uniform(-0.9, 0.9) - 1.57
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    ramp = cos(angle) * columns + sin(angle) * rows
    strength = rng.uniform(0.12, 0.34)
    gain = (1 + strength * ramp) * (0.84 + 0.2 * np.clip(soft, 0, 1))
    glow = 16 * np.clip(ramp, 0, 1) * soft
    colour = np.clip(pixels[..., :3] * gain[..., None] + glow[..., None], 0, 255)
    lit = np.concatenate([colour, pixels[..., 3:]], axis=-1).astype(np.uint8)
    return Image.fromarray(lit)


def compose(product: Image.Image, ground: Image.Image, rng: random.Random) -> Image.Image:
    """The product with its shadow on the background; RGB."""
    size = ground.width
    alpha = product.getchannel("A")
    blurred = alpha.filter(ImageFilter.GaussianBlur(size * rng.uniform(0.015, 0.04)))
    offset = (round(size * rng.uniform(-0.03, 0.03)), round(size * rng.uniform(0.015, 0.045)))
    shadow = Image.new("L", ground.size, 0)
    shadow.paste(blurred, offset)
    depth = rng.uniform(0.18, 0.42)
    shadow = shadow.point([round(v * depth) for v in range(256)])
    picture = ground.copy()
    picture.paste((30, 28, 34), (0, 0), shadow)
    picture.paste(product, (0, 0), product)
    return picture


def grain(picture: Image.Image, rng: random.Random) -> Image.Image:
    """The picture with a camera's noise."""
    noise = np.random.default_rng(rng.getrandbits(32))
    pixels: NDArray[np.float32] = np.asarray(picture, dtype=np.float32)
    spread = rng.uniform(0.5, 3.5)
    noisy = pixels + noise.standard_normal(pixels.shape, dtype=np.float32) * spread
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def colour_of(name: str, rng: random.Random) -> Rgb:
    """A shade of the named colour.

    Raises:
        ValueError: the colour is none of `COLOURS`.
    """
    if name not in COLOURS:
        raise ValueError(f"no colour is called {name!r}; there are {', '.join(COLOURS)}")
    return vary(COLOURS[name], rng)
