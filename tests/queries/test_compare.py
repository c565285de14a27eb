"""Two evaluations against each other: pairs, intervals, and files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from indexer.core.errors import UsageError
from queries.evaluation.compare import compare, load
from queries.evaluation.outcomes import FORMAT


def write(path: Path, right: dict[str, bool], **facts: Any) -> Path:
    """An evaluation of items that are right or called something else."""
    given = {
        "format": FORMAT,
        "catalog": "shop",
        "model": "m",
        "truth": "truth",
        "labels": 3,
        "label_version": "v",
        "labels_given": 1,
    }
    outcomes = {
        "item_ids": [*right],
        "truths": ["a" if row % 2 else "b" for row in range(len(right))],
        "predicted": ["c"] * len(right),
        "scores": [0.5] * len(right),
        "unknown_scores": [0.5] * len(right),
        "ranks": [int(one) for one in right.values()],
        "shared": [int(one) for one in right.values()],
        "predicted_sizes": [1] * len(right),
        "true_sizes": [1] * len(right),
    }
    path.write_text(json.dumps(given | facts | {"outcomes": outcomes}))
    return path


def items(count: int, right: int) -> dict[str, bool]:
    """Items of which the first are right."""
    return {f"i{row}": row < right for row in range(count)}


def difference(found: Any, measure: str) -> Any:
    """One figure of a comparison."""
    return next(one for one in found.differences if one.measure == measure)


def test_a_clear_gain_is_sure(tmp_path: Path) -> None:
    """Of 40 items 10 were right and 30 are: 0.5 more, and the interval says so."""
    first = load(write(tmp_path / "a.json", items(40, 10)))
    second = load(write(tmp_path / "b.json", items(40, 30)))
    one = difference(compare(first, second, resamples=300), "acc1")
    assert (one.first, one.second, one.difference) == (0.25, 0.75, 0.5)
    assert 0.3 < one.low < 0.5 < one.high < 0.7
    assert one.sure


def test_a_small_change_is_not_sure(tmp_path: Path) -> None:
    """One item of 40 may be chance."""
    first = load(write(tmp_path / "a.json", items(40, 20)))
    second = load(write(tmp_path / "b.json", items(40, 21)))
    assert not difference(compare(first, second, resamples=300), "acc1").sure


def test_only_common_items_are_compared(tmp_path: Path) -> None:
    """Items of one file alone are counted and left out, whatever their order."""
    left = {"x": True, "a": True, "b": False}
    right = {"b": False, "a": True, "y": False, "z": False}
    found = compare(
        load(write(tmp_path / "a.json", left)),
        load(write(tmp_path / "b.json", right)),
        resamples=10,
    )
    assert (found.items, found.only_first, found.only_second) == (2, 1, 2)
    assert difference(found, "acc1").difference == 0.0


def test_figures_that_one_lacks_are_left_out(tmp_path: Path) -> None:
    """Without five labels each there is no acc5, and without unknowns no AUROC."""
    saved = load(write(tmp_path / "a.json", items(4, 2)))
    names = [one.measure for one in compare(saved, saved, resamples=10).differences]
    assert "acc1" in names
    assert not {"acc5", "auroc_unknown"}.intersection(names)


def test_what_else_differs_is_said(tmp_path: Path) -> None:
    """Another model or label set may be the cause, and other truths are no comparison."""
    first = load(write(tmp_path / "a.json", {"a": True, "b": True}))
    second = load(write(tmp_path / "b.json", {"b": True, "a": True}, model="n", labels=9))
    notes = compare(first, second, resamples=10).notes
    assert "other models: m and n" in notes
    assert "other numbers of labels: 3 and 9" in notes
    assert "2 of the items have another truth in the second" in notes


def test_nothing_in_common(tmp_path: Path) -> None:
    """Evaluations of other items can't be paired."""
    first = load(write(tmp_path / "a.json", {"a": True}))
    second = load(write(tmp_path / "b.json", {"b": True}))
    with pytest.raises(UsageError, match="have no item in common"):
        compare(first, second)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file"),
        ("{", "is not JSON"),
        ("[]", "is none"),
        ("{}", "is none"),
        ('{"format": "zeroshelf-evaluation/9"}', r"has the format 'zeroshelf-evaluation/9', and"),
        (json.dumps({"format": FORMAT}), "is damaged"),
        (json.dumps({"format": FORMAT, "outcomes": {"item_ids": 3}}), "is damaged"),
    ],
)
def test_files_that_are_no_evaluation(tmp_path: Path, content: str | None, told: str) -> None:
    """The message names the file and how to write one."""
    path = tmp_path / "a.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError, match=rf"a\.json'.*{told}.*zeroshelf evaluate TABLE"):
        load(path)
