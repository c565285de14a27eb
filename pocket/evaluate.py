"""Measures `pocket` on what it never saw and writes its card: `python -m pocket.evaluate`."""

import argparse
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from pocket.card import write_card
from pocket.drawing import COLOURS, PARENTS, product_type, product_types
from pocket.figures import Figure, Section, log_figures, log_worst
from pocket.pictures import draw_combination
from pocket.splits import (
    NEVER_DRAWN,
    TEST_PARENTS,
    TEST_WORDINGS,
    VALIDATION_PARENTS,
    VALIDATION_WORDINGS,
    Combination,
    combinations,
    drawn_types,
    training_wordings,
)
from pocket.train import MODEL_FOLDER
from pocket.zero_shot import ZeroShot, ranks

PICTURE_SIZE = 160
CLOTHING_LABELS = {"longsleeve": "long-sleeved shirt", "outwear": "outerwear"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Drawn pictures' vectors, float32 (n, d), and what they show."""

    vectors: np.ndarray
    shown: list[Combination]


def evaluate(
    folder: Path, *, part: str, per_combination: int, photos: Path | None
) -> list[Section]:
    """All figures of one part: `validation` to tune on, `test` to report."""
    model = ZeroShot(folder)
    rng = random.Random(f"evaluate/{part}")  # noqa: S311 (pictures, no secrets)
    drawn = _draw(model, [c for c in combinations(part) for _ in range(per_combination)], rng)
    sections = [
        Section(
            title="Unseen combinations of type, colour and pattern", figures=_types(model, drawn)
        ),
        Section(title="Unseen wordings", figures=_wordings(model, drawn, part)),
        Section(title="Types never drawn in training", figures=_never_drawn(model, rng)),
    ]
    if photos is not None:
        sections.append(Section(title="Real photos", figures=[_photos(model, photos)]))
    sections.append(Section(title="Speed", figures=[_speed(model)]))
    return sections


def _draw(model: ZeroShot, wanted: Sequence[Combination], rng: random.Random) -> Drawn:
    pictures = [Image.fromarray(draw_combination(c, size=PICTURE_SIZE, rng=rng)) for c in wanted]
    return Drawn(vectors=model.pictures(pictures), shown=list(wanted))


def _types(model: ZeroShot, drawn: Drawn) -> list[Figure]:
    names = [t.name for t in product_types()]
    truth = np.array([names.index(name) for name, _, _ in drawn.shown])
    found = ranks(drawn.vectors, model.labels(names), truth)
    log_worst(names, truth, found)
    colours = list(COLOURS)
    tints = np.array([colours.index(colour) for _, colour, _ in drawn.shown])
    tinted = ranks(drawn.vectors, model.labels([f"{c} product" for c in colours]), tints)
    return [
        Figure(what=f"type, among all {len(names)} names", ranks=found, top=1, wanted=0.95),
        Figure(what=f"colour, among {len(colours)}", ranks=tinted, top=1),
    ]


def _wordings(model: ZeroShot, drawn: Drawn, part: str) -> list[Figure]:
    wordings = TEST_WORDINGS if part == "test" else VALIDATION_WORDINGS
    categories = TEST_PARENTS if part == "test" else VALIDATION_PARENTS
    types = [t.name for t in drawn_types()]
    labels = [*(wordings[name] for name in types), *NEVER_DRAWN]
    truth = np.array([types.index(name) for name, _, _ in drawn.shown])
    found = ranks(drawn.vectors, model.labels(labels), truth)
    log_worst(labels, truth, found)
    parents = list(PARENTS)
    kinds = np.array([parents.index(product_type(name).parent) for name, _, _ in drawn.shown])
    kind = ranks(drawn.vectors, model.labels([categories[p] for p in parents]), kinds)
    log_worst(parents, kinds, kind)
    strange = np.array([_shares_no_word(name, wordings[name]) for name in types])[truth]
    return [
        Figure(
            what=f"type, each of the {len(types)} drawn types by its unseen synonym, all at once",
            ranks=found,
            top=1,
            wanted=0.85,
        ),
        Figure(
            what="of these, synonyms that share no word with a trained wording of the type",
            ranks=found[strange],
            top=1,
        ),
        Figure(
            what=f"category, each of {len(parents)} by its unseen name, all at once",
            ranks=kind,
            top=1,
            wanted=0.85,
        ),
    ]


def _shares_no_word(name: str, wording: str) -> bool:
    known = {w for text in training_wordings(product_type(name)) for w in text.split()}
    return not known & set(wording.split())


def _never_drawn(model: ZeroShot, rng: random.Random) -> list[Figure]:
    wanted = [
        (name, rng.choice(list(COLOURS)), rng.choice(product_type(name).patterns))
        for name in NEVER_DRAWN
        for _ in range(40)
    ]
    drawn = _draw(model, wanted, rng)
    names = [t.name for t in product_types()]
    truth = np.array([names.index(name) for name, _, _ in drawn.shown])
    found = ranks(drawn.vectors, model.labels(names), truth)
    each = [
        Figure(what=name, ranks=found[truth == names.index(name)], top=5) for name in NEVER_DRAWN
    ]
    everything = f"all {len(NEVER_DRAWN)} types, among all {len(names)} names"
    return [
        Figure(what=everything, ranks=found, top=5),
        Figure(what=everything, ranks=found, top=1),
        *each,
    ]


def _photos(model: ZeroShot, folder: Path) -> Figure:
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
    files = [
        (i, path) for i, name in enumerate(classes) for path in sorted((folder / name).iterdir())
    ]
    pictures = [Image.open(path).convert("RGB") for _, path in files]
    labels = model.labels([CLOTHING_LABELS.get(name, name) for name in classes])
    found = ranks(model.pictures(pictures), labels, np.array([i for i, _ in files]))
    return Figure(what=f"clothing-dataset-small, {len(classes)} classes", ranks=found, top=1)


def _speed(model: ZeroShot) -> Figure:
    pictures = [Image.new("RGB", (PICTURE_SIZE, PICTURE_SIZE), "grey")] * 512
    model.pictures(pictures[:64])
    start = time.perf_counter()
    model.pictures(pictures)
    rate = len(pictures) / (time.perf_counter() - start)
    return Figure(what="pictures embedded in a second, resizing included", rate=rate, wanted=200)


def main() -> None:
    """Reads the command line, measures, and writes the card after a test."""
    parser = argparse.ArgumentParser(prog="python -m pocket.evaluate", description=__doc__)
    parser.add_argument("--folder", type=Path, default=MODEL_FOLDER)
    parser.add_argument("--part", choices=("validation", "test"), default="test")
    parser.add_argument("--per-combination", type=int, default=5)
    parser.add_argument("--photos", type=Path, help="real photos, one folder a class")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(arguments.threads)
    sections = evaluate(
        arguments.folder,
        part=arguments.part,
        per_combination=arguments.per_combination,
        photos=arguments.photos,
    )
    log_figures(sections)
    if arguments.part == "test":
        write_card(arguments.folder, sections)


if __name__ == "__main__":
    main()
