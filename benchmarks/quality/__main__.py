"""Every figure of quality in one table.

    python -m benchmarks.quality [--shared ../shared] [--json build/quality.json]

No setting is tuned here: they are the package's defaults. How each was chosen stands
below the table.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from benchmarks.quality import (
    batches,
    examples,
    labels,
    multi_label,
    objects,
    people,
    prompt_controls,
    shots,
    sounds,
    stress,
    titles,
    trust,
    unknowns,
    week,
)
from benchmarks.quality.sets import LabelledSet, Sources, all_sets
from benchmarks.quality.settings import SETTINGS
from benchmarks.quality.table import Row, show

PARTS = (
    "labels",
    "stress",
    "unknowns",
    "examples",
    "trust",
    "multi_label",
    "titles",
    "prompts",
    "batches",
    "people",
    "week",
    "objects",
    "shots",
    "sounds",
)


_OF_EACH: Mapping[str, Callable[[LabelledSet], Iterator[Row]]] = {
    "stress": lambda labelled: iter([stress.worst(labelled)]),
    "batches": batches.rows,
    "people": people.rows,
    "week": week.rows,
}
"""Parts that are measured on each set by itself."""

_OF_NONE: Mapping[str, Callable[[Sources], Iterator[Row]]] = {
    "titles": titles.rows,
    "prompts": prompt_controls.rows,
    "objects": objects.rows,
    "shots": shots.rows,
    "sounds": sounds.rows,
}
"""Parts that need none of the sets."""


def measure(part: str, sources: Sources, sets: list[LabelledSet]) -> Iterator[Row]:
    """The rows of one part.

    Args:
        part: one of ``PARTS``.
        sets: all of them; the first two are fashion over 1,203 and over 32 labels. May be empty for
            parts that need none.
    """
    if part in _OF_NONE:
        yield from _OF_NONE[part](sources)
        return
    full, subset = sets[:2]
    # One picture a class can't be split or skewed.
    several = [labelled for labelled in sets if not labelled.name.startswith("grocery")]
    if part == "labels":
        for labelled in sets:
            yield from labels.measure(labelled)
    elif part in _OF_EACH:
        yield from itertools.chain.from_iterable(map(_OF_EACH[part], several))
    elif part == "trust":
        yield from trust.rows(sources, sets)
    elif part == "unknowns":
        yield from unknowns.removed_labels(full, subset)
        for labelled in (labelled for labelled in sets if labelled.name == "clinc150"):
            yield from unknowns.queries_out_of_scope(sources, labelled)
    elif part == "examples":
        yield from (examples.few_shot(subset, split) for split in examples.SPLITS)
        yield from (examples.few_shot(labelled, "half") for labelled in several[2:])
        yield from map(examples.some_labels, several)
        for labelled in several:
            scores = examples.scorer_of(labelled).scores(labelled.items)
            yield examples.calibration(labelled.name, scores, labelled)
    else:
        yield from map(multi_label.measure, multi_label.multi_label_sets(sources, full, subset))


def main() -> None:
    """Read the command line, measure and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--part", choices=PARTS, action="append", help="only these; all without")
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--json", type=Path, default=Path("build/quality.json"))
    options = parser.parse_args()
    sources = Sources(options.shared)
    sets: list[LabelledSet] = []
    if not _OF_NONE.keys() >= set(options.part or PARTS):
        sys.stderr.write("embedding the sets\n")
        sets = list(all_sets(sources))
    rows: list[Row] = []
    for part in options.part or PARTS:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} measuring {part}\n")
        rows += measure(part, sources, sets)
        _write(options.json, rows)  # after each part: all of them take hours on a busy machine
    show(rows, SETTINGS)


def _write(file: Path, rows: list[Row]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    report = {
        "rows": [row.as_json() for row in rows],
        "settings": [asdict(setting) for setting in SETTINGS],
    }
    file.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
