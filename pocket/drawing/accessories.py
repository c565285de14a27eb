"""Drawings of things worn with clothes."""

from math import cos, radians, sin

from pocket.drawing.sketch import GOLD, INK, METAL, SOLE, STEEL, Sketch, arc


def cap(s: Sketch) -> None:
    """A baseball cap seen from its side."""
    s.blob([(0.68, 0.56), (0.9, 0.59), (0.95, 0.66), (0.75, 0.68), (0.55, 0.63)], s.dark)
    s.poly([(0.16, 0.64), *arc(0.45, 0.62, 0.3, s.between(0.32, 0.4), 180, 360), (0.74, 0.64)])
    s.curve([(0.45, 0.25), (0.53, 0.4), (0.55, 0.63)], 0.008, s.dark)
    s.curve([(0.45, 0.25), (0.32, 0.4), (0.3, 0.63)], 0.008, s.dark)
    s.oval(0.45, 0.25, 0.03, 0.02, s.dark)
    if s.chance(0.5):
        s.oval(0.62, 0.48, 0.055, 0.065, s.light)


def hat(s: Sketch) -> None:
    """A hat with a brim all round and a band."""
    brim = s.between(0.38, 0.44)
    crown = s.between(0.2, 0.25)
    s.oval(0.5, 0.68, brim, 0.11)
    top = s.between(0.22, 0.32)
    s.mirrored(
        [(0.5, top), (0.5 - crown * 0.8, top + 0.04), (0.5 - crown, 0.64), (0.5, 0.7)], bend=True
    )
    band = [(0.5 - crown, 0.57), (0.5, 0.62), (0.5, 0.7), (0.5 - crown - 0.004, 0.645)]
    s.poly([*band[:2], (0.5 + crown, 0.57), (0.5 + crown, 0.645), *band[2:]], s.dark)


def sunglasses(s: Sketch) -> None:
    """Sunglasses seen from the front, arms folded out."""
    lens = s.pick((40, 42, 50), (66, 52, 44), (52, 66, 84))
    tall = s.between(0.1, 0.15)
    for x in (0.29, 0.71):
        s.oval(x, 0.5, 0.185, tall + 0.025)
        s.oval(x, 0.5, 0.155, tall, lens)
        s.line([(x - 0.09, 0.5 - tall * 0.3), (x - 0.02, 0.5 - tall * 0.7)], 0.016, (150, 160, 172))
    s.line(arc(0.5, 0.5, 0.045, 0.05, 180, 360), 0.03)
    for side in (-1, 1):
        s.line([(0.5 + side * 0.39, 0.46), (0.5 + side * 0.43, 0.36)], 0.03)


def wristwatch(s: Sketch) -> None:
    """A wristwatch with hands, its strap laid straight."""
    half = s.between(0.075, 0.11)
    s.mirrored(
        [(0.5 - half * 0.8, 0.05), (0.5 - half, 0.4), (0.5 - half, 0.6), (0.5 - half * 0.8, 0.95)]
    )
    for y in (0.78, 0.83, 0.88):
        s.oval(0.5, y, 0.012, 0.012, INK, edge=False)
    case = s.pick(METAL, GOLD, INK)
    s.box(0.7, 0.47, 0.75, 0.53, case, r=0.01)
    s.oval(0.5, 0.5, 0.22, 0.22, case)
    s.oval(0.5, 0.5, 0.175, 0.175, s.pick(SOLE, SOLE, INK, (40, 58, 92)))
    mark = STEEL
    for k in range(12):
        x, y = cos(radians(30 * k)), sin(radians(30 * k))
        s.line([(0.5 + 0.14 * x, 0.5 + 0.14 * y), (0.5 + 0.16 * x, 0.5 + 0.16 * y)], 0.012, mark)
    s.line([(0.5, 0.5), (0.5 + s.between(-0.09, 0.09), 0.4)], 0.016, (196, 70, 60))
    s.line([(0.5, 0.5), (0.6, 0.5 + s.between(-0.05, 0.05))], 0.02, mark)


def necktie(s: Sketch) -> None:
    """A necktie, knotted."""
    wide = s.between(0.1, 0.14)
    s.mirrored([(0.46, 0.2), (0.5 - wide, 0.78), (0.5, 0.93)])
    s.mirrored([(0.43, 0.07), (0.455, 0.2), (0.5, 0.215)], s.dark)


def belt(s: Sketch) -> None:
    """A belt rolled into a ring, its buckle in front."""
    buckle = s.pick(METAL, GOLD)
    s.oval(0.48, 0.44, 0.38, 0.2, s.dark)
    s.oval(0.48, 0.43, 0.33, 0.15, None)
    s.poly([*arc(0.48, 0.46, 0.38, 0.2, 175, 5), *arc(0.48, 0.58, 0.38, 0.2, 5, 175)])
    for x in (0.2, 0.27, 0.34):
        s.oval(x, 0.69 + (x - 0.2) * 0.3, 0.011, 0.013, INK, edge=False)
    s.box(0.5, 0.64, 0.68, 0.83, buckle, r=0.025)
    s.box(0.535, 0.68, 0.645, 0.79, s.dark, r=0.01)
    s.line([(0.51, 0.735), (0.64, 0.735)], 0.02, buckle)


def umbrella(s: Sketch) -> None:
    """An open umbrella with a crooked handle."""
    s.line([(0.5, 0.1), (0.5, 0.82), *arc(0.44, 0.82, 0.06, 0.08, 0, 180)], 0.022, STEEL)
    top = s.between(0.12, 0.2)
    scallops = [
        p for k in range(4) for p in arc(0.83 - 0.22 * k, 0.54, 0.11, 0.05, 0, -180, steps=9)
    ]
    s.poly([*arc(0.5, 0.54, 0.44, 0.54 - top, 180, 360), *scallops])
    for k in (-1, 0, 1):
        s.curve([(0.5, top), (0.5 + 0.16 * k, 0.3), (0.5 + 0.22 * k, 0.5)], 0.007, s.dark)


def ring(s: Sketch) -> None:
    """A finger ring with a cut stone of the product's colour."""
    band = s.pick(METAL, GOLD, GOLD)
    s.ring(0.5, 0.62, 0.24, s.between(0.04, 0.07), band)
    s.box(0.42, 0.33, 0.58, 0.4, band, r=0.01)
    w, top = s.between(0.12, 0.17), 0.12
    s.mirrored([(0.5 - w * 0.6, top), (0.5 - w, top + 0.09), (0.5, top + 0.27)], s.colour)
    s.mirrored([(0.5 - w * 0.5, top + 0.02), (0.5 - w * 0.4, top + 0.09)], s.light, edge=False)
    s.line([(0.5 - w, top + 0.09), (0.5 + w, top + 0.09)], 0.008, s.dark)


def mitten(s: Sketch) -> None:
    """A knitted mitten with a thumb and a ribbed cuff."""
    s.blob([(0.36, 0.66), (0.33, 0.4), (0.42, 0.14), (0.6, 0.14), (0.68, 0.4), (0.66, 0.66)])
    s.blob([(0.62, 0.62), (0.68, 0.44), (0.8, 0.36), (0.85, 0.44), (0.74, 0.6), (0.65, 0.68)])
    s.box(0.34, 0.66, 0.68, s.between(0.8, 0.9), s.dark, r=0.03)
    for k in range(5):
        s.line([(0.39 + 0.06 * k, 0.69), (0.39 + 0.06 * k, 0.79)], 0.008, s.colour)
