"""Drawings of toys, sporting goods and music."""

from math import cos, radians, sin

from pocket.drawing.sketch import GOLD, INK, METAL, PAPER, RUBBER, STEEL, WOOD, Point, Sketch, arc


def _wheel(s: Sketch, x: float, y: float, r: float) -> None:
    s.ring(x, y, r, 0.026, INK)
    for k in range(6):
        dx, dy = r * cos(radians(60 * k)), r * sin(radians(60 * k))
        s.line([(x, y), (x + dx, y + dy)], 0.006, STEEL)
    s.oval(x, y, 0.022, 0.022, STEEL)


def football(s: Sketch) -> None:
    """A football of white and coloured patches."""
    r = s.between(0.36, 0.42)
    s.oval(0.5, 0.5, r, r, (244, 244, 242))
    turn = s.between(0, 72)
    for k in range(5):
        a = radians(turn + 72 * k)
        s.line(
            [
                (0.5 + 0.13 * cos(a), 0.5 + 0.13 * sin(a)),
                (0.5 + 0.27 * cos(a), 0.5 + 0.27 * sin(a)),
            ],
            0.012,
            INK,
        )
        rim = [(0.5 + r * q * cos(a + d), 0.5 + r * q * sin(a + d)) for q, d in
               ((0.68, 0), (0.8, 0.26), (0.985, 0.24), (0.985, -0.24), (0.8, -0.26))]  # fmt: skip
        s.poly(rim, s.colour)
    s.poly([_around(0.5, 0.14, turn + 72 * k) for k in range(5)], s.colour)


def _around(centre: float, r: float, degrees: float) -> Point:
    return (centre + r * cos(radians(degrees)), centre + r * sin(radians(degrees)))


def guitar(s: Sketch) -> None:
    """An acoustic guitar upright, with a sound hole and strings."""
    s.box(0.47, 0.12, 0.53, 0.5, WOOD)
    s.mirrored([(0.45, 0.04), (0.465, 0.14), (0.5, 0.145)], INK)
    waist = s.between(0.15, 0.18)
    s.mirrored(
        [(0.5, 0.45), (0.33, 0.5), (0.5 - waist, 0.63), (0.27, 0.76), (0.32, 0.9), (0.5, 0.95)],
        bend=True,
    )
    s.oval(0.5, 0.63, 0.075, 0.075, INK)
    s.box(0.4, 0.81, 0.6, 0.84, WOOD)
    for k in range(4):
        x = 0.482 + 0.012 * k
        s.line([(x, 0.1), (x, 0.82)], 0.004, PAPER)


def bicycle(s: Sketch) -> None:
    """A bicycle seen from the side."""
    r = s.between(0.18, 0.205)
    _wheel(s, 0.24, 0.66, r)
    _wheel(s, 0.76, 0.66, r)
    seat, crank, head = (0.4, 0.38), (0.47, 0.67), (0.68, 0.38)
    for a, b in (
        (crank, seat),
        (seat, head),
        (head, crank),
        (seat, (0.24, 0.66)),
        (crank, (0.24, 0.66)),
    ):
        s.line([a, b], 0.028, s.colour)
    s.line([(0.66, 0.29), (0.76, 0.66)], 0.026, s.colour)
    s.line([(0.6, 0.27), (0.66, 0.28), (0.74, 0.25)], 0.024, INK)
    s.line([(0.33, 0.36), (0.45, 0.36)], 0.036, INK)
    s.oval(*crank, 0.035, 0.035, STEEL)


def teddy_bear(s: Sketch) -> None:
    """A sitting teddy bear."""
    for x in (0.34, 0.66):
        s.oval(x, 0.14, 0.085, 0.085)
        s.oval(x, 0.14, 0.045, 0.045, s.light, edge=False)
    for side in (-1, 1):
        s.oval(0.5 + side * 0.26, 0.56, 0.085, 0.14)
        s.oval(0.5 + side * 0.22, 0.83, 0.13, 0.11)
        s.oval(0.5 + side * 0.24, 0.84, 0.06, 0.055, s.light, edge=False)
    s.oval(0.5, 0.65, 0.23, s.between(0.23, 0.26))
    s.oval(0.5, 0.67, 0.13, 0.15, s.light, edge=False)
    s.oval(0.5, 0.28, 0.22, s.between(0.19, 0.21))
    s.oval(0.5, 0.34, 0.09, 0.07, s.light, edge=False)
    for x in (0.42, 0.58):
        s.oval(x, 0.25, 0.022, 0.026, INK, edge=False)
    s.oval(0.5, 0.31, 0.034, 0.025, INK, edge=False)


def toy_car(s: Sketch) -> None:
    """A small car seen from the side."""
    roof = s.between(0.28, 0.34)
    s.poly([(0.25, 0.5), (0.34, roof), (0.62, roof), (0.74, 0.5)], s.colour)
    s.poly([(0.3, 0.5), (0.37, roof + 0.04), (0.47, roof + 0.04), (0.47, 0.5)], (186, 214, 230))
    s.poly([(0.51, 0.5), (0.51, roof + 0.04), (0.6, roof + 0.04), (0.68, 0.5)], (186, 214, 230))
    s.poly([(0.06, 0.7), (0.06, 0.54), (0.24, 0.49), (0.75, 0.49), (0.92, 0.54), (0.95, 0.7)])
    s.oval(0.91, 0.58, 0.026, 0.03, (250, 226, 130))
    s.oval(0.075, 0.58, 0.018, 0.03, (214, 60, 60))
    for x in (0.26, 0.74):
        s.oval(x, 0.71, 0.11, 0.11, RUBBER)
        s.oval(x, 0.71, 0.05, 0.05, METAL)


def skateboard(s: Sketch) -> None:
    """A skateboard from the side, ends turned up, on four wheels."""
    for x in (0.26, 0.74):
        s.line([(x, 0.53), (x, 0.62)], 0.04, STEEL)
        s.oval(x, 0.65, s.between(0.06, 0.075), 0.065, s.pick(PAPER, (240, 190, 80), RUBBER))
        s.oval(x, 0.65, 0.02, 0.02, STEEL)
    rise = s.between(0.38, 0.43)
    ends = [(0.05, rise), (0.14, 0.47)], [(0.86, 0.47), (0.95, rise)]
    deck = [*ends[0], (0.28, 0.51), (0.5, 0.515), (0.72, 0.51), *ends[1]]
    s.curve(deck, 0.062, s.dark)
    s.curve(deck, 0.04, s.colour)


def dumbbell(s: Sketch) -> None:
    """A dumbbell: weights at both ends of a bar."""
    s.line([(0.1, 0.5), (0.9, 0.5)], 0.06, METAL)
    big = s.between(0.19, 0.25)
    for side in (-1, 1):
        s.box(
            0.5 + side * 0.37 - 0.04,
            0.5 - big * 0.7,
            0.5 + side * 0.37 + 0.04,
            0.5 + big * 0.7,
            s.dark,
            r=0.02,
        )
        s.box(0.5 + side * 0.27 - 0.06, 0.5 - big, 0.5 + side * 0.27 + 0.06, 0.5 + big, r=0.025)
    for k in range(5):
        s.line([(0.42 + 0.04 * k, 0.475), (0.42 + 0.04 * k, 0.525)], 0.008, STEEL)


def tennis_racket(s: Sketch) -> None:
    """A tennis racket with strings and a grip."""
    w = s.between(0.2, 0.24)
    for k in range(-4, 5):
        half = 0.27 * (1 - (k * 0.045 / w) ** 2) ** 0.5 if abs(k * 0.045) < w else 0
        s.line(
            [(0.5 + k * 0.045, 0.34 - half), (0.5 + k * 0.045, 0.34 + half)], 0.005, (206, 206, 200)
        )
        wide = w * (1 - (k * 0.06 / 0.27) ** 2) ** 0.5
        s.line(
            [(0.5 - wide, 0.34 + k * 0.06), (0.5 + wide, 0.34 + k * 0.06)], 0.005, (206, 206, 200)
        )
    s.line(arc(0.5, 0.34, w, 0.28, 0, 360, steps=48), 0.036, s.colour)
    s.poly([(0.39, 0.58), (0.5, 0.72), (0.61, 0.58), (0.5, 0.66)], s.colour)
    s.line([(0.5, 0.66), (0.5, 0.92)], 0.04, s.colour)
    s.line([(0.5, 0.74), (0.5, 0.93)], 0.056, INK)


def kite(s: Sketch) -> None:
    """A diamond kite with a tail of bows."""
    left = s.between(0.14, 0.22)
    s.curve([(0.5, 0.7), (0.44, 0.8), (0.56, 0.87), (0.48, 0.96)], 0.01, STEEL)
    for x, y in ((0.455, 0.79), (0.54, 0.87)):
        s.poly(
            [
                (x - 0.05, y - 0.03),
                (x + 0.05, y + 0.03),
                (x + 0.05, y - 0.03),
                (x - 0.05, y + 0.03),
            ],
            s.dark,
        )
    s.mirrored([(0.5, 0.05), (left, 0.3), (0.5, 0.72)])
    s.poly([(0.5, 0.05), (1 - left, 0.3), (0.5, 0.3)], s.dark, edge=False)
    s.poly([(0.5, 0.3), (left, 0.3), (0.5, 0.72)], s.dark, edge=False)
    s.line([(0.5, 0.05), (0.5, 0.72)], 0.008, WOOD)
    s.line([(left, 0.3), (1 - left, 0.3)], 0.008, WOOD)


def drum(s: Sketch) -> None:
    """A drum with a skin, cords and two sticks."""
    s.box(0.2, 0.36, 0.8, 0.78, r=0.0)
    s.oval(0.5, 0.78, 0.3, 0.08)
    zigzag = [(0.2 + 0.1 * k, 0.42 if k % 2 else 0.76) for k in range(7)]
    s.line(zigzag, 0.012, GOLD)
    s.oval(0.5, 0.36, 0.3, 0.09, PAPER)
    s.line(arc(0.5, 0.36, 0.3, 0.09, 0, 360), 0.022, s.dark)
    s.line([(0.12, s.between(0.12, 0.2)), (0.5, 0.34)], 0.024, WOOD)
    s.line([(0.88, s.between(0.12, 0.2)), (0.56, 0.36)], 0.024, WOOD)
