"""Labels on the terminal: as a tree, under a label, with a text."""

from __future__ import annotations

import pytest

from indexer.commands.label_tree import select_labels, tree_lines
from indexer.core.errors import TaxonomyError
from indexer.core.records import Label

LABELS = [
    Label(label_id="1", name="Clothing", path=("Clothing",)),
    Label(label_id="Shoes", name="Shoes", path=("Shoes",)),
    Label(label_id="2", name="Shirt", path=("Clothing", "Shirt"), parent_id="1", synonyms=("tee",)),
    Label(label_id="3", name="Boot", path=("Shoes", "Boot"), parent_id="Shoes"),
]


def test_branches_stand_together() -> None:
    """Whatever the order of the labels; ids where they are not the names."""
    assert tree_lines(LABELS) == ["Clothing  (1)", "  Shirt  (2)", "Shoes", "  Boot  (3)"]


def test_labels_above_a_selection_are_shown_as_names() -> None:
    """So that a label shows where it is."""
    assert tree_lines(LABELS[2:]) == ["Clothing", "  Shirt  (2)", "Shoes", "  Boot  (3)"]


def test_labels_are_found_by_path_and_synonym_and_branch() -> None:
    """Whatever their case."""
    chosen = select_labels(LABELS, contains="SHO", under=None)
    assert [label.label_id for label in chosen] == ["Shoes", "3"]
    assert [label.label_id for label in select_labels(LABELS, contains="tee", under=None)] == ["2"]
    below = select_labels(LABELS, contains="", under="Clothing")
    assert [label.label_id for label in below] == ["1", "2"]
    with pytest.raises(TaxonomyError, match="no label 'Hats'"):
        select_labels(LABELS, contains="", under="Hats")
