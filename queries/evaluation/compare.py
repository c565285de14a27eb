"""Two evaluations side by side, on the items that both have, with bootstrap intervals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from indexer.core.errors import UsageError
from indexer.core.watch import Watch
from queries.evaluation import metrics
from queries.evaluation.outcomes import FORMAT, Measures, Outcomes, outcomes_of

# Bounds the time: fewer resamples where there are more items, whose figures vary less.
_ITEMS_DRAWN = 20_000_000


@dataclass(frozen=True, slots=True)
class Saved:
    """An evaluation read from a file.

    Attributes:
        path: the file.
        facts: everything in it but the outcomes.
    """

    path: Path
    facts: Mapping[str, Any]
    outcomes: Outcomes

    @property
    def measures(self) -> Measures:
        """Its figures, on any of its items."""
        return self.measures_of(self.outcomes)

    def measures_of(self, outcomes: Outcomes) -> Measures:
        """The figures of some of its items."""
        labels_given = int(self.facts["labels_given"])
        return Measures(
            outcomes, labels_given=labels_given, all_given=labels_given >= int(self.facts["labels"])
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One figure of two evaluations.

    Attributes:
        difference: second minus first.
        low: lower end of the 95% bootstrap interval of the difference.
        high: its upper end.
        sure: the interval does not hold 0.
    """

    measure: str
    first: float
    second: float
    difference: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether the interval leaves out 0: the difference is not chance."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two evaluations on the items that both have.

    Attributes:
        items: items compared.
        only_first: items that the second does not have, left out.
        only_second: items that the first does not have, left out.
        notes: what else differs between the two, in words.
    """

    items: int
    only_first: int
    only_second: int
    notes: tuple[str, ...]
    differences: tuple[Difference, ...]


def load(path: Path) -> Saved:
    """Read what ``zeroshelf evaluate --to`` wrote.

    Raises:
        UsageError: not there, not such a file, or another version's.
    """
    remedy = "Write it with: zeroshelf evaluate TABLE --truth COLUMN --to FILE.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"evaluation {str(path)!r}: {error.strerror}. {remedy}") from error
    except ValueError as error:
        raise UsageError(f"evaluation {str(path)!r} is not JSON: {error}. {remedy}") from error
    file_format = facts.get("format") if isinstance(facts, dict) else None
    if file_format != FORMAT:
        problem = (
            f"has the format {file_format!r}, and this version reads {FORMAT!r}"
            if file_format
            else "is none"
        )
        raise UsageError(f"evaluation {str(path)!r} {problem}. {remedy}")
    try:
        outcomes = outcomes_of(facts.pop("outcomes"))
        saved = Saved(path, facts, outcomes)
        saved.measures.all()
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"evaluation {str(path)!r} is damaged ({error}). {remedy}") from error
    return saved


def compare(
    first_run: Saved,
    second_run: Saved,
    *,
    resamples: int | None = None,
    watch: Watch = Watch(),
) -> Comparison:
    """The differences of two evaluations, item by item.

    Args:
        resamples: draws of the bootstrap; None is 1,000, and fewer for very many items, whose
            intervals are narrow anyway.
        watch: follows the figures done.

    Raises:
        UsageError: no item is in both, or the two have other truths for one.
    """
    places = {item_id: row for row, item_id in enumerate(second_run.outcomes.item_ids)}
    shared_rows = [
        row for row, item_id in enumerate(first_run.outcomes.item_ids) if item_id in places
    ]
    if not shared_rows:
        raise UsageError(
            f"{str(first_run.path)!r} and {str(second_run.path)!r} have no item in common: compare "
            "evaluations of the same items."
        )
    left = first_run.outcomes.take(np.array(shared_rows))
    right = second_run.outcomes.take(np.array([places[item_id] for item_id in left.item_ids]))
    differences = _differences(
        (first_run.measures_of(left), second_run.measures_of(right)),
        items=len(shared_rows),
        resamples=resamples or _resamples(len(shared_rows)),
        watch=watch,
    )
    return Comparison(
        items=len(shared_rows),
        only_first=len(first_run.outcomes) - len(shared_rows),
        only_second=len(second_run.outcomes) - len(shared_rows),
        notes=_notes(first_run, second_run, left, right),
        differences=tuple(differences),
    )


def _differences(
    measures: tuple[Measures, Measures],
    *,
    items: int,
    resamples: int,
    watch: Watch,
) -> list[Difference]:
    """Each figure that both runs have, with the interval of its difference."""
    first_figures, second_figures = (side.all() for side in measures)
    names = [
        name for name in first_figures if not np.isnan(first_figures[name] + second_figures[name])
    ]
    differences = []
    watch.begin("Resampling", len(names))
    for name in names:
        interval = metrics.bootstrap_difference(
            *(partial(side.figure, name) for side in measures),
            items=items,
            resamples=resamples,
        )
        differences.append(
            Difference(
                measure=name,
                first=first_figures[name],
                second=second_figures[name],
                difference=interval.difference,
                low=interval.low,
                high=interval.high,
            )
        )
    return differences


def _resamples(items: int) -> int:
    return int(np.clip(_ITEMS_DRAWN // items, 200, 1000))


def _notes(first_run: Saved, second_run: Saved, left: Outcomes, right: Outcomes) -> tuple[str, ...]:
    """What else differs, so that it is not taken for the effect of one change."""
    notes = []
    changed = int((left.truths != right.truths).sum())
    if changed:
        notes.append(f"{changed:,} of the items have another truth in the second")
    words = {
        "catalog": "catalogs",
        "model": "models",
        "truth": "truth columns",
        "labels": "numbers of labels",
        "label_version": "label sets",
        "level": "levels",
    }
    for name, plural in words.items():
        pair = first_run.facts.get(name), second_run.facts.get(name)
        if pair[0] != pair[1]:
            notes.append(f"other {plural}: {pair[0]} and {pair[1]}")
    return tuple(notes)
