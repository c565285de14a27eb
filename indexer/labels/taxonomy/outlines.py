"""Nested label files: YAML and JSON.

A list holds labels, a mapping holds labels by name, and a text is a leaf. A mapping
that has a ``name`` is one label; so is the value of a name where all its keys are
``id``, ``parent``, ``description``, ``synonyms`` or ``children``. Fields may be written in
other ways (``title``, ``parentId``, ``subcategories``), and children may be ids of labels
that the same list holds::

    Clothing:
      - Shirt
      - name: Dress
        id: dress
        synonyms: gown|frock
        children: [Sundress]
    Shoes:
      description: worn on feet
      children: [Boot, Sandal]

Without an id, a label's id is its path: ``Clothing > Shirt``. Names in YAML are the text
as written: ``No`` stays ``No``. ``shapes`` recognises the files of other programs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from indexer.core.errors import TaxonomyError
from indexer.core.suggestions import did_you_mean
from indexer.labels.taxonomy.envelopes import LabelPart, is_node
from indexer.labels.taxonomy.fields import CHILDREN, ROLES, Roles, no_name_error, plain_key, text_of
from indexer.labels.taxonomy.nested import (
    Lined,
    Pairs,
    is_odd,
    keys_of,
    pairs_of,
    parse_json,
    parse_yaml,
    plain,
)
from indexer.labels.taxonomy.records import Record, holds_labels, row_of, rows_of
from indexer.labels.taxonomy.rows import PATH_SEPARATOR, Row
from indexer.labels.taxonomy.shapes import recognise, refuse_settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A label of a tree: its fields, and the position of its parent."""

    fields: Mapping[str, Any]
    place: str
    above: int | None
    is_bare: bool = False


_BODY = frozenset({"id", "parent", "description", "synonyms", "children"})


def read_json(text: str, place: str, *, dataset: str = "") -> list[Row]:
    """Rows of a JSON file: a list of names, of objects, a nested tree, or a known writer's.

    Raises:
        TaxonomyError: no JSON, or a value where no label can be.
    """
    try:
        return _rows(parse_json(text), place, dataset)
    except (ValueError, RecursionError) as error:
        raise TaxonomyError(f"{place}: this is no JSON that can be read: {error}") from error


def read_yaml(text: str, place: str, *, dataset: str = "") -> list[Row]:
    """Rows of a YAML file: a nested tree, or a known writer's.

    Raises:
        TaxonomyError: no YAML, an alias, or a value where no label can be.
    """
    import yaml

    try:
        return _rows(parse_yaml(text, place), place, dataset)
    except yaml.YAMLError as error:
        cause = " ".join(str(error).split())
        raise TaxonomyError(f"{place}: this is no YAML that can be read: {cause}") from error


def _rows(value: Any, place: str, dataset: str) -> list[Row]:
    recognised = recognise(plain(value), place, dataset)
    if isinstance(recognised, list):
        return recognised
    walk = _Walk(place)
    walk.collect(recognised.value if isinstance(recognised, LabelPart) else value)
    rows = walk.rows()
    top = plain(value)
    if recognised is None and len(rows) == 1 and isinstance(top, dict) and is_node(top):
        known_keys = {name for names in ROLES.values() for name in names} | CHILDREN
        if any(plain_key(key) not in known_keys for key in top):
            refuse_settings(top, place)
    return rows


class _Walk:
    """Walks through a nested file and collects a node for each label, parents first."""

    def __init__(self, place: str) -> None:
        self._file = place
        self._place = place
        self._has_lines = False
        self._nodes: list[_Node] = []
        self._listed_ids: frozenset[str] = frozenset()
        self._references: list[tuple[str, int]] = []

    def collect(self, value: Any) -> None:
        """Collect the labels of a file's content."""
        top = plain(value)
        top = list(top.values()) if isinstance(top, dict) else top
        if isinstance(top, list):
            self._listed_ids = frozenset(_id_in(entry) for entry in top) - {""}
        self._labels(value, None)

    def rows(self) -> list[Row]:
        """The rows of all nodes.

        Raises:
            TaxonomyError: a node without a name, or with a value that is no text.
        """
        nodes = self._nodes
        if all(node.above is None and not node.is_bare for node in nodes):
            records = [Record(fields=node.fields, place=node.place) for node in nodes]
            return self._with_listed_parents(rows_of(records, self._file, of_table=False))
        columns = list(dict.fromkeys(key for node in nodes for key in node.fields))
        roles = Roles.of(columns, self._file)
        rows: list[Row] = []
        paths: list[tuple[str, ...]] = []
        for node in nodes:
            self._check_unknown(node, roles)
            row = row_of(node.fields, roles, node.place)
            above = paths[node.above] if node.above is not None else ()
            paths.append((*above, row.name))
            if not text_of(roles.value(node.fields, "id"), "id", node.place):
                row = replace(row, label_id=PATH_SEPARATOR.join(paths[-1]))
            rows.append(self._below_parent(row, rows, node))
        roles.warn_of_columns(self._file)
        return self._with_listed_parents(rows)

    def _below_parent(self, row: Row, rows: Sequence[Row], node: _Node) -> Row:
        """A row with the parent that it is nested in; a different named parent is an error."""
        if node.above is None:
            return row
        above = rows[node.above]
        if row.parent and row.parent not in {above.label_id, above.name, "0", *above.handles}:
            raise TaxonomyError(
                f"{node.place}: {row.name!r} lies below {above.name!r}, and its 'parent' is "
                f"{row.parent!r}: 'parent' has no place inside a tree: remove it."
            )
        return replace(row, parent=above.label_id)

    def _with_listed_parents(self, rows: list[Row]) -> list[Row]:
        """The rows with the parents that list their ids as children."""
        if not self._references:
            return rows
        parents: dict[str, str] = {}
        several = 0
        for label_id, above in self._references:
            parent = rows[above].label_id
            several += parents.setdefault(label_id, parent) != parent
        if several:
            logger.warning(
                "%s: %d labels are children of several others: the first is taken.",
                self._file,
                several,
            )
        return [
            replace(row, parent=parents[row.label_id])
            if not row.parent and row.label_id in parents
            else row
            for row in rows
        ]

    def _labels(self, value: Any, above: int | None) -> None:
        """Collect the labels of a value, and all below them."""
        value = self._open(value)
        if isinstance(value, list):
            for item in value:
                self._item(item, above)
        elif isinstance(value, Pairs | dict) and not _is_node(value):
            self._mapping(value, above)
        elif value is not None:
            self._item(value, above)

    def _item(self, item: Any, above: int | None) -> None:
        item = self._open(item)
        if isinstance(item, Pairs | dict) and _is_node(item):
            self._label(self._dict(item), above)
        elif isinstance(item, Pairs | dict):
            self._mapping(item, above)
        else:
            self._label({"name": item}, above, is_bare=True)

    def _mapping(self, value: Pairs | dict[Any, Any], above: int | None) -> None:
        """Labels by name; or by id, where the values have the names."""
        content = {
            str(plain(key)): plain(below) for key, below in pairs_of(value) if not is_odd(key)
        }
        if {"id", "children"} & {plain_key(key) for key in content}:
            raise no_name_error(list(content), self._place, of_table=False)
        described = all(isinstance(below, str) and " " in below for below in content.values())
        if not described:
            refuse_settings(content, self._place)
        for key, body in pairs_of(value):
            name = self._open(key)
            place = self._place
            body = self._open(body)
            self._place = place
            if isinstance(body, Pairs | dict) and _is_node(body):
                self._label({"id": name, **self._dict(body)}, above)
            elif isinstance(body, Pairs | dict) and pairs_of(body) and keys_of(body) <= _BODY:
                self._label({"name": name, **self._dict(body)}, above)
            elif isinstance(body, str):
                self._label({"name": name, "description": body}, above)
            else:
                self._label({"name": name, "children": body}, above, is_bare=True)

    def _label(self, fields: dict[str, Any], above: int | None, *, is_bare: bool = False) -> None:
        if not self._has_lines:
            self._place = f"{self._file}, label {len(self._nodes) + 1}"
        below = self._take_children(fields)
        plain_fields = {key: plain(value) for key, value in fields.items()}
        self._nodes.append(
            _Node(fields=plain_fields, place=self._place, above=above, is_bare=is_bare)
        )
        self._below(below, len(self._nodes) - 1)

    def _take_children(self, fields: dict[str, Any]) -> Any:
        """A label's children, removed from its fields."""
        child_fields: dict[str, Any] = {}
        for key in [key for key in fields if plain_key(key) in CHILDREN]:
            inside = plain(fields[key])
            if key == "children" or isinstance(inside, list | dict):
                child_fields[key] = fields.pop(key)
        filled = [key for key, inside in child_fields.items() if plain(inside)]
        if len(filled) > 1:
            raise TaxonomyError(
                f"{self._place}: labels lie below {filled[0]!r} and below {filled[1]!r}: leave "
                "only what are its 'children'."
            )
        return child_fields[filled[0]] if filled else None

    def _below(self, value: Any, above: int) -> None:
        """Children: labels of their own, or references to labels of the file's list."""
        inside = plain(value)
        if not self._listed_ids or not isinstance(inside, list):
            self._labels(value, above)
            return
        opened = self._open(value)
        for item, child in zip(opened, inside, strict=True):
            label_id = _id_in(child) or (str(child) if isinstance(child, str | int) else "")
            if label_id in self._listed_ids:
                self._references.append((label_id, above))
            else:
                self._item(item, above)

    def _check_unknown(self, node: _Node, roles: Roles) -> None:
        """Refuse unknown fields that may hold labels; others are ignored."""
        for key in node.fields:
            if key in roles.ignored and holds_labels(key, node.fields[key]):
                raise TaxonomyError(
                    f"{node.place}: {key!r} is unknown, and labels below it would be lost."
                    f"{did_you_mean(key, [*ROLES, 'children'])} Labels below another are its "
                    "'children'."
                )

    def _open(self, value: Any) -> Any:
        """The value without its line, which becomes the place for messages."""
        if isinstance(value, Lined):
            self._has_lines = True
            self._place = f"{self._file}, line {value.line}"
            return value.value
        return value

    def _dict(self, value: Pairs | dict[Any, Any]) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, inner in pairs_of(value):
            name = str(plain(key))
            if name in fields:
                raise TaxonomyError(f"{self._place}: {name!r} is there twice: remove one.")
            fields[name] = inner
        return fields


def _is_node(value: Pairs | dict[Any, Any]) -> bool:
    return is_node({plain(key): plain(below) for key, below in pairs_of(value) if not is_odd(key)})


def _id_in(value: Any) -> str:
    """The id of a label that is written as a mapping; empty where it has none."""
    if not isinstance(value, dict):
        return ""
    keys = {plain_key(key): key for key in value}
    for name in ROLES["id"]:
        if name in keys and isinstance(value[keys[name]], str | int):
            return str(value[keys[name]])
    return ""
