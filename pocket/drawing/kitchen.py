"""Drawings of kitchenware and tableware."""

from pocket.drawing.sketch import GLASS, INK, METAL, STEEL, WOOD, Sketch, arc


def mug(s: Sketch) -> None:
    """A mug with one handle."""
    s.line(arc(0.67, 0.52, s.between(0.15, 0.19), s.between(0.15, 0.2), -95, 95), 0.055)
    foot = s.between(0.2, 0.27)
    s.mirrored([(0.2, 0.24), (foot, 0.8), (foot + 0.04, 0.83), (0.5, 0.84)])
    s.oval(0.5, 0.24, 0.3, 0.07, s.light)
    s.oval(0.5, 0.255, 0.25, 0.048, s.pick((84, 54, 38), (120, 80, 50), s.dark))


def wine_glass(s: Sketch) -> None:
    """A wine glass: a bowl on a stem; the wine has the colour."""
    w = s.between(0.17, 0.22)
    s.oval(0.5, 0.9, 0.17, 0.035, GLASS)
    s.line([(0.5, 0.5), (0.5, 0.89)], 0.022, (176, 202, 214))
    s.mirrored(
        [(0.5 - w * 0.85, 0.09), (0.5 - w, 0.3), (0.5 - w * 0.7, 0.48), (0.5, 0.56)],
        GLASS,
        bend=True,
    )
    fill = s.between(0.24, 0.34)
    s.mirrored(
        [(0.515 - w, fill), (0.52 - w * 0.98, fill + 0.06), (0.51 - w * 0.65, 0.47), (0.5, 0.54)],
        s.colour,
        bend=True,
    )
    s.oval(0.5, fill, w - 0.015, 0.022, s.light)
    s.line([(0.56 - w, 0.15), (0.54 - w, 0.24)], 0.012, (244, 250, 252))


def bottle(s: Sketch) -> None:
    """A bottle with a neck, a cap and a label."""
    w, neck = s.between(0.13, 0.18), s.between(0.04, 0.055)
    shoulder = s.between(0.36, 0.44)
    s.mirrored(
        [
            (0.5 - neck, 0.1),
            (0.5 - neck, shoulder - 0.12),
            (0.5 - w, shoulder),
            (0.5 - w, 0.9),
            (0.5, 0.925),
        ]
    )
    s.box(0.49 - neck, 0.06, 0.51 + neck, 0.14, s.pick(INK, s.dark, METAL), r=0.01)
    s.box(0.5 - w, 0.54, 0.5 + w, 0.76, s.light)
    s.line([(0.44, 0.62), (0.56, 0.62)], 0.02, s.dark)
    s.line([(0.46, 0.68), (0.54, 0.68)], 0.012, s.dark)


def teapot(s: Sketch) -> None:
    """A round teapot with a spout, a handle and a lid."""
    s.line(arc(0.27, 0.56, 0.17, s.between(0.14, 0.18), 80, 280), 0.045, s.dark)
    s.poly([(0.66, 0.64), (0.8, 0.54), (0.85, 0.38), (0.94, 0.37), (0.88, 0.6), (0.7, 0.76)])
    s.oval(0.5, 0.59, 0.28, s.between(0.22, 0.26))
    s.mirrored([(0.5, 0.27), (0.4, 0.3), (0.34, 0.38), (0.5, 0.42)], s.dark, bend=True)
    s.oval(0.5, 0.25, 0.035, 0.035, s.dark)
    s.box(0.36, 0.8, 0.64, 0.845, s.dark, r=0.015)


def frying_pan(s: Sketch) -> None:
    """A frying pan seen from above, its handle to one side."""
    s.line([(0.55, 0.55), (0.93, s.between(0.86, 0.93))], 0.06, s.pick(INK, WOOD))
    r = s.between(0.29, 0.32)
    s.oval(0.38, 0.4, r, r, s.colour)
    s.oval(0.38, 0.4, r * 0.86, r * 0.86, s.pick((66, 66, 72), (84, 86, 92)))
    s.line(arc(0.38, 0.4, r * 0.6, r * 0.6, 190, 260), 0.014, (126, 128, 136))


def cooking_pot(s: Sketch) -> None:
    """A cooking pot with a lid and two side handles."""
    top = s.between(0.4, 0.46)
    for side in (-1, 1):
        start = -90 if side > 0 else 90
        s.line(arc(0.5 + side * 0.34, top + 0.12, 0.08, 0.05, start, start + 180), 0.034, INK)
    s.box(0.17, top, 0.83, 0.82, r=0.05)
    s.poly(
        [
            *arc(0.5, top, 0.35, s.between(0.1, 0.14), 180, 360),
            (0.85, top + 0.03),
            (0.15, top + 0.03),
        ],
        s.pick(s.dark, METAL),
    )
    s.oval(0.5, top - 0.14, 0.05, 0.03, INK)
    s.line([(0.19, 0.76), (0.81, 0.76)], 0.01, s.dark)


def fork(s: Sketch) -> None:
    """A fork: four tines on a long handle of the colour."""
    for k in range(4):
        x = 0.41 + 0.06 * k
        s.line([(x, 0.07), (x, 0.3)], 0.026, METAL)
    s.mirrored(
        [(0.395, 0.27), (0.4, 0.36), (0.475, 0.45), (0.48, 0.55), (0.5, 0.55)], METAL, bend=True
    )
    w = s.between(0.04, 0.055)
    s.mirrored([(0.475, 0.52), (0.5 - w, 0.8), (0.5 - w * 0.8, 0.93), (0.5, 0.95)], bend=True)


def kitchen_knife(s: Sketch) -> None:
    """A kitchen knife: a broad blade and a riveted handle of the colour."""
    belly = s.between(0.6, 0.68)
    s.poly([(0.43, 0.6), (0.43, 0.06), (0.5, 0.14), (belly, 0.4), (belly - 0.02, 0.6)], METAL)
    s.line([(0.45, 0.12), (0.45, 0.58)], 0.012, (222, 226, 232))
    s.box(0.43, 0.59, 0.54, 0.94, r=0.03)
    for y in (0.67, 0.76, 0.85):
        s.oval(0.485, y, 0.014, 0.014, METAL)


def bowl(s: Sketch) -> None:
    """A bowl, empty or filled."""
    foot = s.between(0.1, 0.16)
    s.mirrored([(0.1, 0.42), (0.17, 0.64), (0.33, 0.78), (0.5, 0.8)], bend=True)
    s.box(0.5 - foot, 0.785, 0.5 + foot, 0.84, s.dark, r=0.01)
    s.oval(0.5, 0.42, 0.4, s.between(0.08, 0.11), s.light)
    inside = s.pick(s.dark, s.dark, (226, 190, 110), (150, 178, 96))
    s.oval(0.5, 0.43, 0.35, 0.07, inside)


def jug(s: Sketch) -> None:
    """A jug: a tall body with a lip to pour from and a long handle."""
    s.line(arc(0.68, 0.47, 0.18, 0.23, -80, 95), 0.05, s.dark)
    belly = s.between(0.66, 0.72)
    s.poly(
        [(0.2, 0.12), (0.34, 0.18), (0.68, 0.15), (0.66, 0.36), (belly + 0.05, 0.62), (0.66, 0.88),
         (0.34, 0.88), (0.31 - belly + 0.64, 0.62), (0.36, 0.36), (0.32, 0.24)]
    )  # fmt: skip
    s.blob([(0.22, 0.13), (0.5, 0.12), (0.68, 0.15), (0.5, 0.2), (0.34, 0.19)], s.light)


def chopping_board(s: Sketch) -> None:
    """A cutting board with a hole in its grip."""
    s.box(0.42, 0.07, 0.58, 0.35, r=0.06)
    s.box(0.22, 0.26, 0.78, s.between(0.86, 0.93), r=0.06)
    s.oval(0.5, 0.15, 0.03, 0.03, STEEL)
