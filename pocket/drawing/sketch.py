"""The drawing surface of one product: shapes in unit coordinates, a colour, a pattern.

A product is drawn inside the unit square, x to the right and y down, on a
transparent canvas several times larger than the picture it ends in, so that
edges are smooth once it is scaled down.
"""

import random
from collections.abc import Sequence
from math import cos, radians, sin

from PIL import Image, ImageDraw

from pocket.drawing.patterns import Rgb, darker, lighter, second_colour, texture

Point = tuple[float, float]

METAL: Rgb = (186, 191, 198)
STEEL: Rgb = (142, 149, 158)
INK: Rgb = (44, 46, 54)
RUBBER: Rgb = (66, 68, 76)
WOOD: Rgb = (166, 118, 74)
PALE_WOOD: Rgb = (205, 166, 118)
PAPER: Rgb = (246, 243, 233)
GLASS: Rgb = (202, 224, 234)
GOLD: Rgb = (214, 172, 78)
LEAF: Rgb = (74, 138, 76)
SOLE: Rgb = (240, 238, 232)


class Body:
    """The fill of what has the product's own colour and pattern."""


BODY = Body()
Fill = Rgb | Body | None


class Sketch:
    """A canvas of `pixels` x `pixels` on which one product is drawn."""

    def __init__(self, *, colour: Rgb, pattern: str, pixels: int, rng: random.Random) -> None:
        self.colour = colour
        self.dark = darker(colour, 0.66)
        self.light = lighter(colour, 0.45)
        self.second = second_colour(colour)
        self.rng = rng
        self.pixels = pixels
        self._plain = pattern == "plain"
        self._texture = texture(colour, pattern, pixels, rng)
        self.image = Image.new("RGBA", (pixels, pixels), (*colour, 0))
        self._draw = ImageDraw.Draw(self.image)
        self._edge = max(2, pixels // 150)

    def between(self, low: float, high: float) -> float:
        """A number drawn evenly from [low, high)."""
        return self.rng.uniform(low, high)

    def chance(self, probability: float) -> bool:
        """Whether a thing of this probability happens."""
        return self.rng.random() < probability

    def pick(self, *options: Rgb) -> Rgb:
        """One of the given paints."""
        return self.rng.choice(options)

    def poly(self, points: Sequence[Point], fill: Fill = BODY, *, edge: bool = True) -> None:
        """A closed polygon; `fill=None` cuts a hole."""
        scaled = self._scaled(points)
        if isinstance(fill, Body) and not self._plain:
            mask = Image.new("L", self.image.size, 0)
            ImageDraw.Draw(mask).polygon(scaled, fill=255)
            self.image.paste(self._texture, (0, 0), mask)
        else:
            self._draw.polygon(scaled, fill=self._flat(fill))
        if edge:
            self._outline(scaled, fill)

    def blob(self, points: Sequence[Point], fill: Fill = BODY, *, edge: bool = True) -> None:
        """A closed smooth curve through the points."""
        self.poly(smooth(points, closed=True), fill, edge=edge)

    def oval(
        self, x: float, y: float, rx: float, ry: float, fill: Fill = BODY, *, edge: bool = True
    ) -> None:
        """An ellipse around (x, y)."""
        self.poly(ellipse(x, y, rx, ry), fill, edge=edge)

    def ring(self, x: float, y: float, r: float, width: float, fill: Fill = BODY) -> None:
        """A circle's line of radius `r`, `width` thick."""
        self.line(ellipse(x, y, r, r, steps=64), width, fill, closed=True)

    def box(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        fill: Fill = BODY,
        *,
        r: float = 0.0,
        edge: bool = True,
    ) -> None:
        """A rectangle with corners rounded by `r`."""
        self.poly(rounded(x0, y0, x1, y1, r), fill, edge=edge)

    def mirrored(
        self, half: Sequence[Point], fill: Fill = BODY, *, bend: bool = False, edge: bool = True
    ) -> None:
        """A shape symmetric about x = 0.5, given its left half from top to bottom."""
        line = smooth(half, closed=False) if bend else list(half)
        other = [(1 - x, y) for x, y in reversed(line)]
        self.poly([*line, *other], fill, edge=edge)

    def line(
        self,
        points: Sequence[Point],
        width: float,
        fill: Fill = BODY,
        *,
        closed: bool = False,
    ) -> None:
        """A line with round joints and ends."""
        path = [*points, points[0]] if closed else list(points)
        scaled = self._scaled(path)
        thick = max(1, round(width * self.pixels))
        colour = self._flat(fill)
        self._draw.line(scaled, fill=colour, width=thick, joint="curve")
        for x, y in (scaled[0], scaled[-1]):
            half = thick / 2
            self._draw.ellipse((x - half, y - half, x + half, y + half), fill=colour)

    def curve(self, points: Sequence[Point], width: float, fill: Fill = BODY) -> None:
        """A smooth open line through the points."""
        self.line(smooth(points, closed=False), width, fill)

    def _scaled(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self.pixels, y * self.pixels) for x, y in points]

    def _flat(self, fill: Fill) -> tuple[int, int, int, int]:
        if fill is None:
            return (*self.colour, 0)
        return (*(self.colour if isinstance(fill, Body) else fill), 255)

    def _outline(self, scaled: list[Point], fill: Fill) -> None:
        base = self.colour if isinstance(fill, Body) or fill is None else fill
        self._draw.line(
            [*scaled, scaled[0], scaled[1]],
            fill=(*darker(base, 0.72), 255),
            width=self._edge,
            joint="curve",
        )


def ellipse(x: float, y: float, rx: float, ry: float, *, steps: int = 40) -> list[Point]:
    """Points of an ellipse, clockwise from its rightmost."""
    return arc(x, y, rx, ry, 0, 360 * (steps - 1) / steps, steps=steps)


def arc(
    x: float, y: float, rx: float, ry: float, start: float, end: float, *, steps: int = 24
) -> list[Point]:
    """Points of an ellipse from `start` to `end` degrees, 0 at the right, 90 below."""
    angles = [radians(start + (end - start) * i / (steps - 1)) for i in range(steps)]
    return [(x + rx * cos(a), y + ry * sin(a)) for a in angles]


def rounded(x0: float, y0: float, x1: float, y1: float, r: float) -> list[Point]:
    """Points of a rectangle with rounded corners."""
    r = min(r, (x1 - x0) / 2, (y1 - y0) / 2)
    if r <= 0:
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    corners = (
        (x1 - r, y1 - r, 0),
        (x0 + r, y1 - r, 90),
        (x0 + r, y0 + r, 180),
        (x1 - r, y0 + r, 270),
    )
    return [p for x, y, a in corners for p in arc(x, y, r, r, a, a + 90, steps=7)]


def smooth(points: Sequence[Point], *, closed: bool, steps: int = 8) -> list[Point]:
    """A Catmull-Rom curve through the points."""
    n = len(points)
    out: list[Point] = []
    for i in range(n if closed else n - 1):
        if closed:
            p = [points[(i + k) % n] for k in (-1, 0, 1, 2)]
        else:
            p = [points[min(max(i + k, 0), n - 1)] for k in (-1, 0, 1, 2)]
        out += [_catmull_rom(p, j / steps) for j in range(steps)]
    return out if closed else [*out, points[-1]]


def _catmull_rom(p: Sequence[Point], t: float) -> Point:
    def along(a: float, b: float, c: float, d: float) -> float:
        return 0.5 * (
            2 * b
            + (c - a) * t
            + (2 * a - 5 * b + 4 * c - d) * t**2
            + (3 * b - a - 3 * c + d) * t**3
        )

    return (
        along(p[0][0], p[1][0], p[2][0], p[3][0]),
        along(p[0][1], p[1][1], p[2][1], p[3][1]),
    )
