"""What was measured, as rows of a table."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement: either ranks of the true label, or a rate.

    Attributes:
        what: what was measured.
        ranks: int64 (n,), 0 where the true label is the nearest.
        top: the share of ranks below this is the figure.
        rate: per second, where it is a speed.
        wanted: the least that is asked for, where something is.
    """

    what: str
    ranks: np.ndarray | None = None
    top: int = 1
    rate: float | None = None
    wanted: float | None = None

    @property
    def share(self) -> float:
        """The share of pictures whose label is among the nearest `top`."""
        return float((self.ranks < self.top).mean()) if self.ranks is not None else float("nan")

    @property
    def value(self) -> str:
        """The figure with its unit and its count."""
        if self.ranks is None:
            return f"{self.rate:.0f} per second"
        return f"top-{self.top} {self.share:.3f} (n = {len(self.ranks)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Figures that belong together."""

    title: str
    figures: list[Figure]


def table_of(sections: list[Section]) -> str:
    """The figures of a model's card, in Markdown."""
    rows = ["| held out | what | measured | goal |", "|---|---|---|---|"]
    for section in sections:
        for figure in section.figures:
            goal = f"{figure.wanted:g}" if figure.wanted is not None else ""
            rows.append(f"| {section.title} | {figure.what} | {figure.value} | {goal} |")
    return "\n".join(rows) + "\n"
