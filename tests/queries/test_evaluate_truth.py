"""Which label a truth means, and which text a value is."""

from __future__ import annotations

import math
from typing import Any

import pytest

from indexer.core.errors import UsageError
from indexer.core.records import Label
from queries.evaluation.result_table import text_of
from queries.evaluation.truth import TruthLabels


def label(label_id: str, name: str = "", parent: str = "") -> Label:
    """A label whose path is its parent's name and its own."""
    name = name or label_id
    return Label(
        label_id=label_id, name=name, path=(parent, name) if parent else (name,), parent_id=parent
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (math.nan, ""),
        ("  mug ", "mug"),
        (3.0, "3"),
        (1.1, "1.1"),
        (True, "true"),
        (7, "7"),
    ],
)
def test_values_as_people_write_them(value: Any, text: str) -> None:
    """Nothing is the empty text, whole numbers have no fraction."""
    assert text_of(value) == text


def test_an_id_comes_before_a_name() -> None:
    """A text that is one label's id and another's name means the id."""
    assert TruthLabels([label("a", "b"), label("b", "c")]).find("b") == ["b"]


def test_a_path_tells_names_apart() -> None:
    """Two labels of one name are ambiguous by name and clear by path."""
    labels = TruthLabels([label("1", "belt", "clothes"), label("2", "belt", "tools")])
    assert labels.find("belt") == ["1", "2"]
    assert labels.find("tools > belt") == ["2"]


@pytest.mark.parametrize(("value", "found"), [(1.1, "1.10"), ("1.1", "1.10"), (7, "007")])
def test_a_number_is_found_however_it_was_written(value: Any, found: str) -> None:
    """Reading a table makes 1.1 of 1.10, and 7 of 007."""
    assert TruthLabels([label("1.10"), label("007")]).find(value) == [found]


def test_a_number_that_two_labels_are_is_ambiguous() -> None:
    """The number 1.1 may have been 1.10; the text 1.1 can't."""
    labels = TruthLabels([label("1.10"), label("1.1")])
    assert labels.find(1.1) == ["1.10", "1.1"]
    assert labels.find("1.1") == ["1.1"]


@pytest.mark.parametrize("written", ["T-Shirt", "t_shirt", "t shirt", " T  SHIRT "])
def test_folders_are_called_otherwise(written: str) -> None:
    """Case, hyphens and underscores are no difference where nothing fits exactly."""
    assert TruthLabels([label("c1", "t shirt"), label("c2", "shirt")]).find(written) == ["c1"]


def test_unknown_truths_are_refused_with_the_nearest() -> None:
    """The message counts items, guesses a name, and says how to go on."""
    labels = TruthLabels([label("mug"), label("plate")])
    with pytest.raises(UsageError, match=r"'mugg' \(2 items\) is no label.*Did you mean 'mug'"):
        labels.refuse({"mugg": (2, [])}, "truth")
    with pytest.raises(UsageError, match="--unknown VALUE"):
        labels.refuse({"mugg": (2, [])}, "truth")


def test_ambiguous_truths_are_refused_with_the_ids() -> None:
    """The remedy is the id."""
    with pytest.raises(UsageError, match=r"'belt' \(1 item\) fits 2 labels: 1, 2\. Write the id"):
        TruthLabels([]).refuse({"belt": (1, ["1", "2"])}, "truth")


def test_many_problems_are_counted() -> None:
    """Five are shown, the most frequent first; the others are a number."""
    problems: dict[str, tuple[int, list[str]]] = {f"x{n}": (n, []) for n in range(1, 9)}
    with pytest.raises(UsageError, match=r"(?s)'x8'.*'x4'.*\.\.\. and 3 more like these") as caught:
        TruthLabels([]).refuse(problems, "truth")
    assert "'x3'" not in str(caught.value)
