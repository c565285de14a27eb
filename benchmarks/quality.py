"""How often labels are right: plain, centred and adapted, on real sets, skewed ones too.

    python -m benchmarks.quality [--shared ../shared] [--json quality.json] [--draws 25]

One table and one JSON file. No setting is tuned here: they are the package's defaults,
and how each was chosen is printed below the table.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.sets import LabelledSet, Rows, all_sets
from indexer.labels import adaptation
from indexer.labels.adaptation import fit
from indexer.labels.head import Head, adapted, plain
from indexer.records import FloatArray
from indexer.vectors import normalise
from queries.decide import rank
from queries.evaluation.metrics import bootstrap_difference, selective_accuracy

SUREST = 0.8
TARGETS = {
    "fashion, 1,203 labels": (0.60, None),
    "fashion, 32 labels": (0.89, 0.96),
    "clinc150": (0.7003, None),
}
"""Top-1 and accuracy on the surest 80% that issue 4 asks for."""

CHOICES: Mapping[str, tuple[object, str]] = {
    "OFFSET_ROUNDS": (adaptation.OFFSET_ROUNDS, "converged: 20 rounds give the same"),
    "OFFSET_TEMPERATURE": (
        adaptation.OFFSET_TEMPERATURE,
        "the first value tried and kept; .2 and .5 give .7645 and .7214 on fashion, 1,203 labels",
    ),
    "effective labels - 2": (2, "theory (James-Stein), and so that two classes are never centred"),
    "TEMPERATURE": (adaptation.TEMPERATURE, "round value of a flat range, on the other sets"),
    "LONGEST_STEP": (adaptation.LONGEST_STEP, "grid .2 to .5 on the other sets, with the stress"),
    "PRIOR": (adaptation.PRIOR, "grid .5, 1 on the other sets, with the stress"),
    "PSEUDO_COUNT": (adaptation.PSEUDO_COUNT, "grid 5, 20 on the other sets"),
    "GATE": (adaptation.GATE, "grid 2, 4, 8 on the other sets"),
}
HONESTY = (
    "'The other sets' are clinc150, banking77, cifar10, clothing, grocery, photos, and fashion's "
    "pictures by another encoder. The forms (offset without content, trust, gate, distance to the "
    "pictures) were found while fashion's figures were in sight, and 'effective labels - 2' was "
    "settled by a stress that included fashion of one class: fashion's figures are not untouched."
)

Draw = Callable[[LabelledSet, np.random.Generator], Rows]


def heads(items: FloatArray, one: LabelledSet) -> dict[str, Head]:
    """Three heads for the same labels, the last two fitted on the items alone.

    Centred: both sides without their means, at length 1 (what distribution normalisation,
    Zhou et al. 2023, arXiv:2302.11084, becomes with whole means).
    """
    labels = one.labels
    mean = items.mean(axis=0)
    centred = normalise(labels.vectors - labels.vectors.mean(axis=0))
    zeros = np.zeros((len(labels), 1), dtype=np.float32)
    return {
        "plain": plain(labels, one.logit_scale),
        "centred": Head(
            labels=labels,
            matrix=np.hstack([centred, zeros]),
            scale=one.logit_scale,
            version="centred",
            side=lambda vectors: normalise(vectors - mean),
        ),
        "adapted": adapted(labels, fit(lambda: _blocks(items), labels.vectors)),
    }


def measure(
    one: LabelledSet, fitted_on: Rows | None = None, tested_on: Rows | None = None
) -> dict[str, Any]:
    """Top-1 and accuracy on the surest 80% of a set, by each head.

    Args:
        fitted_on: rows of the items that statistics come from; None is all.
        tested_on: rows that are measured, as far as they have a truth; None is all.
    """
    rows = one.known if tested_on is None else np.intersect1d(one.known, tested_on)
    started = time.monotonic()
    found = heads(one.items if fitted_on is None else one.items[fitted_on], one)
    row: dict[str, Any] = {
        "set": one.name,
        "model": one.model,
        "items": len(rows),
        "labels": len(one.labels),
        "fit_s": round(time.monotonic() - started, 3),
    }
    right: dict[str, Any] = {}
    for name, head in found.items():
        ranking = rank(one.items[rows], head, limit=1)
        right[name] = ranking.labels[:, 0] == one.truth[rows]
        row[name] = float(right[name].mean())
        surest = selective_accuracy(ranking.scores[:, 0], right[name], [SUREST])
        row[f"{name}_surest"] = float(surest[0])
    gain = bootstrap_difference(
        lambda drawn: float(right["plain"][drawn].mean()),
        lambda drawn: float(right["adapted"][drawn].mean()),
        items=len(rows),
    )
    top1, surest_target = TARGETS.get(one.name, (row["plain"], None))
    return row | {
        "gain_low": gain.low,
        "gain_high": gain.high,
        "to_reach": top1,
        "to_reach_surest": surest_target,
    }


def halves(one: LabelledSet) -> dict[str, Any]:
    """Statistics of one half, figures of the other: not a property of the items fitted on."""
    order = np.random.default_rng(0).permutation(len(one.items))
    middle = len(order) // 2
    row = measure(one, fitted_on=order[:middle], tested_on=order[middle:])
    return row | {"set": f"{one.name}, fitted on the other half"}


def few(count: int) -> Draw:
    """Some items, at random."""
    return lambda one, random: random.choice(one.known, count, replace=False)


def classes(count: int) -> Draw:
    """All items of some classes."""

    def draw(one: LabelledSet, random: np.random.Generator) -> Rows:
        chosen = random.choice(np.unique(one.truth[one.known]), count, replace=False)
        return np.flatnonzero(np.isin(one.truth, chosen))

    return draw


def mostly_one(one: LabelledSet, random: np.random.Generator) -> Rows:
    """Nine of ten items are of one class."""
    chosen = random.choice(np.unique(one.truth[one.known]))
    main = np.flatnonzero(one.truth == chosen)
    rest = one.known[one.truth[one.known] != chosen]
    return np.concatenate(
        [main, random.choice(rest, min(max(1, len(main) // 9), len(rest)), replace=False)]
    )


def power_law(one: LabelledSet, random: np.random.Generator) -> Rows:
    """The k-th class keeps a share k**-1.2 of its items."""
    parts = []
    for place, chosen in enumerate(random.permutation(np.unique(one.truth[one.known]))):
        rows = np.flatnonzero(one.truth == chosen)
        kept = max(1, round(len(rows) * (place + 1) ** -1.2))
        parts.append(random.choice(rows, kept, replace=False))
    return np.concatenate(parts)


STRESS: Mapping[str, Draw] = {
    "16 items": few(16),
    "50 items": few(50),
    "1 class": classes(1),
    "2 classes": classes(2),
    "3 classes": classes(3),
    "5 classes": classes(5),
    "90% one class": mostly_one,
    "power law": power_law,
}


def stress(one: LabelledSet, draws: int) -> Iterator[dict[str, Any]]:
    """Means of top-1 over draws of small and skewed catalogs out of a set."""
    for kind, draw in STRESS.items():
        figures = []
        for seed in range(draws):
            rows = draw(one, np.random.default_rng(900 + seed))
            found = heads(one.items[rows], one)
            figures.append([_top1(one, rows, head) for head in (found[name] for name in found)])
        block = np.array(figures)
        gains = block[:, 2] - block[:, 0]
        means = dict(zip(found, map(float, block.mean(axis=0)), strict=True))
        yield {
            "set": one.name,
            "draw": kind,
            **means,
            "gain": float(gains.mean()),
            "standard_error": float(gains.std() / np.sqrt(draws)),
            "worst_draw": float(gains.min()),
        }


def show(rows: Sequence[dict[str, Any]], stressed: Sequence[dict[str, Any]]) -> None:
    """Print figures, the stress, and how settings were chosen."""
    console = Console(width=180, highlight=False)
    table = Table(title="Top-1 (and on the surest 80%), no labelled item", title_justify="left")
    for name in ("set", "items", "plain", "centred", "adapted", "gain, 95%", "to reach"):
        table.add_column(name, justify="left" if name == "set" else "right")
    for row in rows:
        targets = [row["to_reach"], row["to_reach_surest"]]
        table.add_row(
            row["set"],
            f"{row['items']:,}",
            *(f"{row[name]:.4f} ({row[name + '_surest']:.3f})" for name in _NAMES),
            f"{row['gain_low']:+.3f} to {row['gain_high']:+.3f}",
            " / ".join(f"{one:.4f}" for one in targets if one is not None),
        )
    console.print(table)
    table = Table(title="Skewed and small: plain / centred / adapted", title_justify="left")
    table.add_column("set")
    for kind in STRESS:
        table.add_column(kind, justify="right")
    for name in dict.fromkeys(row["set"] for row in stressed):
        cells = {row["draw"]: row for row in stressed if row["set"] == name}
        table.add_row(
            name,
            *("/".join(f"{cells[kind][head]:.3f}"[1:] for head in _NAMES) for kind in STRESS),
        )
    console.print(table)
    worst = min(stressed, key=lambda row: row["gain"], default=None)
    if worst is not None:
        console.print(f"Worst mean gain: {worst['gain']:+.4f}, {worst['set']}, {worst['draw']}.")
    for name, (value, reason) in CHOICES.items():
        console.print(f"{name} = {value}: {reason}.")
    console.print(HONESTY)


_NAMES = ("plain", "centred", "adapted")


def _top1(one: LabelledSet, rows: Rows, head: Head) -> float:
    return float((rank(one.items[rows], head, limit=1).labels[:, 0] == one.truth[rows]).mean())


def _blocks(items: FloatArray) -> Iterator[FloatArray]:
    for start in range(0, len(items), 256):
        yield items[start : start + 256]


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--json", type=Path, default=Path("quality.json"))
    parser.add_argument("--draws", type=int, default=25, help="of each stress; 0 leaves it out")
    chosen = parser.parse_args()
    rows: list[dict[str, Any]] = []
    stressed: list[dict[str, Any]] = []
    for one in all_sets(chosen.shared):
        rows.append(measure(one))
        if one.name.startswith("fashion"):
            rows.append(halves(one))
        if chosen.draws and not one.name.startswith("grocery"):  # one picture a class
            stressed.extend(stress(one, chosen.draws))
    settings = {name: {"value": value, "chosen": why} for name, (value, why) in CHOICES.items()}
    result = {"rows": rows, "stress": stressed, "settings": settings, "honesty": HONESTY}
    chosen.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    show(rows, stressed)


if __name__ == "__main__":
    main()
