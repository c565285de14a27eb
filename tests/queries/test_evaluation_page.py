"""The report: one file, every text escaped, readable in light and dark."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from indexer.core.errors import UsageError
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder
from queries.evaluation import breakdowns, metrics, plots
from queries.evaluation.breakdowns import Class, Group
from queries.evaluation.evaluate import Evaluation
from queries.evaluation.mistakes import Mistake
from queries.evaluation.outcomes import Measures, outcomes_of
from queries.pages.evaluation import evaluation_page
from queries.pages.parts import Pictures

HOSTILE = '<script>alert("$x_1$")</script> & \N{CJK UNIFIED IDEOGRAPH-978B}\n#010101'
VOID = {"meta", "img", "br", "hr", "link", "input"}


class Balance(HTMLParser):
    """Checks that what is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        """Remember it."""
        self.loaded += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        """Closed at once."""

    def handle_endtag(self, tag: str) -> None:
        """It must be the last one that was opened."""
        assert self.open.pop() == tag


def evaluation(*, right: int = 6, name: str = "mug") -> Evaluation:
    """Twelve items, cups and mugs in turn; the first ``right`` of them are right."""
    truths = ["m", "c"] * 6
    predicted = [
        one if row < right else "cm"["cm".index(one) - 1] for row, one in enumerate(truths)
    ]
    scores = np.linspace(0.95, 0.2, 12)
    outcomes = outcomes_of(
        {
            "item_ids": [f"i{row}" for row in range(12)],
            "truths": truths,
            "predicted": predicted,
            "scores": scores,
            "unknown_scores": 1 - scores,
            "ranks": [1 if row < right else 2 for row in range(12)],
            "shared": [int(row < right) for row in range(12)],
            "predicted_sizes": [1] * 12,
            "true_sizes": [1] * 12,
        }
    )
    recall = right / 12
    classes = [
        Class(label_id=one, label=name, items=6, predicted=6, recall=recall, precision=recall)
        for one in "mc"
    ]
    return Evaluation(
        catalog=name,
        label_set=name,
        model=name,
        label_version="v",
        truth=name,
        labels=2,
        level=None,
        labels_certain=True,
        items=12,
        unknowns=0,
        unlabelled=3,
        taught=0,
        calibrating=0,
        labels_given=2,
        names={"m": name, "c": "cup"},
        measures=Measures(outcomes, labels_given=2, all_given=True).all(),
        interval=metrics.wilson_interval(right, 12),
        coverage=breakdowns.coverage(outcomes),
        reliability=metrics.reliability(outcomes.scores, outcomes.correct),
        levels=[],
        classes=classes,
        confusions=breakdowns.confusions(outcomes),
        slices={name: breakdowns.groups([name, "x", ""] * 4, outcomes)},
        outcomes=outcomes,
    )


def page(found: Evaluation, *, title: str = "a title") -> str:
    """The report, with one mistake whose picture is not there."""
    mistake = Mistake(
        item_id="i7", title=title, source="/none.jpg", truth_id="c", predicted_id="m", score=0.5
    )
    shown = [mistake] if found.confusions else []
    with Fetcher() as fetcher:
        return evaluation_page(found, shown, Pictures(fetcher, Decoder()), command="zeroshelf x")


def test_the_page_is_well_formed_and_loads_nothing() -> None:
    """Every element is closed, and what is shown is in the file."""
    checked = Balance()
    checked.feed(page(evaluation()))
    checked.close()
    assert not checked.open
    assert all(one.startswith(("data:", "#")) for one in checked.loaded)


def test_hostile_names_are_escaped() -> None:
    """Names of labels, columns and items can't be markup, nor math for matplotlib."""
    found = page(evaluation(name=HOSTILE), title=HOSTILE)
    assert "<script" not in found
    assert "&lt;script&gt;" in found


def test_plots_take_the_colours_of_the_page() -> None:
    """No colour is fixed, so that light and dark both work."""
    pictures = "".join(re.findall(r"<svg.*?</svg>", page(evaluation()), re.DOTALL))
    assert "var(--accent)" in pictures
    assert not re.search(r"(fill|stroke): ?#(?!f{6})", pictures)


def test_ids_of_several_plots_do_not_collide_with_other_content() -> None:
    """An id that occurs twice is of the same shape."""
    shapes: dict[str, set[str]] = {}
    for name, shape in re.findall(r'<(?:path|clipPath) id="([^"]*)"(.*?)>', page(evaluation())):
        shapes.setdefault(name, set()).add(shape)
    assert shapes
    assert all(len(one) == 1 for one in shapes.values())


def test_figures_are_told() -> None:
    """Accuracy, what was left out, and which pair is confused."""
    found = page(evaluation())
    assert "50.0%" in found
    assert "3 without a truth, left out" in found
    assert "was called" in found


@pytest.mark.parametrize("right", [0, 12])
def test_all_right_or_all_wrong(right: int) -> None:
    """The ends have no empty plots and no warnings."""
    found = page(evaluation(right=right))
    assert ("There are none" in found) == (right == 12)


def test_groups_that_differ_by_more_than_chance_are_named() -> None:
    """An interval that leaves out the accuracy of all items is worth a word."""
    groups = [
        Group(name="men", items=100, acc1=0.2, low=0.1, high=0.3),
        Group(name="women", items=100, acc1=0.8, low=0.7, high=0.9),
    ]
    found = evaluation()
    changed = {name: getattr(found, name) for name in Evaluation.__slots__}
    text = page(Evaluation(**(changed | {"slices": {"gender": groups}})))
    assert "Worse than all items by more than chance: men. Better: women." in text


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra, and the message says how to get it."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    with pytest.raises(UsageError, match=r"pip install 'zeroshelf\[plots\]'"):
        plots.require()
