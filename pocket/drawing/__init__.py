"""Drawn product pictures: what the sample catalog and the `pocket` model are made of."""

import random

from PIL import Image

from pocket.drawing.catalogue import PRODUCT_TYPES, ProductType
from pocket.drawing.patterns import COLOURS, PATTERNS
from pocket.drawing.products import PARENTS
from pocket.drawing.scene import (
    BACKGROUNDS,
    background_picture,
    colour_of,
    compose,
    grain,
    light,
    place,
)
from pocket.drawing.sketch import Sketch

__all__ = [
    "BACKGROUNDS",
    "COLOURS",
    "PARENTS",
    "PATTERNS",
    "ProductType",
    "draw",
    "product_type",
    "product_types",
]


def product_types() -> tuple[ProductType, ...]:
    """All product types that can be drawn, by category."""
    return PRODUCT_TYPES


def product_type(name: str) -> ProductType:
    """The product type of this name.

    Raises:
        KeyError: there is none.
    """
    return next((t for t in PRODUCT_TYPES if t.name == name), None) or _missing(name)


def _missing(name: str) -> ProductType:
    names = ", ".join(t.name for t in PRODUCT_TYPES)
    raise KeyError(f"no product type is called {name!r}; there are {names}")


def draw(
    product: ProductType,
    *,
    colour: str,
    pattern: str = "plain",
    size: int = 256,
    rng: random.Random,
    background: str = "studio",
    tilt: float = 10.0,
    detail: int = 4,
    shape: random.Random | None = None,
) -> Image.Image:
    """Draws one product; the same arguments and the same state of `rng` give the same picture.

    Args:
        product: what to draw; its shape is drawn at random.
        colour: one of `COLOURS`.
        pattern: one of `PATTERNS`; any goes, `product.patterns` are those it is sold in.
        size: the side of the picture, in pixels.
        rng: where shape, shade, angle, light and noise are drawn from.
        background: one of `BACKGROUNDS`.
        tilt: the largest angle the product is turned by, in degrees.
        detail: how many times larger it is drawn before it is scaled down.
        shape: where shape and shade are drawn from instead of ``rng``. Two pictures with the
            same state of it show one product, or one design in two colours.

    Returns:
        An RGB picture, `size` x `size`.

    Raises:
        ValueError: no such colour, pattern or background.
    """
    shape = shape or rng
    shade = colour_of(colour, shape)
    sketch = Sketch(colour=shade, pattern=pattern, pixels=size * detail, rng=shape)
    product.drawing(sketch)
    placed = light(place(sketch.image, size, rng, tilt=tilt), rng)
    ground = background_picture(background, size, rng)
    return grain(compose(placed, ground, rng), rng)
