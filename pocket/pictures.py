"""Pictures to learn from, drawn once in several processes and kept in a file."""

import hashlib
import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pocket.drawing
from pocket.drawing import BACKGROUNDS, draw, product_type
from pocket.splits import Combination, combinations, drawn_types


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Drawn products with what they show.

    Attributes:
        pixels: uint8 (n, size, size, 3).
        combinations: n names of type, colour and pattern, in the same order.
    """

    pixels: NDArray[np.uint8]
    combinations: list[Combination]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one process draws: some pictures of the given combinations."""

    combinations: tuple[Combination, ...]
    count: int
    size: int
    seed: str


def draw_order(order: Order) -> Pictures:
    """Draws `count` pictures, each of a combination drawn at random, on any background."""
    rng = random.Random(order.seed)  # noqa: S311 (pictures, no secrets)
    chosen = [rng.choice(order.combinations) for _ in range(order.count)]
    drawn = [draw_combination(combination, size=order.size, rng=rng) for combination in chosen]
    return Pictures(pixels=np.stack(drawn), combinations=chosen)


def draw_combination(
    combination: Combination, *, size: int, rng: random.Random
) -> NDArray[np.uint8]:
    """One picture of the combination: uint8 (size, size, 3)."""
    name, colour, pattern = combination
    picture = draw(
        product_type(name),
        colour=colour,
        pattern=pattern,
        size=size,
        rng=rng,
        background=rng.choice(BACKGROUNDS),
        tilt=14.0,
    )
    return np.asarray(picture)


def training_pictures(*, count: int, size: int, seed: int, processes: int, cache: Path) -> Pictures:
    """`count` pictures of each drawn type, of training combinations only.

    They are kept in `cache`, under a name that changes with the drawings' code.
    """
    path = cache / f"pictures-{count}-{size}-{seed}-{_code_version()}.npz"
    if path.exists():
        with np.load(path) as kept:
            names = [tuple(row) for row in kept["combinations"].tolist()]
            return Pictures(pixels=kept["pixels"], combinations=names)
    allowed = combinations("train")
    orders = [
        Order(
            combinations=tuple(c for c in allowed if c[0] == product.name),
            count=count,
            size=size,
            seed=f"{seed}/{product.name}",
        )
        for product in drawn_types()
    ]
    with ProcessPoolExecutor(processes) as pool:
        parts = list(pool.map(draw_order, orders))
    pictures = Pictures(
        pixels=np.concatenate([part.pixels for part in parts]),
        combinations=[c for part in parts for c in part.combinations],
    )
    cache.mkdir(parents=True, exist_ok=True)
    np.savez(path, pixels=pictures.pixels, combinations=np.array(pictures.combinations))
    return pictures


def _code_version() -> str:
    folder = Path(pocket.drawing.__file__).parent
    code = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    return hashlib.sha256(code).hexdigest()[:12]
