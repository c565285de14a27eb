"""Drawings of bags and luggage."""

from pocket.drawing.sketch import GOLD, INK, METAL, RUBBER, Sketch, arc


def backpack(s: Sketch) -> None:
    """A backpack with a front pocket, a top loop and shoulder straps."""
    s.line(arc(0.5, 0.14, 0.07, 0.07, 180, 360), 0.026, s.dark)
    for side in (-1, 1):
        s.curve(
            [(0.5 + side * 0.2, 0.25), (0.5 + side * 0.37, 0.42), (0.5 + side * 0.27, 0.8)],
            0.045,
            s.dark,
        )
    top = s.between(0.12, 0.17)
    s.mirrored(
        [(0.5, top), (0.34, top + 0.03), (0.25, 0.34), (0.23, 0.82), (0.3, 0.89), (0.5, 0.9)],
        bend=True,
    )
    s.box(0.3, s.between(0.5, 0.58), 0.7, 0.84, s.dark, r=0.05)
    s.line([(0.34, 0.63), (0.66, 0.63)], 0.014, METAL)
    s.curve([(0.29, 0.42), (0.5, 0.36), (0.71, 0.42)], 0.014, s.light)
    s.line([(0.62, 0.63), (0.62, 0.68)], 0.016, METAL)


def handbag(s: Sketch) -> None:
    """A handbag with short handles and a clasp."""
    rise = s.between(0.2, 0.3)
    s.line(arc(0.5, 0.42, 0.19, rise, 180, 360), 0.032, s.dark)
    waist = s.between(0.2, 0.27)
    s.mirrored([(waist, 0.4), (0.13, 0.8), (0.18, 0.85), (0.5, 0.86)])
    if s.chance(0.5):
        s.mirrored([(waist, 0.4), (0.22, 0.56), (0.36, 0.63), (0.5, 0.64)], s.dark, bend=True)
    else:
        s.box(waist - 0.01, 0.39, 1.01 - waist, 0.45, s.dark, r=0.01)
    s.box(0.46, 0.58, 0.54, 0.66, s.pick(GOLD, METAL), r=0.02)


def suitcase(s: Sketch) -> None:
    """An upright suitcase with a pulled-out handle and wheels."""
    top = s.between(0.26, 0.34)
    s.line([(0.4, top), (0.4, 0.08), (0.6, 0.08), (0.6, top)], 0.022, METAL)
    s.line([(0.39, 0.08), (0.61, 0.08)], 0.036, INK)
    for x in (0.31, 0.69):
        s.oval(x, 0.91, 0.035, 0.035, RUBBER)
    s.box(0.24, top, 0.76, 0.89, r=0.06)
    for k in range(4):
        x = 0.35 + 0.1 * k
        s.line([(x, top + 0.05), (x, 0.84)], 0.012, s.dark)
    for x, y in ((0.27, top + 0.03), (0.73, top + 0.03), (0.27, 0.86), (0.73, 0.86)):
        s.oval(x, y, 0.03, 0.03, s.dark, edge=False)


def wallet(s: Sketch) -> None:
    """A folded wallet, a card and notes looking out."""
    s.box(0.2, 0.27, 0.8, 0.5, (150, 184, 140), r=0.01)
    s.box(0.26, 0.3, 0.68, 0.5, s.pick((232, 196, 90), (120, 160, 214), (214, 120, 120)), r=0.02)
    s.box(0.13, 0.36, 0.87, s.between(0.74, 0.8), r=0.04)
    s.line([(0.15, 0.42), (0.85, 0.42)], 0.008, s.dark)
    s.box(0.66, 0.5, 0.9, 0.62, s.dark, r=0.03)
    s.oval(0.72, 0.56, 0.026, 0.026, s.pick(GOLD, METAL))


def tote_bag(s: Sketch) -> None:
    """A plain open shopping bag of cloth with two long handles."""
    for lift in (0.0, 0.03):
        s.line(arc(0.5, 0.36 + lift, 0.13, s.between(0.26, 0.29), 180, 360), 0.03, s.dark)
    s.mirrored([(0.24, 0.36), (0.22, 0.9), (0.5, 0.905)])
    s.line([(0.24, 0.41), (0.76, 0.41)], 0.008, s.dark)
    for x in (0.37, 0.63):
        s.box(x - 0.025, 0.36, x + 0.025, 0.46, s.dark)
