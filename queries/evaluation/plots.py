"""The plots of the evaluation as SVG for a page; the only home of matplotlib.

Colours are the page's own variables (``var(--ink)``), so one picture serves light and
dark, and texts stay texts in the page's font.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.core.errors import UsageError
from indexer.core.records import DoubleArray, IndexArray
from queries.evaluation.breakdowns import Class, Group
from queries.evaluation.metrics import Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that stand for the page's variables until the picture is written.
_INK, _DIM, _LINE, _CARD = "#010101", "#020202", "#030303", "#040404"
_ACCENT, _BAD = "#050505", "#060606"
_VARIABLES = {
    _INK: "var(--ink)",
    _DIM: "var(--dim)",
    _LINE: "var(--line)",
    _CARD: "var(--card)",
    _ACCENT: "var(--accent)",
    _BAD: "var(--bad)",
}
# Inches: matplotlib's unit.
_WIDTH = 4.8
_ROW = 0.265
_MOST_LETTERS = 1000
_LONGEST_NAME = 26
_LETTER = 0.09
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

# Any: matplotlib types its keys as a literal of every setting of one version.
_STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 11.5,
    "text.color": _INK,
    "axes.labelcolor": _DIM,
    "axes.edgecolor": _LINE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _LINE,
    "grid.linewidth": 0.7,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.labelcolor": _DIM,
    "ytick.labelcolor": _DIM,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def require() -> None:
    """Check that matplotlib is there, before anything is computed.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise UsageError(
            "an HTML report needs matplotlib, which is not installed. Run: pip install "
            "'zeroshelf[plots]', or leave out --html."
        ) from error


def reliability_diagram(by_score: Reliability) -> str:
    """Accuracy by score, and how many items have such a score.

    The diagram of Guo et al. 2017, arXiv:1706.04599, figure 1.
    """
    bins = len(by_score.counts)
    centres = (np.arange(bins) + 0.5) / bins
    with _figure(4.3) as (figure, svg):
        upper, lower = figure.subplots(2, sharex=True, height_ratios=[3.4, 1])
        upper.bar(centres, by_score.accuracy, 0.92 / bins, color=_ACCENT, label="right")
        gaps = np.maximum(by_score.confidence - by_score.accuracy, 0)
        over = {"bottom": by_score.accuracy, "color": _BAD, "alpha": 0.3, "label": "missing"}
        upper.bar(centres, gaps, 0.92 / bins, **over)
        upper.plot([0, 1], [0, 1], color=_DIM, linewidth=1, linestyle=(0, (4, 3)))
        upper.set(ylim=(0, 1), ylabel="are right")
        figure.legend(loc="outside upper left", fontsize=10.5, labelcolor=_DIM, ncols=2)
        lower.bar(centres, by_score.counts, 0.92 / bins, color=_DIM, alpha=0.6)
        lower.set(xlim=(0, 1), xlabel="score of the label", ylabel="items")
        lower.yaxis.set_major_locator(_few_whole_numbers())
        _percent(upper, "y")
        _percent(lower, "x")
        return svg("Reliability diagram: share of right labels by score")


def coverage_curve(coverage: Sequence[float], precision: Sequence[float]) -> str:
    """Accuracy on the surest share of the items, for every share."""
    floor = max(0.0, np.floor(min(precision) * 10 - 0.5) / 10)
    with _figure(4.3) as (figure, svg):
        axes = figure.subplots()
        axes.fill_between(coverage, floor, precision, color=_ACCENT, alpha=0.13, linewidth=0)
        axes.plot(coverage, precision, color=_ACCENT, linewidth=2.2)
        for share in (0.5, 0.8, 1.0):
            right = float(np.interp(share, coverage, precision))
            axes.plot([share], [right], "o", color=_ACCENT, markersize=5, clip_on=False)
            axes.annotate(
                f"{right:.1%}",
                (share, right),
                (2, -17),
                textcoords="offset points",
                ha="right",
                color=_INK,
            )
        axes.set(xlim=(0, 1), ylim=(floor, 1.02), xlabel="surest share of the items that is kept")
        axes.set_ylabel("are right")
        _percent(axes, "x")
        _percent(axes, "y")
        return svg("Coverage against precision: share of right labels among the surest items")


def class_bars(classes: Sequence[Class]) -> str:
    """Recall of classes as bars, in the order given, and their precision as marks."""
    names = [f"{_short(label_class.label)} ({label_class.items:,})" for label_class in classes]
    with _figure(0.9 + _ROW * len(classes)) as (figure, svg):
        axes = figure.subplots()
        places = np.arange(len(classes))
        recalls = [label_class.recall for label_class in classes]
        axes.barh(places, recalls, 0.66, color=_ACCENT, label="recall: found")
        precisions = [label_class.precision for label_class in classes]
        axes.plot(
            precisions,
            places,
            "|",
            color=_INK,
            markersize=10,
            markeredgewidth=2.2,
            label="precision: right where given",
            clip_on=False,
        )
        _rows(axes, names)
        axes.set_xlim(0, 1)
        _percent(axes, "x")
        figure.legend(loc="outside upper left", fontsize=10.5, labelcolor=_DIM, ncols=2)
        return svg("Recall and precision of classes")


def group_intervals(groups: Sequence[Group], overall: float) -> str:
    """Accuracy of groups with their intervals, beside that of all items."""
    names = [f"{_short(group.name)} ({group.items:,})" for group in groups]
    with _figure(0.75 + _ROW * 1.1 * len(groups)) as (figure, svg):
        axes = figure.subplots()
        places = np.arange(len(groups))
        axes.axvline(overall, color=_DIM, linewidth=1, linestyle=(0, (4, 3)))
        for place, group in zip(places, groups, strict=True):
            apart = group.high < overall or group.low > overall
            colour = _BAD if apart and group.high < overall else _ACCENT
            axes.plot(
                [group.low, group.high], [place, place], color=colour, linewidth=5, alpha=0.35
            )
            axes.plot([group.acc1], [place], "o", color=colour, markersize=6.5)
        _rows(axes, names)
        axes.set_xlim(0, 1)
        _percent(axes, "x")
        return svg("Accuracy by group, with 95% intervals")


def confusion_matrix(counts: IndexArray, truths: Sequence[str], predicted: Sequence[str]) -> str:
    """The confusion matrix, shaded by the share of the items of a class.

    Args:
        counts: int64 (t, p).
        truths: names of the rows.
        predicted: names of the columns; the name of the row is the right one.
    """
    shares: DoubleArray = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    rows = [_short(name, 22) for name in truths]
    columns = [_short(name, 18) for name in predicted]
    aslant = 0.7 * _LETTER * max(map(_width, columns))
    height = 0.8 + aslant + 0.36 * len(rows)
    width = 0.8 + aslant + _LETTER * max(map(_width, rows)) + 0.44 * len(columns)
    with _figure(height, width=width) as (figure, svg):
        axes = figure.subplots()
        for (row, column), count in np.ndenumerate(counts):
            if count:
                right = truths[row] == predicted[column]
                share = shares[row, column]
                _cell(axes, column, row, int(count), _ACCENT if right else _BAD, float(share))
        axes.set(xlim=(-0.5, len(predicted) - 0.5), ylim=(len(truths) - 0.5, -0.5))
        axes.set_xticks(range(len(columns)), columns)
        axes.tick_params(axis="x", labelrotation=45, bottom=False, top=False, labeltop=True)
        axes.tick_params(axis="x", labelbottom=False)
        for text in axes.get_xticklabels():
            text.set(ha="left", rotation_mode="anchor")
        _rows(axes, rows, upside_down=False)
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
        return svg("Confusion matrix: what is called what")


def _cell(axes: Axes, column: int, row: int, count: int, colour: str, share: float) -> None:
    from matplotlib.patches import FancyBboxPatch

    shape = FancyBboxPatch(
        (column - 0.44, row - 0.42),
        0.88,
        0.84,
        boxstyle="round,pad=0,rounding_size=0.12",
        facecolor=colour,
        alpha=0.14 + 0.5 * share,
        linewidth=0,
    )
    axes.add_patch(shape)
    axes.text(column, row, f"{count:,}", ha="center", va="center_baseline", fontsize=10.5)


def _rows(axes: Axes, names: Sequence[str], *, upside_down: bool = True) -> None:
    """A name for each row, the first one on top."""
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0, labelcolor=_INK)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    if upside_down:
        axes.set_ylim(len(names) - 0.4, -0.6)


def _percent(axes: Axes, axis: str) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    scale = axes.xaxis if axis == "x" else axes.yaxis
    scale.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    scale.set_major_formatter(PercentFormatter(1.0, decimals=0))


def _few_whole_numbers() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(2, integer=True)


def _short(name: str, longest: int = _LONGEST_NAME) -> str:
    """A name on one line that fits beside a plot; ``longest`` in letters of usual width."""
    flat = " ".join(name[:_MOST_LETTERS].split())
    if _width(flat) <= longest:
        return flat
    while _width(flat) >= longest:
        flat = flat[:-1]
    return f"{flat.rstrip()}{_ELLIPSIS}"


def _width(text: str) -> int:
    """Letters of usual width that a text takes: Chinese characters take two."""
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)


@contextmanager
def _figure(
    height: float, *, width: float = _WIDTH
) -> Iterator[tuple[Figure, Callable[[str], str]]]:
    """A figure in inches and what writes it; styled, without pyplot's global state."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # The browser draws the texts, in fonts that have the glyphs.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(width, height), facecolor="none")
        yield figure, lambda title: _svg(figure, title)


def _svg(figure: Figure, title: str) -> str:
    import matplotlib as mpl

    buffer = io.StringIO()
    # Ids of clip paths follow from the salt: several pictures share a page.
    with mpl.rc_context({"svg.hashsalt": title}):
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, variable)
    natural = f"--natural: {figure.get_figwidth() * 72:.0f}px"
    shown = f'role="img" aria-label="{escape(title)}" style="{natural}"'
    # Groups are called alike in every picture, and nothing refers to them.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    return re.sub(r'<svg [^>]*?(viewBox="[^"]*")[^>]*>', rf"<svg \1 {shown}>", text, count=1)
