"""Drawings of footwear, seen from the side."""

from pocket.drawing.sketch import PALE_WOOD, RUBBER, SOLE, Sketch


def sneaker(s: Sketch) -> None:
    """A low sports shoe with laces and a thick pale sole."""
    collar = s.between(0.36, 0.44)
    toe = s.between(0.88, 0.93)
    s.blob(
        [(0.1, 0.68), (0.1, 0.5), (0.13, collar), (0.24, collar + 0.05), (0.38, collar - 0.03),
         (0.5, 0.5), (0.72, 0.57), (toe - 0.02, 0.66), (toe - 0.04, 0.72), (0.5, 0.73)]
    )  # fmt: skip
    s.blob([(0.74, 0.58), (toe - 0.01, 0.66), (toe - 0.03, 0.72), (0.76, 0.72)], s.light)
    s.box(0.08, 0.69, toe + 0.02, s.between(0.77, 0.82), s.pick(SOLE, SOLE, s.dark), r=0.04)
    for x, y in ((0.44, 0.475), (0.5, 0.515), (0.56, 0.535), (0.62, 0.555)):
        s.line([(x - 0.025, y + 0.05), (x + 0.02, y + 0.005)], 0.016, SOLE)
    if s.chance(0.6):
        s.curve([(0.22, 0.64), (0.34, 0.64), (0.52, 0.56)], 0.03, s.light)
    s.curve([(0.14, collar + 0.02), (0.24, collar + 0.06), (0.37, collar - 0.01)], 0.02, s.dark)


def boot(s: Sketch) -> None:
    """A boot with a shaft over the ankle and a heel."""
    top = s.between(0.1, 0.28)
    s.poly(
        [(0.24, top), (0.54, top), (0.54, 0.5), (0.6, 0.58), (0.8, 0.64), (0.86, 0.72),
         (0.86, 0.8), (0.22, 0.8), (0.23, 0.6)]
    )  # fmt: skip
    sole = s.pick(RUBBER, (92, 64, 44))
    s.box(0.21, 0.79, 0.88, 0.83, sole, r=0.015)
    s.box(0.21, 0.82, 0.42, s.between(0.88, 0.92), sole, r=0.01)
    s.box(0.235, top - 0.01, 0.545, top + 0.05, s.dark, r=0.01)
    if s.chance(0.5):
        for k in range(4):
            s.line([(0.46, top + 0.1 + 0.07 * k), (0.55, top + 0.07 + 0.07 * k)], 0.016, SOLE)
    else:
        s.line([(0.24, 0.58), (0.56, 0.56)], 0.03, s.dark)


def high_heel(s: Sketch) -> None:
    """A pump with a high thin heel."""
    heel = s.between(0.02, 0.05)
    s.poly([(0.11, 0.46), (0.22, 0.5), (0.15, 0.86), (0.15 - heel, 0.86)], s.dark)
    s.blob(
        [(0.1, 0.48), (0.1, 0.34), (0.2, 0.44), (0.4, 0.58), (0.58, 0.7), (0.68, 0.68),
         (0.86, 0.76), (0.92, 0.84), (0.6, 0.85), (0.42, 0.74), (0.22, 0.55)]
    )  # fmt: skip
    s.curve([(0.12, 0.4), (0.2, 0.46), (0.4, 0.6), (0.57, 0.71)], 0.014, s.dark)
    if s.chance(0.4):
        s.curve([(0.12, 0.36), (0.26, 0.34), (0.32, 0.44)], 0.018, s.dark)


def flip_flop(s: Sketch) -> None:
    """A pair of flat sandals with a strap between the toes, seen from above."""
    strap = s.pick(s.dark, s.light)
    for x in (0.3, 0.7):
        s.blob([(x - 0.13, 0.25), (x, 0.1), (x + 0.13, 0.25), (x + 0.1, 0.55), (x + 0.11, 0.78),
                (x, 0.9), (x - 0.11, 0.78), (x - 0.1, 0.55)])  # fmt: skip
        toe = (x, 0.24)
        s.curve([toe, (x - 0.09, 0.36), (x - 0.12, 0.52)], 0.035, strap)
        s.curve([toe, (x + 0.09, 0.36), (x + 0.12, 0.52)], 0.035, strap)


def clog(s: Sketch) -> None:
    """A backless shoe on a thick wooden sole."""
    s.poly([(0.07, 0.66), (0.3, 0.68), (0.5, 0.7), (0.95, 0.73), (0.92, 0.82), (0.5, 0.8),
            (0.4, 0.87), (0.09, 0.87)], PALE_WOOD)  # fmt: skip
    s.blob(
        [
            (0.42, 0.69),
            (0.44, s.between(0.4, 0.46)),
            (0.6, 0.42),
            (0.84, 0.56),
            (0.93, 0.72),
            (0.7, 0.73),
        ]
    )
    for k in range(4):
        s.oval(0.5 + 0.11 * k, 0.715, 0.012, 0.012, SOLE, edge=False)
