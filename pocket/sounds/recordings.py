"""Sounds to learn from, drawn once in several processes and kept as spectrograms in a file."""

import hashlib
import random
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import pocket.sounds
from pocket.sounds.drawing import draw
from pocket.sounds.model import SECONDS, new_extractor
from pocket.sounds.splits import Combination, combinations, drawn_kinds
from pocket.sounds.synthesis import RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Recordings:
    """Drawn sounds with what is heard.

    Attributes:
        spectrograms: float16 (n, 1, FRAMES, MELS), in dB.
        combinations: n names of kind, pitch, pace and setting, in the same order.
    """

    spectrograms: NDArray[np.float16]
    combinations: list[Combination]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What one process draws: some sounds of the given combinations."""

    combinations: tuple[Combination, ...]
    count: int
    seed: str


def draw_combination(combination: Combination, seed: str) -> NDArray[np.float32]:
    """One sound of the combination, mostly of the full length, else down to 1.5 s."""
    name, pitch, pace, setting = combination
    number = zlib.crc32(seed.encode())
    rng = random.Random(number)  # noqa: S311 (sounds, no secrets)
    seconds = SECONDS if rng.random() < 0.7 else rng.uniform(1.5, SECONDS)
    return draw(name, pitch=pitch, pace=pace, setting=setting, seconds=seconds, seed=number)


def draw_order(order: Order) -> Recordings:
    """Draws `count` sounds, each of a combination drawn at random."""
    rng = random.Random(order.seed)  # noqa: S311 (sounds, no secrets)
    chosen = [rng.choice(order.combinations) for _ in range(order.count)]
    extract = new_extractor()
    drawn = [
        extract(
            draw_combination(combination, f"{order.seed}/{i}"),
            sampling_rate=RATE,
            return_tensors="np",
        )["input_features"][0]
        for i, combination in enumerate(chosen)
    ]
    return Recordings(spectrograms=np.stack(drawn).astype(np.float16), combinations=chosen)


def training_recordings(
    *, count: int, seed: int, processes: int, cache: Path, only: tuple[str, ...] = ()
) -> Recordings:
    """`count` sounds of each drawn kind, of training combinations only.

    They are kept in `cache`, a file a kind, under a name that changes with the drawings' code.

    Args:
        count: sounds of a kind.
        seed: what they are drawn from.
        processes: how many draw at once.
        cache: the folder of the files.
        only: names of kinds; all where none is given.
    """
    allowed = combinations("train")
    orders = [
        Order(
            combinations=tuple(c for c in allowed if c[0] == kind.name),
            count=count,
            seed=f"{seed}/{kind.name}",
        )
        for kind in drawn_kinds()
        if not only or kind.name in only
    ]
    folder = cache / f"sounds-{count}-{seed}-{_code_version()}"
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(processes) as pool:
        parts = list(pool.map(_kept, orders, [folder] * len(orders)))
    return Recordings(
        spectrograms=np.concatenate([part.spectrograms for part in parts]),
        combinations=[c for part in parts for c in part.combinations],
    )


def _kept(order: Order, folder: Path) -> Recordings:
    path = folder / (order.seed.replace("/", "-").replace(" ", "-") + ".npz")
    if path.exists():
        with np.load(path) as kept:
            names = [tuple(row) for row in kept["combinations"].tolist()]
            return Recordings(spectrograms=kept["spectrograms"], combinations=names)
    part = draw_order(order)
    aside = path.with_suffix(".part.npz")
    np.savez(aside, spectrograms=part.spectrograms, combinations=np.array(part.combinations))
    aside.replace(path)
    return part


def _code_version() -> str:
    folder = Path(pocket.sounds.__file__).parent
    names = ("animals", "drawing", "household", "music", "nature", "people", "signals")
    files = [folder / f"{name}.py" for name in (*names, "synthesis", "vehicles")]
    said = [*(path.read_text(encoding="utf-8") for path in files), new_extractor().to_json_string()]
    said.append(str(combinations("train")))
    return hashlib.sha256("".join(said).encode()).hexdigest()[:12]
