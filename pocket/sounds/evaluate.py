"""Measures `pocket_sounds` on what it never heard: `python -m pocket.sounds.evaluate`."""

import argparse
import logging
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from pocket.figures import Figure, Section, log_figures, log_worst
from pocket.sounds.captions import PACE_WORDS, PITCH_WORDS, SETTING_WORDS
from pocket.sounds.card import write_card
from pocket.sounds.catalogue import KINDS, PARENTS
from pocket.sounds.drawing import PACES, PITCHES, SETTINGS, draw, kind_of, mixed
from pocket.sounds.model import SECONDS
from pocket.sounds.recordings import draw_combination
from pocket.sounds.splits import (
    NEVER_DRAWN,
    TEST_PARENTS,
    TEST_WORDINGS,
    VALIDATION_PARENTS,
    VALIDATION_WORDINGS,
    Combination,
    combinations,
    drawn_kinds,
    pairs,
    training_wordings,
)
from pocket.sounds.train import MODEL_FOLDER
from pocket.sounds.zero_shot import SoundZeroShot
from pocket.zero_shot import ranks


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Drawn sounds' vectors, float32 (n, d), and what is heard."""

    vectors: np.ndarray
    heard: list[Combination]


def evaluate(folder: Path, *, part: str, per_combination: int) -> list[Section]:
    """All figures of one part: `validation` to tune on, `test` to report."""
    model = SoundZeroShot(folder)
    drawn = _draw(model, [c for c in combinations(part) for _ in range(per_combination)], part)
    return [
        Section(
            title="Unseen combinations of kind, pitch, pace and setting",
            figures=_kinds(model, drawn),
        ),
        Section(title="Unseen wordings", figures=_wordings(model, drawn, part)),
        Section(title="Pairs never heard together", figures=_pairs(model, part)),
        Section(title="Kinds never drawn in training", figures=_never_drawn(model, part)),
        Section(title="Speed", figures=[_speed(model)]),
    ]


def _draw(model: SoundZeroShot, wanted: Sequence[Combination], part: str) -> Drawn:
    sounds = [draw_combination(c, f"evaluate/{part}/{i}/{c}") for i, c in enumerate(wanted)]
    return Drawn(vectors=model.sounds(sounds), heard=list(wanted))


def _kinds(model: SoundZeroShot, drawn: Drawn) -> list[Figure]:
    names = [kind.name for kind in KINDS]
    truth = np.array([names.index(name) for name, *_ in drawn.heard])
    found = ranks(drawn.vectors, model.labels(names), truth)
    log_worst(names, truth, found)
    figures = [Figure(what=f"kind, among all {len(names)} names", ranks=found, top=1, wanted=0.85)]
    tables = ((1, PITCHES, PITCH_WORDS), (2, PACES, PACE_WORDS), (3, SETTINGS, SETTING_WORDS))
    for place, values, words in tables:
        said = [value for value in values if value in words]
        rows = [i for i, combination in enumerate(drawn.heard) if combination[place] in said]
        right = np.array([said.index(drawn.heard[i][place]) for i in rows])
        labels = model.labels([f"sound {words[value][0]}" for value in said])
        found = ranks(drawn.vectors[rows], labels, right)
        figures.append(Figure(what=f"{' or '.join(said)}, by a word for it", ranks=found, top=1))
    return figures


def _wordings(model: SoundZeroShot, drawn: Drawn, part: str) -> list[Figure]:
    wordings = TEST_WORDINGS if part == "test" else VALIDATION_WORDINGS
    categories = TEST_PARENTS if part == "test" else VALIDATION_PARENTS
    kinds = [kind.name for kind in drawn_kinds()]
    labels = [*(wordings[name] for name in kinds), *NEVER_DRAWN]
    truth = np.array([kinds.index(name) for name, *_ in drawn.heard])
    found = ranks(drawn.vectors, model.labels(labels), truth)
    log_worst(labels, truth, found)
    parents = list(PARENTS)
    groups = np.array([parents.index(kind_of(name).parent) for name, *_ in drawn.heard])
    group = ranks(drawn.vectors, model.labels([categories[p] for p in parents]), groups)
    log_worst(parents, groups, group)
    strange = np.array([_shares_no_word(name, wordings[name]) for name in kinds])
    return [
        Figure(
            what=f"kind, each of the {len(kinds)} drawn kinds by its unseen wording, all at once",
            ranks=found,
            top=1,
            wanted=0.85,
        ),
        Figure(
            what=f"of these, the {strange.sum()} wordings that share no word with a trained one",
            ranks=found[strange[truth]],
            top=1,
        ),
        Figure(
            what=f"category, each of {len(parents)} by its unseen name, all at once",
            ranks=group,
            top=1,
        ),
    ]


def _shares_no_word(name: str, wording: str) -> bool:
    small = {"a", "an", "the", "of", "at", "in", "on", "that", "with"}
    known = {w for text in training_wordings(kind_of(name)) for w in text.split()}
    return not (known & set(wording.split())) - small


def _pairs(model: SoundZeroShot, part: str) -> list[Figure]:
    rng = random.Random(f"pairs/{part}")  # noqa: S311 (sounds, no secrets)
    names = [kind.name for kind in KINDS]
    chosen = rng.choices(pairs(part), k=200)
    heard = [
        mixed(
            draw(first, seed=rng.randrange(2**31)), draw(second, seed=rng.randrange(2**31)), seed=i
        )
        for i, (first, second) in enumerate(chosen)
    ]
    vectors, labels = model.sounds(heard), model.labels(names)
    found = np.stack(
        [
            ranks(vectors, labels, np.array([names.index(pair[i]) for pair in chosen]))
            for i in (0, 1)
        ]
    )
    return [
        Figure(what="one of the two sounds is the nearest name", ranks=found.min(axis=0), top=1),
        Figure(what="both are among the nearest two", ranks=found.max(axis=0), top=2),
    ]


def _never_drawn(model: SoundZeroShot, part: str) -> list[Figure]:
    rng = random.Random(f"never/{part}")  # noqa: S311 (sounds, no secrets)
    wanted = [
        (name, rng.choice(list(PITCHES)), rng.choice(list(PACES)), rng.choice(SETTINGS))
        for name in NEVER_DRAWN
        for _ in range(30)
    ]
    drawn = _draw(model, wanted, part)
    names = [kind.name for kind in KINDS]
    truth = np.array([names.index(name) for name, *_ in drawn.heard])
    found = ranks(drawn.vectors, model.labels(names), truth)
    everything = f"all {len(NEVER_DRAWN)} kinds, among all {len(names)} names"
    each = [
        Figure(what=name, ranks=found[truth == names.index(name)], top=5) for name in NEVER_DRAWN
    ]
    return [
        Figure(what=everything, ranks=found, top=1),
        Figure(what=everything, ranks=found, top=5),
        *each,
    ]


def _speed(model: SoundZeroShot) -> Figure:
    sounds = [draw("rain", seconds=SECONDS, seed=i) for i in range(64)]
    model.sounds(sounds[:8])
    start = time.perf_counter()
    model.sounds(sounds)
    rate = len(sounds) * SECONDS / (time.perf_counter() - start)
    return Figure(what="seconds of sound embedded, spectrograms included", rate=rate)


def main() -> None:
    """Reads the command line, measures, and writes the card of the part `test`."""
    parser = argparse.ArgumentParser(prog="python -m pocket.sounds.evaluate", description=__doc__)
    parser.add_argument("--folder", type=Path, default=MODEL_FOLDER)
    parser.add_argument("--part", choices=["validation", "test"], default="test")
    parser.add_argument("--per-combination", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--minutes", type=int, help="how long the training took, for the card")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(arguments.threads)
    sections = evaluate(
        arguments.folder, part=arguments.part, per_combination=arguments.per_combination
    )
    log_figures(sections)
    if arguments.part == "test":
        write_card(arguments.folder, sections, minutes=arguments.minutes)


if __name__ == "__main__":
    main()
