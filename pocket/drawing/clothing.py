"""Drawings of clothing, laid flat as in a catalog."""

from pocket.drawing.sketch import INK, Point, Sketch


def _neck(s: Sketch, depth: float, *, pointed: bool = False) -> None:
    points = [(0.41, 0.15), (0.43, 0.15 + depth * 0.6), (0.5, 0.15 + depth)]
    s.mirrored(points, s.dark, bend=not pointed)


def t_shirt(s: Sketch) -> None:
    """A T-shirt with short sleeves."""
    reach = s.between(0.3, 0.4)
    s.mirrored(
        [(0.41, 0.15), (0.3, 0.19), (0.13, reach), (0.22, reach + 0.09), (0.3, 0.34), (0.3, 0.86)]
    )
    _neck(s, s.between(0.06, 0.13), pointed=s.chance(0.4))
    s.line([(0.3, 0.83), (0.7, 0.83)], 0.006, s.dark)
    if s.chance(0.4):
        s.box(0.55, 0.36, 0.65, 0.47, s.dark, edge=False)


def shirt(s: Sketch) -> None:
    """A shirt with a collar, buttons and long sleeves."""
    wrist = s.between(0.68, 0.8)
    cuff = [(0.11, wrist), (0.2, wrist + 0.02)]
    s.mirrored([(0.42, 0.14), (0.27, 0.2), *cuff, (0.29, 0.42), (0.29, 0.86), (0.5, 0.89)])
    for x0, x1 in ((0.11, 0.2), (0.89, 0.8)):
        s.line([(x0, wrist - 0.03), (x1, wrist - 0.01)], 0.02, s.dark)
    s.line([(0.5, 0.2), (0.5, 0.88)], 0.035, s.light)
    for i in range(6):
        s.oval(0.5, 0.28 + i * 0.1, 0.011, 0.011, INK, edge=False)
    s.poly([(0.41, 0.12), (0.5, 0.22), (0.41, 0.27), (0.36, 0.16)], s.light)
    s.poly([(0.59, 0.12), (0.5, 0.22), (0.59, 0.27), (0.64, 0.16)], s.light)
    if s.chance(0.6):
        s.box(0.57, 0.36, 0.67, 0.48, s.dark, r=0.01)


def jacket(s: Sketch) -> None:
    """An open jacket over a dark lining, with lapels and pockets."""
    hem = s.between(0.78, 0.9)
    s.mirrored([(0.4, 0.13), (0.25, 0.19), (0.1, 0.7), (0.22, 0.74), (0.28, 0.45), (0.27, hem)])
    s.mirrored([(0.42, 0.14), (0.47, 0.5), (0.45, hem)], INK)
    s.poly([(0.4, 0.12), (0.47, 0.46), (0.36, 0.36), (0.34, 0.19)], s.dark)
    s.poly([(0.6, 0.12), (0.53, 0.46), (0.64, 0.36), (0.66, 0.19)], s.dark)
    for x in (0.31, 0.58):
        s.box(x, 0.62, x + 0.11, 0.65, s.dark, edge=False)
    if s.chance(0.5):
        for side in (0.47, 0.53):
            s.line([(side, 0.47), (side, hem)], 0.012, (190, 194, 200))


def hoodie(s: Sketch) -> None:
    """A hooded sweatshirt with a front pocket and strings."""
    s.mirrored([(0.4, 0.24), (0.26, 0.28), (0.11, 0.72), (0.21, 0.76), (0.29, 0.5), (0.29, 0.88)])
    s.mirrored([(0.5, 0.08), (0.37, 0.14), (0.35, 0.27), (0.5, 0.37)], bend=True)
    s.mirrored([(0.5, 0.14), (0.43, 0.18), (0.43, 0.26), (0.5, 0.32)], s.dark, bend=True)
    for x in (0.45, 0.55):
        s.line([(x, 0.32), (x - 0.01, 0.46 + s.between(0, 0.06))], 0.012, s.light)
    s.mirrored([(0.41, 0.6), (0.36, 0.76), (0.36, 0.8)], s.dark)
    s.line([(0.29, 0.855), (0.71, 0.855)], 0.05, s.dark)
    for x in (0.11, 0.89):
        inner = 0.21 if x < 0.5 else 0.79
        s.line([(x, 0.71), (inner, 0.75)], 0.03, s.dark)


def trousers(s: Sketch) -> None:
    """Long trousers with a waistband."""
    ankle = s.between(0.3, 0.36)
    width = s.between(0.09, 0.15)
    s.mirrored([(0.33, 0.1), (ankle - 0.03, 0.9), (ankle + width, 0.91), (0.495, 0.38)])
    s.box(0.325, 0.09, 0.675, 0.135, s.dark)
    s.line([(0.5, 0.14), (0.5, 0.3)], 0.008, s.dark)
    s.line([(0.34, 0.22), (0.41, 0.15)], 0.01, s.dark)
    s.line([(0.66, 0.22), (0.59, 0.15)], 0.01, s.dark)


def shorts(s: Sketch) -> None:
    """Shorts that end above the knee."""
    hem = s.between(0.66, 0.76)
    s.mirrored([(0.3, 0.25), (0.19, hem), (0.46, hem + 0.03), (0.497, 0.5)])
    s.box(0.295, 0.24, 0.705, 0.3, s.dark)
    if s.chance(0.6):
        s.line([(0.48, 0.29), (0.45, 0.42)], 0.012, s.light)
        s.line([(0.52, 0.29), (0.55, 0.42)], 0.012, s.light)
    s.line([(0.22, hem - 0.03), (0.46, hem)], 0.008, s.dark)
    s.line([(0.78, hem - 0.03), (0.54, hem)], 0.008, s.dark)


def skirt(s: Sketch) -> None:
    """A skirt, straight or flared, with folds."""
    hem = s.between(0.7, 0.86)
    flare = s.between(0.14, 0.26)
    s.mirrored([(0.37, 0.17), (0.3, 0.36), (flare, hem), (0.34, hem + 0.025), (0.5, hem + 0.035)])
    s.box(0.365, 0.15, 0.635, 0.205, s.dark)
    for k in (-1, 0, 1):
        s.line([(0.5 + 0.06 * k, 0.24), (0.5 + 0.15 * k, hem - 0.02)], 0.007, s.dark)


def dress(s: Sketch) -> None:
    """A dress with a waist, sleeveless or with short sleeves."""
    flare = s.between(0.16, 0.27)
    top: list[Point] = [(0.42, 0.1), (0.37, 0.1)]
    sleeve: list[Point] = [(0.26, 0.24), (0.31, 0.3)] if s.chance(0.5) else []
    s.mirrored([*top, *sleeve, (0.36, 0.28), (0.4, 0.42), (flare, 0.9), (0.5, 0.925)])
    s.mirrored([(0.42, 0.095), (0.44, 0.17), (0.5, 0.2)], s.dark, bend=True)
    s.box(0.395, 0.41, 0.605, 0.45, s.dark)
    for k in (-1, 1):
        s.line([(0.5 + 0.04 * k, 0.47), (0.5 + 0.13 * k, 0.88)], 0.007, s.dark)


def sock(s: Sketch) -> None:
    """One sock, heel and toe in a darker yarn."""
    cuff = s.between(0.08, 0.24)
    leg = [(0.4, cuff), (0.62, cuff), (0.62, 0.6), (0.6, 0.72)]
    s.poly([*leg, (0.46, 0.82), (0.3, 0.9), (0.2, 0.87), (0.2, 0.76), (0.38, 0.64), (0.4, 0.55)])
    s.box(0.39, cuff - 0.01, 0.63, cuff + 0.07, s.dark, r=0.015)
    s.blob([(0.62, 0.58), (0.62, 0.72), (0.52, 0.77), (0.54, 0.63)], s.dark, edge=False)
    s.blob([(0.29, 0.9), (0.2, 0.88), (0.19, 0.77), (0.28, 0.72)], s.dark, edge=False)


def tank_top(s: Sketch) -> None:
    """A top with no sleeves and two shoulder straps."""
    hem = s.between(0.8, 0.9)
    s.mirrored([(0.41, 0.1), (0.35, 0.1), (0.35, 0.26), (0.28, 0.36), (0.29, hem)])
    s.mirrored([(0.41, 0.095), (0.42, 0.22), (0.5, 0.28)], None, bend=True)
    s.line([(0.29, hem - 0.03), (0.71, hem - 0.03)], 0.007, s.dark)
