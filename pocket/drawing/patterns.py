"""Colours by name, and the patterns a product is covered with."""

import random
from math import ceil, cos, radians, sin

from PIL import Image, ImageDraw

Rgb = tuple[int, int, int]

COLOURS: dict[str, Rgb] = {
    "red": (206, 44, 48),
    "orange": (238, 129, 36),
    "yellow": (243, 203, 52),
    "green": (52, 146, 80),
    "turquoise": (52, 178, 178),
    "blue": (48, 102, 204),
    "purple": (126, 70, 168),
    "pink": (238, 130, 172),
    "brown": (124, 80, 50),
    "black": (46, 46, 52),
    "grey": (140, 144, 150),
    "white": (240, 240, 238),
}

PATTERNS = ("plain", "striped", "dotted", "checked", "floral", "zigzag")


def darker(colour: Rgb, share: float) -> Rgb:
    """The colour with `share` of its light left."""
    r, g, b = colour
    return (round(r * share), round(g * share), round(b * share))


def lighter(colour: Rgb, share: float) -> Rgb:
    """The colour mixed with `share` of white."""
    r, g, b = (round(c + (255 - c) * share) for c in colour)
    return (r, g, b)


def brightness(colour: Rgb) -> float:
    """Perceived brightness, 0 to 255 (ITU-R BT.601)."""
    r, g, b = colour
    return 0.299 * r + 0.587 * g + 0.114 * b


def second_colour(colour: Rgb) -> Rgb:
    """The colour of stripes and dots: pale on a dark ground, darker on a pale one."""
    if brightness(colour) > 195:
        return darker(colour, 0.6)
    return lighter(colour, 0.78)


def vary(colour: Rgb, rng: random.Random, amount: int = 14) -> Rgb:
    """A neighbour of the colour, as dye lots and lamps make them."""
    shift = rng.randint(-amount, amount)
    r, g, b = (min(255, max(0, c + shift + rng.randint(-6, 6))) for c in colour)
    return (r, g, b)


def texture(colour: Rgb, pattern: str, pixels: int, rng: random.Random) -> Image.Image:
    """A square RGB picture of the pattern.

    Raises:
        ValueError: the pattern is none of `PATTERNS`.
    """
    image = Image.new("RGB", (pixels, pixels), colour)
    if pattern == "plain":
        return image
    pen = ImageDraw.Draw(image)
    step = pixels * rng.uniform(0.075, 0.12)
    other = second_colour(colour)
    if pattern == "striped":
        _stripes(pen, pixels, step, other, rng)
    elif pattern == "dotted":
        _dots(pen, pixels, step, other)
    elif pattern == "checked":
        _checks(pen, pixels, step, colour, other)
    elif pattern == "floral":
        _flowers(pen, pixels, step * 1.5, other, rng)
    elif pattern == "zigzag":
        _zigzag(pen, pixels, step, other)
    else:
        raise ValueError(f"no pattern is called {pattern!r}; there are {', '.join(PATTERNS)}")
    return image


def _stripes(
    pen: ImageDraw.ImageDraw, pixels: int, step: float, other: Rgb, rng: random.Random
) -> None:
    angle = radians(rng.choice((0, 0, 90, 45)))
    along, across = (cos(angle), sin(angle)), (-sin(angle), cos(angle))
    for i in range(-ceil(pixels / step), 2 * ceil(pixels / step)):
        x, y = across[0] * i * step, across[1] * i * step
        far = 2 * pixels
        ends = [(x - along[0] * far, y - along[1] * far), (x + along[0] * far, y + along[1] * far)]
        pen.line(ends, fill=other, width=round(step * 0.46))


def _dots(pen: ImageDraw.ImageDraw, pixels: int, step: float, other: Rgb) -> None:
    r = step * 0.27
    for row in range(ceil(pixels / step) + 1):
        for column in range(ceil(pixels / step) + 1):
            x, y = (column + 0.5 * (row % 2)) * step, row * step
            pen.ellipse((x - r, y - r, x + r, y + r), fill=other)


def _checks(pen: ImageDraw.ImageDraw, pixels: int, step: float, colour: Rgb, other: Rgb) -> None:
    r, g, b = ((a + c) // 2 for a, c in zip(colour, other, strict=True))
    count = ceil(pixels / step) + 1
    for i in range(0, count, 2):
        pen.rectangle((0, i * step, pixels, (i + 1) * step), fill=(r, g, b))
        pen.rectangle((i * step, 0, (i + 1) * step, pixels), fill=(r, g, b))
    for i in range(0, count, 2):
        for j in range(0, count, 2):
            pen.rectangle((i * step, j * step, (i + 1) * step, (j + 1) * step), fill=other)


def _flowers(
    pen: ImageDraw.ImageDraw, pixels: int, step: float, other: Rgb, rng: random.Random
) -> None:
    petal, heart = step * 0.17, (240, 196, 70)
    for row in range(ceil(pixels / step) + 1):
        for column in range(ceil(pixels / step) + 1):
            x = (column + 0.5 * (row % 2) + rng.uniform(-0.1, 0.1)) * step
            y = (row + rng.uniform(-0.1, 0.1)) * step
            for k in range(5):
                px = x + petal * 1.15 * cos(radians(72 * k))
                py = y + petal * 1.15 * sin(radians(72 * k))
                pen.ellipse((px - petal, py - petal, px + petal, py + petal), fill=other)
            pen.ellipse((x - petal * 0.7, y - petal * 0.7, x + petal * 0.7, y + petal * 0.7), heart)


def _zigzag(pen: ImageDraw.ImageDraw, pixels: int, step: float, other: Rgb) -> None:
    for row in range(-1, ceil(pixels / step) + 1):
        points = [
            (k * step / 2, row * step + (step * 0.5 if k % 2 else 0))
            for k in range(2 * ceil(pixels / step) + 3)
        ]
        pen.line(points, fill=other, width=round(step * 0.36), joint="curve")
