"""What was measured, as rows of a table."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_log = logging.getLogger(__name__)
_WORST = 12


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


def write_card(
    folder: Path, sections: list[Section], head: str, tail: str, values: Mapping[str, object]
) -> None:
    """Writes `MODEL_CARD.md` into a model's folder: the figures between two texts.

    Args:
        head: as a format of `values`, and of the model's million `parameters` and its `size` in MB.
        tail: as a format of `values`.
    """
    weights = (folder / "model.safetensors").stat().st_size
    size = sum(path.stat().st_size for path in folder.iterdir() if path.suffix != ".md")
    filled = head.format(parameters=weights / 2e6, size=size / 1e6, **values)
    card = "\n".join([filled, _table_of(sections), tail.format(**values)])
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")


def _table_of(sections: list[Section]) -> str:
    """The figures of a model's card, in Markdown."""
    rows = ["| held out | what | measured | goal |", "|---|---|---|---|"]
    for section in sections:
        for figure in section.figures:
            goal = f"{figure.wanted:g}" if figure.wanted is not None else ""
            rows.append(f"| {section.title} | {figure.what} | {figure.value} | {goal} |")
    return "\n".join(rows) + "\n"


def log_worst(labels: Sequence[str], truth: np.ndarray, ranks: np.ndarray) -> None:
    """Say which labels are least often the nearest.

    Args:
        truth: int64 (n,), the true label of each picture or sound.
        ranks: int64 (n,), of that label.
    """
    shares = sorted(
        (float((ranks[truth == i] == 0).mean()), labels[i]) for i in set(truth.tolist())
    )
    worst = ", ".join(f"{label} {share:.2f}" for share, label in shares[:_WORST])
    _log.info("least often right: %s", worst)


def log_figures(sections: list[Section]) -> None:
    """Say all figures."""
    for section in sections:
        for figure in section.figures:
            _log.info("%s | %s | %s", section.title, figure.what, figure.value)


def listed(wordings: Mapping[str, str]) -> str:
    """Held-out wordings of names, as a card has them."""
    return "; ".join(f"{name}: *{wording}*" for name, wording in wordings.items())
