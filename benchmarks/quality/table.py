"""The one table: what was measured, what it should be, and how it was split and tuned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.quality.settings import HONESTY, Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure.

    Attributes:
        what: the set and the measure.
        plain: the same by plain cosines, or by the other baseline that ``how`` names.
        reached: by the package's defaults.
        goal: None where none was set.
        low: end of the interval that ``how`` tells; None where there is none.
        high: the other end.
        how: split, draws, interval, and what the settings were chosen on.
        lower_is_better: errors.
        more: further figures, for the JSON file.
    """

    what: str
    plain: float | None
    reached: float
    goal: float | None
    low: float | None = None
    high: float | None = None
    how: str
    lower_is_better: bool = False
    more: dict[str, Any] | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return self.reached <= self.goal if self.lower_is_better else self.reached >= self.goal

    @property
    def cells(self) -> list[str]:
        """As text, in the order of ``HEADINGS``, but for ``how``."""
        mark = {True: "reached", False: "short", None: ""}[self.met]
        interval = (
            "" if self.low is None or self.high is None else f"{self.low:.3f}-{self.high:.3f}"
        )
        return [
            self.what,
            "" if self.plain is None else f"{self.plain:.4f}",
            f"{self.reached:.4f}",
            interval,
            "" if self.goal is None else f"{self.goal:.4g}",
            mark,
        ]

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self) | {"met": self.met}


HEADINGS = ("what", "plain", "reached", "interval", "goal", "", "note")


class Drawn(TypedDict):
    """Three fields of a row."""

    reached: float
    low: float
    high: float


def of_draws(values: Sequence[float]) -> Drawn:
    """Mean, and the lowest and highest of some draws, as a row's fields."""
    return {"reached": float(np.mean(values)), "low": min(values), "high": max(values)}


def notes_of(rows: Sequence[Row]) -> dict[str, int]:
    """Each note once, with its number."""
    return {how: number for number, how in enumerate(dict.fromkeys(row.how for row in rows), 1)}


def show(rows: Sequence[Row], settings: Sequence[Setting]) -> None:
    """Print the table, its notes, and how settings were chosen."""
    console, notes = Console(width=150, highlight=False), notes_of(rows)
    table = Table(title="Quality on real sets", title_justify="left")
    for name in HEADINGS:
        table.add_column(name, justify="left" if name in ("what", "") else "right")
    for row in rows:
        table.add_row(*row.cells, str(notes[row.how]))
    console.print(table)
    for how, number in notes.items():
        console.print(f"{number}. {how}")
    for setting in settings:
        console.print(f"{setting.name} = {setting.value}: {setting.chosen}.")
    console.print(HONESTY)
