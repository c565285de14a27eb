"""Drawings of furniture."""

from pocket.drawing.sketch import INK, METAL, PALE_WOOD, PAPER, STEEL, WOOD, Sketch


def chair(s: Sketch) -> None:
    """A chair with a backrest and four legs."""
    wood = s.pick(WOOD, PALE_WOOD, INK)
    for x0, x1 in ((0.36, 0.38), (0.68, 0.64)):
        s.line([(x0, 0.6), (x1, 0.84)], 0.034, wood)
    for x0, x1 in ((0.3, 0.25), (0.73, 0.78)):
        s.line([(x0, 0.62), (x1, 0.94)], 0.04, wood)
    for x in (0.34, 0.68):
        s.line([(x, 0.1), (x, 0.56)], 0.036, wood)
    if s.chance(0.5):
        s.box(0.32, 0.08, 0.7, s.between(0.36, 0.46), r=0.04)
    else:
        for y in (0.09, 0.22, 0.35):
            s.box(0.33, y, 0.69, y + 0.085, r=0.02)
    s.poly([(0.33, 0.53), (0.7, 0.53), (0.78, 0.63), (0.78, 0.67), (0.25, 0.67), (0.25, 0.63)])


def table(s: Sketch) -> None:
    """A table: a wide top on four legs."""
    top = s.between(0.32, 0.4)
    for x in (0.24, 0.76):
        s.line([(x, top + 0.04), (x, 0.76)], 0.035, s.dark)
    for x in (0.12, 0.88):
        s.line([(x, top + 0.08), (x, 0.87)], 0.045, s.colour)
    s.mirrored([(0.16, top - 0.05), (0.05, top + 0.07)])
    s.box(0.05, top + 0.07, 0.95, top + 0.12)
    if s.chance(0.4):
        s.box(0.36, top + 0.12, 0.64, top + 0.2, s.dark)


def sofa(s: Sketch) -> None:
    """A sofa with two armrests and seat cushions."""
    for x in (0.13, 0.87):
        s.line([(x, 0.76), (x, 0.84)], 0.035, WOOD)
    s.box(0.12, s.between(0.24, 0.32), 0.88, 0.66, r=0.07)
    seats = s.rng.choice((2, 2, 3))
    width = 0.7 / seats
    for k in range(seats):
        s.box(0.15 + k * width, 0.52, 0.15 + (k + 1) * width, 0.67, r=0.03)
    s.box(0.1, 0.65, 0.9, 0.78, s.dark, r=0.02)
    for x in (0.05, 0.83):
        s.box(x, 0.44, x + 0.12, 0.79, r=0.055)


def bed(s: Sketch) -> None:
    """A bed with a headboard, a pillow and a blanket of the colour."""
    wood = s.pick(WOOD, PALE_WOOD, (232, 230, 226))
    s.box(0.07, s.between(0.2, 0.28), 0.15, 0.84, wood, r=0.02)
    s.box(0.87, 0.5, 0.93, 0.84, wood, r=0.02)
    s.box(0.14, 0.52, 0.88, 0.72, PAPER, r=0.03)
    s.box(0.16, 0.43, 0.35, 0.54, (252, 252, 250), r=0.05)
    s.poly([(0.38, 0.48), (0.88, 0.49), (0.88, 0.72), (0.36, 0.72)])
    s.box(0.1, 0.7, 0.9, 0.77, wood, r=0.01)


def bookcase(s: Sketch) -> None:
    """A bookcase: shelves full of books."""
    s.box(0.22, 0.07, 0.78, 0.93, r=0.01)
    rows = s.rng.choice((3, 4))
    tall = 0.8 / rows
    for row in range(rows):
        y = 0.1 + row * (tall + 0.01)
        s.box(0.26, y, 0.74, y + tall - 0.025, s.dark)
        x = 0.27
        while x < 0.69:
            w, low = s.between(0.025, 0.05), s.between(0.02, 0.07)
            paint = s.pick(
                (186, 70, 62), (70, 104, 160), (220, 180, 90), (96, 140, 96), PAPER, STEEL
            )
            if not s.chance(0.15):
                s.box(x, y + low, x + w, y + tall - 0.025, paint)
            x += w + 0.003


def lamp(s: Sketch) -> None:
    """A table lamp: a shade of the colour on a foot."""
    base = s.pick(METAL, WOOD, INK, (214, 172, 78))
    s.mirrored(
        [(0.485, 0.5), (0.47, 0.7), (0.43, 0.82), (0.45, 0.86), (0.5, 0.87)],
        base,
        bend=s.chance(0.6),
    )
    s.box(0.34, 0.86, 0.66, 0.91, base, r=0.02)
    top, low = s.between(0.1, 0.2), s.between(0.26, 0.34)
    s.mirrored([(0.5 - top, 0.1), (0.5 - low, 0.5), (0.5, 0.515)])
    s.line([(0.5 - low + 0.01, 0.49), (0.5 + low - 0.01, 0.49)], 0.014, s.light)


def floor_lamp(s: Sketch) -> None:
    """A lamp on a tall thin pole."""
    base = s.pick(METAL, INK)
    s.line([(0.5, 0.25), (0.5, 0.9)], 0.022, base)
    s.box(0.36, 0.895, 0.64, 0.935, base, r=0.02)
    s.mirrored([(0.42, 0.06), (s.between(0.3, 0.35), 0.28), (0.5, 0.29)])


def stool(s: Sketch) -> None:
    """A stool: a round seat on legs, no backrest."""
    wood = s.pick(WOOD, PALE_WOOD, METAL)
    for x0, x1 in ((0.44, 0.4), (0.56, 0.6), (0.32, 0.22), (0.68, 0.78)):
        s.line([(x0, 0.36), (x1, 0.92)], 0.036, wood)
    s.line([(0.27, 0.68), (0.73, 0.68)], 0.024, wood)
    s.box(0.25, 0.32, 0.75, 0.4, s.dark, r=0.03)
    s.oval(0.5, 0.32, 0.25, s.between(0.06, 0.09))


def wardrobe(s: Sketch) -> None:
    """A wardrobe with two tall doors and handles."""
    for x in (0.26, 0.74):
        s.box(x - 0.03, 0.88, x + 0.03, 0.94, s.dark)
    s.box(0.2, 0.06, 0.8, 0.89, r=0.01)
    s.box(0.18, 0.05, 0.82, 0.1, s.dark, r=0.01)
    low = s.between(0.66, 0.72) if s.chance(0.5) else 0.85
    for x0, x1 in ((0.24, 0.49), (0.51, 0.76)):
        s.box(x0, 0.14, x1, low)
    for x in (0.46, 0.54):
        s.line([(x, 0.4), (x, 0.5)], 0.018, s.pick(METAL, INK))
    if low < 0.8:
        s.box(0.24, low + 0.03, 0.76, 0.85)
        s.line([(0.46, low + 0.1), (0.54, low + 0.1)], 0.018, METAL)
