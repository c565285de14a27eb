"""Labels as a tree on the terminal, and a selection of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.core.records import Label

_INDENT = "  "


def select_labels(labels: Sequence[Label], *, contains: str, under: str | None) -> list[Label]:
    """The labels at or below one, with a text in their path, in order.

    Args:
        contains: whatever its case; also in synonyms. Empty is every label.
        under: id, name or path of a label; None is the whole taxonomy.

    Raises:
        TaxonomyError: there is no such label, or several have the name.
    """
    from indexer.labels import taxonomy

    inside = None
    if under is not None:
        (top,) = taxonomy.resolve(labels, [under])
        inside = {top, *taxonomy.descendants(labels, top)}
    sought = contains.casefold()
    return [
        label
        for label in labels
        if (inside is None or label.label_id in inside)
        and any(sought in text.casefold() for text in (" > ".join(label.path), *label.synonyms))
    ]


def tree_lines(labels: Sequence[Label]) -> list[str]:
    """A line a label, indented by its depth, with the id where it is not the name.

    Labels above that are not among them are shown as names alone.
    """
    lines: list[str] = []
    shown: tuple[str, ...] = ()
    for label in sorted_by_tree(labels):
        *above, name = label.path
        common = 0
        while common < len(above) and shown[common : common + 1] == (above[common],):
            common += 1
        lines += [_INDENT * depth + above[depth] for depth in range(common, len(above))]
        own_id = "" if label.label_id in {name, " > ".join(label.path)} else f"  ({label.label_id})"
        lines.append(f"{_INDENT * len(above)}{name}{own_id}")
        shown = label.path
    return lines


def sorted_by_tree(labels: Sequence[Label]) -> list[Label]:
    """Labels with each branch together, branches in the order of their first label."""
    order: dict[tuple[str, ...], int] = {}
    for label in labels:
        for depth in range(1, len(label.path) + 1):
            order.setdefault(label.path[:depth], len(order))
    return sorted(
        labels,
        key=lambda label: [order[label.path[:depth]] for depth in range(1, len(label.path) + 1)],
    )
