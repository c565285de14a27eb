"""Drawings of electronics."""

from math import cos, radians, sin

from pocket.drawing.patterns import Rgb
from pocket.drawing.sketch import BODY, INK, METAL, PAPER, RUBBER, STEEL, Sketch, arc

_TILES: tuple[Rgb, ...] = (
    (232, 90, 80),
    (84, 170, 230),
    (110, 190, 110),
    (244, 190, 80),
    (160, 110, 200),
)


def _wallpaper(s: Sketch, x0: float, y0: float, x1: float, y1: float) -> None:
    """A lit screen: a landscape in colours."""
    sky = s.pick((96, 160, 224), (70, 90, 160), (226, 140, 110), (70, 150, 160))
    s.box(x0, y0, x1, y1, sky, edge=False)
    mid = y0 + (y1 - y0) * s.between(0.5, 0.7)
    peak = x0 + (x1 - x0) * s.between(0.3, 0.7)
    hill = s.pick((60, 110, 90), (50, 60, 110), (120, 70, 90))
    s.poly(
        [(x0, y1), (x0, mid), (peak, y0 + (y1 - y0) * 0.35), (x1, mid), (x1, y1)], hill, edge=False
    )


def laptop(s: Sketch) -> None:
    """An open laptop: a wide screen over a keyboard."""
    s.box(0.19, 0.17, 0.81, 0.62, r=0.025)
    _wallpaper(s, 0.22, 0.2, 0.78, 0.58)
    spread = s.between(0.05, 0.11)
    front = s.between(0.76, 0.82)
    s.mirrored([(0.19, 0.62), (0.19 - spread, front), (0.2 - spread, front + 0.025)])
    s.mirrored([(0.24, 0.645), (0.24 - spread * 0.6, front - 0.065)], INK, edge=False)
    for k in range(1, 3):
        y = 0.645 + (front - 0.71) * k / 3
        s.line([(0.22, y), (0.78, y)], 0.006, STEEL)
    s.mirrored([(0.43, front - 0.05), (0.42, front - 0.01)], s.dark, edge=False)


def smartphone(s: Sketch) -> None:
    """A smartphone: a tall narrow screen full of app tiles."""
    half = s.between(0.185, 0.215)
    left, right = 0.5 - half, 0.5 + half
    s.box(left, 0.07, right, 0.93, r=0.06)
    _wallpaper(s, left + 0.025, 0.11, right - 0.025, 0.89)
    s.box(0.45, 0.115, 0.55, 0.14, INK, r=0.012, edge=False)
    step = (2 * half - 0.06) / 4
    for row in range(s.rng.randint(3, 5)):
        for column in range(4):
            x, y = left + 0.04 + column * step, 0.19 + row * 0.115
            s.box(x, y, x + step * 0.72, y + 0.07, s.pick(*_TILES), r=0.02, edge=False)
    s.line([(0.44, 0.87), (0.56, 0.87)], 0.012, PAPER)


def e_reader(s: Sketch) -> None:
    """An e-reader: a grey paper-like page of text in a broad frame."""
    half = s.between(0.27, 0.31)
    left, right = 0.5 - half, 0.5 + half
    bottom = s.between(0.86, 0.92)
    s.box(left, 0.1, right, bottom, r=0.04)
    page: Rgb = s.pick((226, 226, 218), (214, 216, 212), (232, 230, 220))
    s.box(left + 0.05, 0.15, right - 0.05, bottom - 0.11, page)
    y = 0.2
    if s.chance(0.5):
        s.line([(0.4, y + 0.01), (0.6, y + 0.01)], 0.026, INK)
        y += 0.07
    while y < bottom - 0.15:
        end = right - 0.09 - (s.between(0.08, 0.2) if s.chance(0.2) else 0.0)
        s.line([(left + 0.09, y), (end, y)], 0.013, (104, 104, 106))
        y += 0.042
    s.oval(0.5, bottom - 0.055, 0.022, 0.022, s.dark)


def tablet(s: Sketch) -> None:
    """A tablet computer lying wide, tiles on a large screen."""
    s.box(0.07, 0.2, 0.93, 0.8, r=0.05)
    _wallpaper(s, 0.12, 0.25, 0.88, 0.75)
    for row in range(3):
        for column in range(6):
            x, y = 0.17 + column * 0.115, 0.31 + row * 0.14
            s.box(x, y, x + 0.08, y + 0.08, s.pick(*_TILES), r=0.02, edge=False)


def headphones(s: Sketch) -> None:
    """Headphones: two ear cups on a headband."""
    high = s.between(0.4, 0.46)
    s.line(arc(0.5, 0.56, 0.33, high, 180, 360), s.between(0.05, 0.07), s.colour)
    s.line(arc(0.5, 0.56, 0.3, high - 0.04, 205, 335), 0.025, RUBBER)
    for side in (-1, 1):
        s.box(0.5 + side * 0.27 - 0.06, 0.5, 0.5 + side * 0.27 + 0.06, 0.84, RUBBER, r=0.06)
        s.box(0.5 + side * 0.345 - 0.07, 0.48, 0.5 + side * 0.345 + 0.07, 0.86, r=0.06)


def camera(s: Sketch) -> None:
    """A camera: a large lens in a body with a viewfinder."""
    s.poly([(0.38, 0.3), (0.42, 0.2), (0.6, 0.2), (0.64, 0.3)], s.dark)
    s.box(0.17, 0.24, 0.29, 0.32, INK, r=0.02)
    s.box(0.1, 0.29, 0.9, 0.79, r=0.06)
    s.box(0.1, 0.4, 0.9, 0.68, s.pick(RUBBER, s.dark), edge=False)
    r = s.between(0.18, 0.22)
    s.oval(0.51, 0.54, r, r, METAL)
    s.oval(0.51, 0.54, r * 0.83, r * 0.83, INK)
    s.oval(0.51, 0.54, r * 0.5, r * 0.5, (56, 74, 112))
    s.oval(0.51 - r * 0.22, 0.54 - r * 0.25, r * 0.14, r * 0.14, (220, 230, 244), edge=False)
    s.oval(0.82, 0.35, 0.025, 0.025, (240, 226, 170))


def television(s: Sketch) -> None:
    """A television: a wide screen on a stand."""
    s.box(0.05, 0.2, 0.95, 0.74, r=0.015)
    _wallpaper(s, 0.075, 0.225, 0.925, 0.705)
    if s.chance(0.5):
        s.box(0.46, 0.74, 0.54, 0.82, s.dark)
        s.box(0.3, 0.815, 0.7, 0.845, s.dark, r=0.01)
    else:
        for side in (-1, 1):
            s.line([(0.5 + side * 0.25, 0.74), (0.5 + side * 0.31, 0.84)], 0.026, s.dark)


def keyboard(s: Sketch) -> None:
    """A computer keyboard: rows of keys and a space bar."""
    s.box(0.04, 0.34, 0.96, 0.7, r=0.025)
    cap: Rgb = s.pick(s.light, s.dark, PAPER)
    for row in range(4):
        for column in range(12):
            x, y = 0.065 + column * 0.073 + 0.008 * (row % 2), 0.365 + row * 0.077
            if row == 3 and 3 <= column <= 8:
                continue
            s.box(x, y, x + 0.056, y + 0.058, cap, r=0.008)
    s.box(0.29, 0.596, 0.715, 0.654, cap, r=0.008)


def computer_mouse(s: Sketch) -> None:
    """A computer mouse with two buttons and a wheel, seen from above."""
    if s.chance(0.5):
        s.curve([(0.5, 0.2), (0.52, 0.1), (0.6, 0.03)], 0.018, RUBBER)
    w = s.between(0.19, 0.24)
    s.mirrored(
        [(0.5, 0.16), (0.5 - w * 0.8, 0.22), (0.5 - w, 0.5), (0.5 - w * 0.85, 0.8), (0.5, 0.9)],
        bend=True,
    )
    s.line([(0.5, 0.17), (0.5, 0.46)], 0.008, s.dark)
    s.curve([(0.5 - w, 0.47), (0.5, 0.5), (0.5 + w, 0.47)], 0.008, s.dark)
    s.box(0.475, 0.25, 0.525, 0.39, RUBBER, r=0.025)


def game_controller(s: Sketch) -> None:
    """A game controller: two grips, sticks, a cross and buttons."""
    s.mirrored(
        [(0.5, 0.33), (0.28, 0.3), (0.15, 0.4), (0.07, 0.68), (0.13, 0.78), (0.24, 0.7),
         (0.34, 0.6), (0.5, 0.6)], bend=True
    )  # fmt: skip
    s.line([(0.19, 0.44), (0.33, 0.44)], 0.036, INK)
    s.line([(0.26, 0.37), (0.26, 0.51)], 0.036, INK)
    for k in range(4):
        x, y = 0.74 + 0.06 * cos(radians(90 * k)), 0.44 + 0.06 * sin(radians(90 * k))
        s.oval(x, y, 0.026, 0.026, _TILES[k])
    for x in (0.39, 0.61):
        s.oval(x, 0.55, 0.055, 0.055, RUBBER)
        s.oval(x, 0.545, 0.034, 0.034, INK)


def loudspeaker(s: Sketch) -> None:
    """A loudspeaker box with two round cones."""
    half = s.between(0.2, 0.26)
    s.box(0.5 - half, 0.08, 0.5 + half, 0.92, BODY, r=0.02)
    for y, r in ((0.29, s.between(0.09, 0.12)), (0.64, s.between(0.16, 0.19))):
        s.oval(0.5, y, r, r, INK)
        s.oval(0.5, y, r * 0.8, r * 0.8, RUBBER)
        s.oval(0.5, y, r * 0.34, r * 0.34, STEEL)
