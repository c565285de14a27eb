"""From rows to checked labels: ids, parents, cycles, paths; linear in the number of rows.

Rows are checked in three steps: each row alone, then the parent that it names, then whether
the parents lead to a root.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace

from indexer.core.errors import TaxonomyError
from indexer.core.records import MAX_ID_BYTES, MAX_TEXT_BYTES, Label
from indexer.core.suggestions import did_you_mean
from indexer.labels.taxonomy.fields import without_fraction
from indexer.labels.taxonomy.rows import PATH_SEPARATOR, SHOWN, Row, refuse

logger = logging.getLogger(__name__)

MAX_LEVELS = 100
"""Most levels of a tree. Real ones have up to ten; the size of all paths grows quadratically."""


def assemble(
    rows: Sequence[Row],
    *,
    existing: Sequence[Label] = (),
    create_parents: bool | None = None,
) -> list[Label]:
    """Checked labels with paths: those of the rows in their order, then created parents.

    A parent is named by id, by a name that only one label has, or by its slug or key. A missing
    parent is an error unless parents are created: then it becomes a root label (its id is its
    name), and a label that names itself is a root.

    Args:
        rows: at least one.
        existing: labels that may be named as parents. A row with the id of one replaces it.
        create_parents: create missing parents. None decides: yes where the parent
            column holds groups, that is where every row names a parent, none of these
            is another row, and at least one is named twice (81 groceries in 43 groups).

    Raises:
        TaxonomyError: names the place, the cause and the remedy.
    """
    if problems := _problems(rows):
        refuse(problems)
    index = _Index.of(rows, existing)
    if create_parents is None:
        create_parents = _are_groups(rows, index)
    parents, missing, problems = _parents(rows, index, create_parents=create_parents)
    if problems:
        refuse(problems)
    created = [Row(name=name, label_id=name, made=True) for name in missing]
    _warn_of_created([*rows, *created])
    row_ids = {row.label_id for row in rows}
    existing_paths = {
        label.label_id: label.path for label in existing if label.label_id not in row_ids
    }
    paths = _paths([*rows, *created], parents, existing_paths)
    return [_label(row, parents[row.label_id], paths) for row in (*rows, *created)]


def _warn_of_created(rows: Sequence[Row]) -> None:
    made = [row.name for row in rows if row.made]
    if made:
        logger.warning(
            "parents without a row of their own that are added as labels: %d (%s%s)",
            len(made),
            ", ".join(made[:5]),
            ", ..." if len(made) > 5 else "",
        )


def with_roots(rows: Sequence[Row], existing: Sequence[Label] = ()) -> list[Row]:
    """The rows without parent values that mean "no parent".

    These are ``0`` and ``-1`` where no label has that id, and ``0`` where all rows have it as
    their parent and one of them is the first class of a list, with the id 0.
    """
    ids = {row.label_id for row in rows} | {label.label_id for label in existing}
    root_marks = {"0", "-1"} - ids
    if "0" in ids and len(rows) > 1 and all(row.parent == "0" for row in rows):
        root_marks = {"0"}
    return [replace(row, parent="") if row.parent in root_marks else row for row in rows]


def check(labels: Sequence[Label]) -> None:
    """Check a whole label set: ids, names, parents, cycles, and that paths fit the tree.

    Raises:
        TaxonomyError: names the labels, the cause and the remedy.
    """
    for label, expected in zip(labels, _reassemble(labels), strict=True):
        if label.path != expected.path:
            raise TaxonomyError(
                f"Label {label.label_id!r} has the path {PATH_SEPARATOR.join(label.path)!r}, "
                f"its parents give {PATH_SEPARATOR.join(expected.path)!r}: read the set again."
            )


def merge(labels: Sequence[Label], changes: Iterable[Label]) -> list[Label]:
    """A label set with changes: same ids are replaced in place, new ones appended.

    Paths are computed again, so a renamed or moved parent changes all paths below it.

    Raises:
        TaxonomyError: the merged set is not a tree, such as a cycle across both.
    """
    merged = {label.label_id: label for label in labels}
    merged.update((label.label_id, label) for label in changes)
    return _reassemble(list(merged.values()))


def _reassemble(labels: Sequence[Label]) -> list[Label]:
    rows = [
        Row(
            name=label.name,
            label_id=label.label_id,
            parent=label.parent_id,
            description=label.description,
            synonyms=label.synonyms,
            place=f"label {number} ({label.label_id!r})",
        )
        for number, label in enumerate(labels, 1)
    ]
    return assemble(rows, create_parents=False)


def _problems(rows: Sequence[Row]) -> list[str]:
    """Problems of single rows, and repeated ids."""
    if not rows:
        return ["There are no labels: write at least one name."]
    problems: list[str] = []
    rows_by_id: dict[str, Row] = {}
    for row in rows:
        if cause := _cause(row):
            problems.append(f"{row.place}: {cause}")
        elif row.label_id in rows_by_id:
            problems.append(
                f"{row.place}: the id {row.label_id!r} is taken by "
                f"{rows_by_id[row.label_id].place}: remove one, or give them different ids."
            )
        else:
            rows_by_id[row.label_id] = row
    return problems


def _cause(row: Row) -> str:
    if not row.name.strip():
        is_yaml = row.place.partition(",")[0].lower().endswith((".yaml", ".yml"))
        quotes = " (null and ~ are names in quotes only)" if is_yaml else ""
        return f"the name is empty: write one{quotes}, or remove the label."
    if not row.label_id:
        return f"the id of {row.name[:40]!r} is empty: write one, or remove the label."
    try:
        name_bytes = max(len(text.encode()) for text in (row.label_id, row.name, row.parent))
        text_bytes = max(
            len(text.encode())
            for text in (row.description, json.dumps(row.synonyms, ensure_ascii=False))
        )
    except UnicodeEncodeError:
        return "half of a surrogate pair is no text: correct the \\u escape."
    if name_bytes > MAX_ID_BYTES:
        return (
            f"{row.name[:40]!r}... has {name_bytes} bytes, at most {MAX_ID_BYTES} fit: shorten it."
        )
    if text_bytes > MAX_TEXT_BYTES:
        return (
            f"the description or the synonyms of {row.name[:40]!r} have {text_bytes:,} bytes, at "
            f"most {MAX_TEXT_BYTES:,} fit: shorten them."
        )
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Index:
    """Labels by id, ids by name, and ids by other handles."""

    names: dict[str, str]
    ids: dict[str, list[str]]
    handles: dict[str, list[str]]

    @classmethod
    def of(cls, rows: Sequence[Row], existing: Sequence[Label]) -> _Index:
        names = {label.label_id: label.name for label in existing}
        names.update((row.label_id, row.name) for row in rows)
        ids: dict[str, list[str]] = {}
        for label_id, name in names.items():
            ids.setdefault(name, []).append(label_id)
        handles: dict[str, list[str]] = {}
        for row in rows:
            for handle in row.handles:
                handles.setdefault(handle, []).append(row.label_id)
        return cls(names=names, ids=ids, handles=handles)

    def find(self, row: Row) -> list[str]:
        """Ids that a row's parent may mean; the row's own id only where no other matches."""
        for label_id in (row.parent, without_fraction(row.parent)):
            if label_id in self.names:
                return [label_id]
        last = row.parent.rpartition(PATH_SEPARATOR)[2]
        label_ids = (
            self.ids.get(row.parent) or self.handles.get(row.parent) or self.ids.get(last) or []
        )
        return [label_id for label_id in label_ids if label_id != row.label_id] or label_ids


def _are_groups(rows: Sequence[Row], index: _Index) -> bool:
    """Whether the parents are names of groups rather than other rows."""
    if not all(row.parent for row in rows):
        return False
    # A group may have the name of its only row, such as bananas; another row is a parent.
    if any(parent_ids != [row.label_id] for row in rows if (parent_ids := index.find(row))):
        return False
    return max(Counter(row.parent for row in rows).values()) > 1


def _parents(
    rows: Sequence[Row], index: _Index, *, create_parents: bool
) -> tuple[dict[str, str], list[str], list[str]]:
    """Parent id by label id, names of parents to create, and problems."""
    parents: dict[str, str] = {}
    missing: dict[str, str] = {}
    problems: list[str] = []
    for row in rows:
        parent_ids = index.find(row) if row.parent else [""]
        if len(parent_ids) > 1:
            problems.append(
                f"{row.place}: the parent {row.parent!r} of {row.name!r} is the name of "
                f"{len(parent_ids)} labels: write one of their ids: {', '.join(parent_ids[:5])}."
            )
        elif not parent_ids and (create_parents or row.creates_parent):
            missing[row.parent] = ""
            parent_ids = [row.parent]
        elif not parent_ids:
            problems.append(_orphan(row, index, guess=len(problems) < SHOWN))
        elif parent_ids == [row.label_id] and (create_parents or row.creates_parent):
            parent_ids = [""]
        parents[row.label_id] = parent_ids[0] if parent_ids else ""
    return parents | missing, list(missing), problems


def _orphan(row: Row, index: _Index, *, guess: bool) -> str:
    """The message. A suggestion compares with every label, so only shown messages have one."""
    suggestion = did_you_mean(row.parent, [*index.names, *index.ids]) if guess else ""
    return (
        f"{row.place}: the parent {row.parent!r} of {row.name!r} is not there.{suggestion} "
        "Add a row for it, correct it, leave it empty for a root, or make such parents labels "
        "of their own with --create-parents."
    )


def _paths(
    rows: Sequence[Row], parents: dict[str, str], above: dict[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Names from the root by label id."""
    by_id = {row.label_id: row for row in rows}
    paths = dict(above)
    for label_id in _parents_first(by_id, parents, above):
        row = by_id[label_id]
        paths[label_id] = (*paths.get(parents[label_id], ()), row.name)
        if len(paths[label_id]) > MAX_LEVELS:
            raise TaxonomyError(
                f"{row.place}: {row.name!r} is on level {len(paths[label_id])}, "
                f"at most {MAX_LEVELS} are allowed: make the tree flatter."
            )
    return paths


def _parents_first(
    by_id: dict[str, Row], parents: dict[str, str], above: Container[str]
) -> list[str]:
    """Label ids in an order that has every parent before its children; walks each row once."""
    positions = {label_id: position for position, label_id in enumerate(by_id)}
    ordered: dict[str, None] = {}
    cycles: list[str] = []
    for label_id in by_id:
        trail: dict[str, None] = {}
        current = label_id
        # A loop, since a chain may be longer than Python recurses; its length is refused later.
        while current and current not in ordered and current not in above and current not in trail:
            trail[current] = None
            current = parents[current]
        if current in trail:
            cycles.append(_cycle(list(trail), current, by_id, positions))
        ordered |= dict.fromkeys(reversed(trail))
    if cycles:
        refuse(cycles)
    return list(ordered)


def _cycle(trail: list[str], start: str, by_id: dict[str, Row], positions: dict[str, int]) -> str:
    """The message for a cycle, from parent to child, starting at its first label in the file."""
    ids = trail[trail.index(start) :][::-1]
    begin = ids.index(min(ids, key=positions.__getitem__))
    ids = [*ids[begin:], *ids[:begin], ids[begin]]
    names = [by_id[label_id].name for label_id in ids]
    with_ids = "" if names == ids else f" (ids {PATH_SEPARATOR.join(ids)})"
    return (
        f"{by_id[ids[0]].place}: a cycle of parents: {PATH_SEPARATOR.join(names)}{with_ids}. "
        "Every label must lead to a root: correct or empty the parent of one of them."
    )


def _label(row: Row, parent_id: str, paths: dict[str, tuple[str, ...]]) -> Label:
    return Label(
        label_id=row.label_id,
        name=row.name,
        path=paths[row.label_id],
        parent_id=parent_id,
        description=row.description,
        synonyms=row.synonyms,
    )
