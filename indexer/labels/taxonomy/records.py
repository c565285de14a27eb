"""From records, the fields of a label each, to rows, for all ways to write a tree.

A record names its parent, or gives its path, or has a column for each level: ranks
(``kingdom`` to ``species``, as GBIF and iNaturalist have them), codes with titles
(``Segment`` to ``Commodity``, as UNSPSC has them), or ``Level 1`` to ``Level 7``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from indexer.core.errors import TaxonomyError
from indexer.labels.taxonomy.fields import (
    ROLES,
    Roles,
    no_name_error,
    parent_of,
    plain_key,
    synonyms_of,
    text_of,
    without_fraction,
)
from indexer.labels.taxonomy.levels import levels_of, rows_by_level
from indexer.labels.taxonomy.rows import PATH_SEPARATOR, Row

logger = logging.getLogger(__name__)

_SEPARATORS = (" > ", ">", " / ", " » ", "|", "/", "\\")
"""Separators of a path's names, the most certain first: names rarely contain an arrow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One label's fields as written.

    Attributes:
        place: where they are written, for messages.
    """

    fields: Mapping[str, Any]
    place: str


def rows_of(records: Sequence[Record], place: str, *, of_table: bool) -> list[Row]:
    """Rows of records that are not nested.

    Args:
        of_table: whether they are lines of a table with a header, for messages.

    Raises:
        TaxonomyError: no field is a name, or a value is no text.
    """
    if not records:
        return []
    columns = list(dict.fromkeys(column for record in records for column in record.fields))
    roles = Roles.of(_with_values(columns, records), place)
    levels = levels_of(columns, records[0].fields)
    if levels and not _has_parents(records, roles):
        of_levels = {column for level in levels for column in (level.title, level.code)}
        others = Roles.of([column for column in columns if column not in of_levels], place)
        return rows_by_level(
            [(record.fields, record.place) for record in records], levels, others, place
        )
    if "name" not in roles.by_role and "path" not in roles.by_role:
        raise no_name_error(columns, records[0].place if not of_table else place, of_table=of_table)
    nested = [
        column
        for column in roles.ignored
        if any(holds_labels(column, record.fields.get(column)) for record in records)
    ]
    if nested:
        raise TaxonomyError(
            f"{place}: {nested[0]!r} is unknown, and labels below it would be lost. Labels below "
            "another are its 'children'."
        )
    roles.warn_of_columns(place)
    rows = [_row(record, roles) for record in records]
    return _with_parents(rows, records, roles, place)


def _with_values(columns: Sequence[str], records: Sequence[Record]) -> list[str]:
    """The columns without empty ones, which must not take the role of others."""
    return [
        column
        for column in columns
        if plain_key(column) in ROLES["name"]
        or any(record.fields.get(column) not in (None, "", []) for record in records)
    ]


def _row(record: Record, roles: Roles) -> Row:
    """A row without its parent."""
    fields, place = record.fields, record.place
    if "path" not in roles.by_role and roles.value(fields, "name") is None:
        column = roles.by_role["name"]
        if column not in fields:
            raise no_name_error(list(fields), place, of_table=False)
    return row_of(fields, roles, place)


def row_of(fields: Mapping[str, Any], roles: Roles, place: str) -> Row:
    """A row of a label's fields, with the parent as written.

    Raises:
        TaxonomyError: a value of another type than its role has.
    """
    name = text_of(roles.value(fields, "name"), "name", place)
    label_id = without_fraction(text_of(roles.value(fields, "id"), "id", place))
    handles = (
        without_fraction(text_of(fields.get(column), column, place)) for column in roles.handles
    )
    synonyms = synonyms_of(roles.value(fields, "synonyms"), place)
    return Row(
        name=name,
        label_id=label_id or name,
        parent=without_fraction(parent_of(roles.value(fields, "parent"), place)),
        description=text_of(roles.value(fields, "description"), "description", place),
        synonyms=tuple(synonym for synonym in synonyms if synonym != name),
        handles=tuple(handle for handle in handles if handle and handle != label_id),
        place=place,
    )


def _with_parents(
    rows: list[Row], records: Sequence[Record], roles: Roles, place: str
) -> list[Row]:
    """The rows with their parents, from the column that names them."""
    if "parent" in roles.by_role and any(row.parent for row in rows):
        return rows
    if "path" in roles.by_role:
        paths = [
            text_of(roles.value(record.fields, "path"), "path", record.place) for record in records
        ]
        return _by_path(rows, paths, named="name" in roles.by_role, has_ids="id" in roles.by_role)
    if "group" in roles.by_role:
        groups = [parent_of(roles.value(record.fields, "group"), place) for record in records]
        return [
            replace(row, parent=group, creates_parent=True)
            for row, group in zip(rows, groups, strict=True)
        ]
    return rows


def _by_path(rows: list[Row], paths: list[str], *, named: bool, has_ids: bool) -> list[Row]:
    """Rows with parents from paths: of ids (Magento's), or of names."""
    if has_ids and (by_ids := _by_path_of_ids(rows, paths)):
        return by_ids
    separator = next((mark for mark in _SEPARATORS if any(mark in path for path in paths)), None)
    split = [
        tuple(name.strip() for name in path.split(separator) if name.strip())
        if separator
        else tuple([path] * bool(path))
        for path in paths
    ]
    if not named:
        rows = [
            replace(row, name=names[-1] if names else "", label_id=row.label_id if has_ids else "")
            for row, names in zip(rows, split, strict=True)
        ]
    # A path ends in the label itself, or in its parent: what most rows do says which.
    ends = [bool(names) and names[-1] == row.name for row, names in zip(rows, split, strict=True)]
    whole_paths = sum(ends) * 2 > len(ends)
    full = [
        names if not names or (whole_paths and end) or not named else (*names, row.name)
        for row, names, end in zip(rows, split, ends, strict=True)
    ]
    full = [names or (row.name,) for row, names in zip(rows, full, strict=True)]
    return rows_of_paths(rows, full, "a parent without a row")


def rows_of_paths(
    rows: Sequence[Row], paths: Sequence[tuple[str, ...]], made_place: str
) -> list[Row]:
    """Rows with parents from full paths of names; parents without a row are added.

    Args:
        rows: the id of one without is its path.
        made_place: of the rows that are added.
    """
    ids: dict[tuple[str, ...], str] = {}
    placed: list[Row] = []
    for row, names in zip(rows, paths, strict=True):
        label_id = row.label_id or PATH_SEPARATOR.join(names)
        ids.setdefault(names, label_id)
        placed.append(replace(row, label_id=label_id))
    made: dict[tuple[str, ...], Row] = {}
    for names in paths:
        for length in range(1, len(names)):
            above = names[:length]
            if above not in ids:
                ids[above] = PATH_SEPARATOR.join(above)
                made[above] = Row(
                    name=above[-1],
                    label_id=ids[above],
                    parent=ids[above[:-1]] if length > 1 else "",
                    place=made_place,
                    made=True,
                )
    linked = [
        replace(row, parent=ids[names[:-1]] if len(names) > 1 else "")
        for row, names in zip(placed, paths, strict=True)
    ]
    return [*linked, *made.values()]


def _by_path_of_ids(rows: list[Row], paths: list[str]) -> list[Row]:
    """Rows with parents from paths of ids such as ``1/2/5``; empty for other paths."""
    split = [re.split(r"[/.,>|\s]+", path.strip(" /.,>|")) for path in paths]
    if not all(ids[-1] == row.label_id for row, ids in zip(rows, split, strict=True)):
        return []
    if all(len(ids) == 1 for ids in split):
        return []
    row_ids = {row.label_id for row in rows}
    parents = [
        next((label_id for label_id in reversed(ids[:-1]) if label_id in row_ids), "")
        for ids in split
    ]
    cut = sum(len(ids) > 1 and ids[-2] not in row_ids for ids in split)
    if cut:
        logger.warning(
            "%d labels name a parent in their path that has no row: they are roots, or below "
            "the next one that has.",
            cut,
        )
    return [replace(row, parent=parent) for row, parent in zip(rows, parents, strict=True)]


def _has_parents(records: Sequence[Record], roles: Roles) -> bool:
    """Whether a parent column names other rows, so that level columns only repeat it."""
    if "parent" not in roles.by_role:
        return False
    rows = [_plain_row(record, roles) for record in records]
    identifiers = {name for row in rows for name in (row.label_id, *row.handles)}
    named = [row.parent for row in rows if row.parent]
    return bool(named) and all(parent in identifiers for parent in named)


def _plain_row(record: Record, roles: Roles) -> Row:
    only = {role: column for role, column in roles.by_role.items() if role in {"id", "parent"}}
    return row_of(record.fields, Roles(by_role=only, handles=roles.handles), record.place)


_NOT_LABELS_WORDS = (
    "attributes ancestors keypoints skeleton color colour image images products links tags "
    "returnreasons synset instancecount imagecount files rules metadata breadcrumbs related "
    "isotherlanguages translations localizednames urls isthing meta"
)
_NOT_LABELS = frozenset(_NOT_LABELS_WORDS.split())
"""Nested fields of known programs that hold no labels."""


def holds_labels(column: str, value: Any) -> bool:
    """Whether an unknown field may hold labels: a list with mappings."""
    if plain_key(column) in _NOT_LABELS or str(column).startswith("_"):
        return False
    return isinstance(value, list) and any(isinstance(entry, dict) for entry in value)
