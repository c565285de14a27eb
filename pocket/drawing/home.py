"""Drawings of things that furnish a home, and of things to write and read with."""

from math import cos, radians, sin

from pocket.drawing.sketch import GOLD, INK, LEAF, METAL, PAPER, STEEL, WOOD, Sketch, arc


def cushion(s: Sketch) -> None:
    """A square cushion with soft corners and a seam."""
    k = s.between(0.0, 0.04)
    low, high = 0.14, 0.86
    s.blob(
        [(low, low), (0.3, low + k), (0.7, low + k), (high, low), (high - k, 0.3), (high - k, 0.7),
         (high, high), (0.7, high - k), (0.3, high - k), (low, high), (low + k, 0.7),
         (low + k, 0.3)]
    )  # fmt: skip
    if s.chance(0.5):
        s.oval(0.5, 0.5, 0.025, 0.025, s.dark)
    for x, y in ((0.3, 0.3), (0.7, 0.3), (0.3, 0.7), (0.7, 0.7)):
        s.line([(x, y), (0.5 + (x - 0.5) * 1.4, 0.5 + (y - 0.5) * 1.4)], 0.008, s.dark)


def vase(s: Sketch) -> None:
    """A vase with a narrow neck, at times with flowers."""
    if s.chance(0.5):
        for x, y in ((0.38, 0.12), (0.5, 0.07), (0.62, 0.12)):
            s.line([(0.5, 0.4), (x, y)], 0.012, LEAF)
            paint = s.pick((232, 96, 120), (246, 200, 80), (236, 236, 240))
            for k in range(5):
                s.oval(
                    x + 0.03 * cos(radians(72 * k)),
                    y + 0.03 * sin(radians(72 * k)),
                    0.026,
                    0.026,
                    paint,
                )
            s.oval(x, y, 0.02, 0.02, GOLD)
    belly, neck = s.between(0.19, 0.27), s.between(0.06, 0.1)
    s.mirrored(
        [
            (0.5 - neck - 0.04, 0.28),
            (0.5 - neck, 0.38),
            (0.5 - belly, 0.62),
            (0.5 - belly * 0.55, 0.88),
            (0.5, 0.9),
        ],
        bend=True,
    )
    s.oval(0.5, 0.28, neck + 0.04, 0.022, s.dark)


def candle(s: Sketch) -> None:
    """A burning candle, on a small dish at times."""
    w, top = s.between(0.09, 0.15), s.between(0.32, 0.42)
    if s.chance(0.6):
        s.oval(0.5, 0.87, 0.28, 0.055, s.pick(METAL, GOLD, PAPER))
    s.box(0.5 - w, top, 0.5 + w, 0.87, r=0.02)
    s.oval(0.5, top, w, 0.028, s.light)
    s.line([(0.5, top), (0.5, top - 0.05)], 0.012, INK)
    tip = top - s.between(0.2, 0.25)
    s.mirrored([(0.5, tip), (0.455, top - 0.1), (0.5, top - 0.03)], (250, 178, 60), bend=True)
    s.mirrored(
        [(0.5, tip + 0.07), (0.48, top - 0.09), (0.5, top - 0.04)],
        (255, 236, 150),
        bend=True,
        edge=False,
    )


def clock(s: Sketch) -> None:
    """A round wall clock with hands and marks."""
    r = s.between(0.36, 0.42)
    s.oval(0.5, 0.5, r, r)
    s.oval(0.5, 0.5, r * 0.84, r * 0.84, PAPER)
    for k in range(12):
        x, y = cos(radians(30 * k)), sin(radians(30 * k))
        inner = 0.68 if k % 3 else 0.62
        s.line(
            [(0.5 + r * inner * x, 0.5 + r * inner * y), (0.5 + r * 0.76 * x, 0.5 + r * 0.76 * y)],
            0.02,
            INK,
        )
    hour, minute = radians(s.between(0, 360)), radians(s.between(0, 360))
    s.line([(0.5, 0.5), (0.5 + r * 0.4 * cos(hour), 0.5 + r * 0.4 * sin(hour))], 0.032, INK)
    s.line([(0.5, 0.5), (0.5 + r * 0.6 * cos(minute), 0.5 + r * 0.6 * sin(minute))], 0.022, INK)
    s.oval(0.5, 0.5, 0.025, 0.025, (200, 60, 60))


def potted_plant(s: Sketch) -> None:
    """A green plant in a pot of the colour."""
    for k in range(s.rng.randint(6, 9)):
        angle = radians(-90 + (k - 3.5) * s.between(17, 24))
        reach = s.between(0.34, 0.46)
        x, y = 0.5 + reach * cos(angle), 0.6 + reach * sin(angle)
        side = (0.06 * sin(angle), -0.06 * cos(angle))
        mx, my = (0.5 + x) / 2, (0.6 + y) / 2
        green = s.pick(LEAF, (60, 120, 70), (98, 160, 88))
        s.blob(
            [(0.5, 0.62), (mx + side[0], my + side[1]), (x, y), (mx - side[0], my - side[1])], green
        )
    foot = s.between(0.34, 0.38)
    s.mirrored([(0.29, 0.62), (foot, 0.92), (0.5, 0.925)])
    s.box(0.27, 0.59, 0.73, 0.67, s.dark, r=0.01)


def book(s: Sketch) -> None:
    """A closed book with a cover of the colour, its pages showing."""
    s.poly([(0.22, 0.14), (0.26, 0.1), (0.82, 0.1), (0.82, 0.84), (0.78, 0.9)], PAPER)
    for k in range(3):
        s.line([(0.785 + 0.012 * k, 0.14), (0.785 + 0.012 * k, 0.86)], 0.004, STEEL)
    s.box(0.2, 0.14, 0.77, 0.91, r=0.012)
    s.line([(0.26, 0.15), (0.26, 0.9)], 0.014, s.dark)
    s.box(0.34, 0.24, 0.68, s.between(0.4, 0.48), s.light, r=0.01)
    s.line([(0.4, 0.31), (0.62, 0.31)], 0.024, INK)
    s.line([(0.44, 0.37), (0.58, 0.37)], 0.014, INK)


def pencil(s: Sketch) -> None:
    """A sharpened pencil with an eraser."""
    w = s.between(0.05, 0.075)
    s.poly([(0.5 - w, 0.74), (0.5 + w, 0.74), (0.5, 0.95)], (230, 196, 150))
    s.poly([(0.5 - w * 0.3, 0.89), (0.5 + w * 0.3, 0.89), (0.5, 0.95)], INK)
    s.box(0.5 - w, 0.16, 0.5 + w, 0.75)
    s.line([(0.5 - w * 0.35, 0.17), (0.5 - w * 0.35, 0.74)], 0.01, s.dark)
    s.line([(0.5 + w * 0.35, 0.17), (0.5 + w * 0.35, 0.74)], 0.01, s.light)
    s.box(0.5 - w, 0.1, 0.5 + w, 0.17, METAL)
    s.box(0.5 - w, 0.05, 0.5 + w, 0.11, (232, 140, 150), r=0.02)


def scissors(s: Sketch) -> None:
    """Open scissors with two finger rings of the colour."""
    gap = s.between(0.1, 0.17)
    for side in (-1, 1):
        tip = (0.5 + side * gap, 0.06)
        s.poly(
            [tip, (0.5 - side * 0.02, 0.56), (0.5 - side * 0.07, 0.6), (0.5 + side * 0.04, 0.5)],
            METAL,
        )
        s.line([(0.5 - side * 0.04, 0.57), (0.5 - side * 0.1, 0.66)], 0.05, s.colour)
        s.ring(0.5 - side * 0.16, 0.78, 0.105, 0.05, s.colour)
    s.oval(0.5, 0.5, 0.022, 0.022, STEEL)


def hammer(s: Sketch) -> None:
    """A hammer: a steel head across a handle of the colour."""
    s.box(0.46, 0.24, 0.54, 0.94, r=0.03)
    s.box(0.45, s.between(0.56, 0.64), 0.55, 0.94, s.dark, r=0.035)
    s.box(0.36, 0.12, 0.66, 0.27, STEEL, r=0.02)
    s.box(0.64, 0.1, 0.76, 0.29, METAL, r=0.015)
    s.curve([(0.38, 0.17), (0.28, 0.18), (0.2, s.between(0.26, 0.32))], 0.07, STEEL)


def screwdriver(s: Sketch) -> None:
    """A screwdriver: a thick handle of the colour and a thin shaft."""
    s.line([(0.5, 0.5), (0.5, 0.9)], 0.03, METAL)
    s.poly([(0.47, 0.88), (0.53, 0.88), (0.545, 0.95), (0.455, 0.95)], STEEL)
    w = s.between(0.07, 0.1)
    s.mirrored(
        [
            (0.5, 0.05),
            (0.5 - w, 0.1),
            (0.5 - w, 0.4),
            (0.5 - w * 0.6, 0.46),
            (0.47, 0.53),
            (0.5, 0.53),
        ],
        bend=True,
    )
    for k in (-0.5, 0, 0.5):
        s.line([(0.5 + w * k, 0.14), (0.5 + w * k, 0.38)], 0.012, s.dark)


def watering_can(s: Sketch) -> None:
    """A watering can with a long spout, a rose and a handle."""
    s.line(arc(0.42, 0.46, 0.19, s.between(0.24, 0.3), 180, 360), 0.035, s.dark)
    s.poly([(0.58, 0.76), (0.58, 0.64), (0.82, 0.32), (0.87, 0.36), (0.7, 0.72)])
    s.poly([(0.78, 0.27), (0.93, 0.38), (0.89, 0.43), (0.75, 0.32)], s.dark)
    s.box(0.22, 0.44, 0.62, 0.86, r=0.03)
    s.oval(0.42, 0.44, 0.2, 0.035, s.dark)
    s.line([(0.23, 0.74), (0.61, 0.74)], 0.01, WOOD if s.chance(0.2) else s.dark)


def mirror(s: Sketch) -> None:
    """A standing mirror in a frame of the colour."""
    s.box(0.3, 0.88, 0.7, 0.94, s.dark, r=0.02)
    s.line([(0.5, 0.8), (0.5, 0.9)], 0.05, s.dark)
    s.oval(0.5, 0.46, s.between(0.26, 0.32), 0.4)
    s.oval(0.5, 0.46, 0.23, 0.35, (206, 220, 228))
    for k in (0.0, 0.09):
        s.line([(0.38 + k, 0.52), (0.54 + k, 0.28)], 0.018, (240, 246, 250))
