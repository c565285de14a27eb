"""Draws scenes: pictures of several products, with the box of each.

The products are drawn as those of the sample shop, each on its own square of one background. The
boxes are what is not clear of each drawing: they are exact, as no person's are.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import Image

from indexer.core.boxes import Box
from pocket.drawing import BACKGROUNDS, COLOURS, ProductType, product_types
from pocket.drawing.scene import background_picture, colour_of, compose, grain, light, place
from pocket.drawing.sketch import Sketch

SIZE = (640, 480)
SIDES = (0.3, 0.6)
"""The smallest and the largest side of a product's square, in heights of the picture."""

COUNTS = (2, 3, 4, 5)
_DETAIL = 3
_TRIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneObject:
    """A product in a scene.

    Attributes:
        name: of its product type.
        box: what of the picture it covers, without its shadow.
    """

    name: str
    colour: str
    pattern: str
    box: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A picture and all products in it."""

    picture: Image.Image
    objects: tuple[SceneObject, ...]


def draw_scene(rng: random.Random, *, size: tuple[int, int] = SIZE, count: int = 0) -> Scene:
    """A scene of different products that do not touch each other.

    Args:
        rng: what everything is drawn from; the same state gives the same scene.
        size: width and height of the picture, in pixels.
        count: products; 0 draws one of ``COUNTS``. Fewer where no place is left.
    """
    width, height = size
    ground = background_picture(rng.choice(BACKGROUNDS), max(size), rng).crop((0, 0, *size))
    squares: list[tuple[int, int, int]] = []
    objects = []
    for kind in rng.sample(product_types(), count or rng.choice(COUNTS)):
        square = _free_square(squares, width, height, rng)
        if square is None:
            continue
        squares.append(square)
        objects.append(_add(ground, kind, square, rng))
    return Scene(picture=grain(ground, rng), objects=tuple(objects))


def _free_square(
    taken: list[tuple[int, int, int]], width: int, height: int, rng: random.Random
) -> tuple[int, int, int] | None:
    """Place and side of a square that overlaps no other; None where none was found."""
    for _ in range(_TRIES):
        side = round(height * rng.uniform(*SIDES))
        x, y = rng.randint(0, width - side), rng.randint(0, height - side)
        if all(
            x + side <= left or left + other <= x or y + side <= top or top + other <= y
            for left, top, other in taken
        ):
            return x, y, side
    return None


def _add(
    ground: Image.Image, kind: ProductType, square: tuple[int, int, int], rng: random.Random
) -> SceneObject:
    """Draw a product into a square of the ground."""
    x, y, side = square
    colour, pattern = rng.choice(sorted(COLOURS)), rng.choice(kind.patterns)
    sketch = Sketch(colour=colour_of(colour, rng), pattern=pattern, pixels=side * _DETAIL, rng=rng)
    kind.drawing(sketch)
    product = light(place(sketch.image, side, rng, tilt=10.0), rng)
    region = (x, y, x + side, y + side)
    ground.paste(compose(product, ground.crop(region), rng), region)
    # Nearly clear rims are no part of what is seen.
    seen = product.getchannel("A").point(lambda alpha: 255 * (alpha > 64)).getbbox()
    left, top, right, bottom = seen or (0, 0, side, side)
    return SceneObject(
        name=kind.name,
        colour=colour,
        pattern=pattern,
        box=(x + left, y + top, right - left, bottom - top),
    )
