"""Functions on a checked label set; pure; results are in the order of the labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from indexer.core.records import Label
from indexer.core.suggestions import did_you_mean
from indexer.labels.taxonomy.rows import PATH_SEPARATOR, SHOWN, refuse


def children(labels: Sequence[Label]) -> dict[str, tuple[str, ...]]:
    """Ids of the children by label id; under the empty id, the roots."""
    child_ids: dict[str, list[str]] = {"": []}
    child_ids.update((label.label_id, []) for label in labels)
    for label in labels:
        child_ids[label.parent_id].append(label.label_id)
    return {label_id: tuple(below) for label_id, below in child_ids.items()}


def leaves(labels: Sequence[Label]) -> list[Label]:
    """Labels that no other label has as its parent."""
    parents = {label.parent_id for label in labels}
    return [label for label in labels if label.label_id not in parents]


def ancestors(labels: Sequence[Label]) -> dict[str, tuple[str, ...]]:
    """Ids from the root down to the parent by label id, in step with ``Label.path``."""
    by_id = {label.label_id: label for label in labels}
    ancestor_ids: dict[str, tuple[str, ...]] = {"": ()}
    # A parent's path is shorter than its child's.
    for label in sorted(labels, key=lambda label: label.depth):
        parent = by_id.get(label.parent_id)
        ancestor_ids[label.label_id] = (
            (*ancestor_ids[label.parent_id], parent.label_id) if parent else ()
        )
    return {label.label_id: ancestor_ids[label.label_id] for label in labels}


def descendants(labels: Sequence[Label], label_id: str) -> list[str]:
    """Ids of all labels below one, without itself."""
    inside = {label_id}
    for label in sorted(labels, key=lambda label: label.depth):
        if label.parent_id in inside:
            inside.add(label.label_id)
    inside.remove(label_id)
    return [label.label_id for label in labels if label.label_id in inside]


def resolve(labels: Sequence[Label], names: Iterable[str]) -> list[str]:
    """Ids of labels given by id, by name, or by path (``A > B > C``), each once.

    An id comes before a name, and a name before a path.

    Raises:
        TaxonomyError: a name that no label has (with the nearest ones), or that several
            have (with their paths and ids).
    """
    by_id = {label.label_id: label for label in labels}
    by_name: dict[str, list[str]] = {}
    by_path: dict[str, list[str]] = {}
    for label in labels:
        by_name.setdefault(label.name, []).append(label.label_id)
        by_path.setdefault(PATH_SEPARATOR.join(label.path), []).append(label.label_id)
    label_ids: list[str] = []
    problems: list[str] = []
    for name in map(str.strip, names):
        matching = [name] if name in by_id else by_name.get(name) or by_path.get(name, [])
        if len(matching) == 1:
            label_ids += matching
        elif matching:
            shown = "; ".join(
                f"{PATH_SEPARATOR.join(by_id[label_id].path)} ({label_id})"
                for label_id in matching[:SHOWN]
            )
            more = "; ..." if len(matching) > SHOWN else ""
            problems.append(
                f"{len(matching)} labels are named {name!r}: give the path or the id of one: "
                f"{shown}{more}."
            )
        else:
            # A suggestion compares with every label, so only shown messages have one.
            guess = did_you_mean(name, [*by_name, *by_id]) if len(problems) < SHOWN else ""
            problems.append(f"There is no label {name!r} (by id, name or path).{guess}")
    if problems:
        refuse(problems)
    return list(dict.fromkeys(label_ids))
