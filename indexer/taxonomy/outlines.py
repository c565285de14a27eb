"""Nested label files: YAML and JSON.

A list holds labels, a mapping holds labels by name, and a text is a leaf. A mapping
that has a ``name`` is one label; so is the value of a name where all its keys are
``id``, ``description``, ``synonyms`` or ``children``::

    Clothing:
      - Shirt
      - name: Dress
        id: dress
        synonyms: gown|frock
        children: [Sundress]
    Shoes:
      description: worn on feet
      children: [Boot, Sandal]

Without an id, a label's id is its path: ``Clothing > Shirt``. ``parent`` works in flat
lists of labels only. Names in YAML are the text as written: ``No`` stays ``No``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from indexer.errors import TaxonomyError
from indexer.taxonomy.rows import PATH_SEPARATOR, Row, nearest
from indexer.taxonomy.tables import COLUMNS, ignored, row_of


@dataclass(frozen=True, slots=True)
class Pairs:
    """A mapping as written: keys can occur twice."""

    pairs: list[tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Lined:
    """A value and the line that it begins on."""

    value: Any
    line: int


_FIELDS = frozenset(COLUMNS) | {"children"}
_BODY = frozenset({"id", "description", "synonyms", "children"})

_MAX_NESTING = 200
"""Lists and mappings inside each other; a level of a tree takes up to two."""


def read_json(text: str, place: str) -> list[Row]:
    """Rows of a JSON file: a list of names, of objects, or a nested tree.

    Raises:
        TaxonomyError: no JSON, or a value where no label can be.
    """
    try:
        return list(_Walk(place).labels(json.loads(text, object_pairs_hook=Pairs), (), ""))
    except (ValueError, RecursionError) as error:
        raise TaxonomyError(f"{place}: this is no JSON that can be read: {error}") from error


def read_yaml(text: str, place: str) -> list[Row]:
    """Rows of a YAML file: a nested tree.

    Raises:
        TaxonomyError: no YAML, an alias, or a value where no label can be.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(yaml.parse(text, Loader=loader), place)
        root = yaml.compose(text, Loader=loader)
        return list(_Walk(place).labels(_plain(root), (), ""))
    except yaml.YAMLError as error:
        cause = " ".join(str(error).split())
        raise TaxonomyError(f"{place}: this is no YAML that can be read: {cause}") from error


def _check_events(events: Iterable[Any], place: str) -> None:
    """Refuse what can't be composed safely: aliases of aliases and endless nesting.

    A few of the first can stand for billions of labels, and the second ends the
    process where libyaml composes.
    """
    import yaml

    depth = 0
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise TaxonomyError(
                f"{place}, line {line}: an alias (*{event.anchor}): write out what it stands for."
            )
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_NESTING:
            raise TaxonomyError(f"{place}, line {line}: nested too deeply to be a taxonomy.")


def _plain(node: Any) -> Any:
    """A YAML node as texts, lists and ``Pairs`` with their lines; scalars stay as written."""
    import yaml

    if node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")):
        return None
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return Lined(node.value, line)
    if isinstance(node, yaml.SequenceNode):
        return Lined([_plain(item) for item in node.value], line)
    pairs = [(_plain(key), _plain(value)) for key, value in node.value]
    return Lined(Pairs(pairs), line)


class _Walk:
    """Goes through a nested file and yields a row a label, parents first."""

    def __init__(self, place: str) -> None:
        self._file = place
        self._place = place
        self._has_lines = False
        self._count = 0
        self._ignored: set[str] = set()

    def labels(self, value: Any, path: tuple[str, ...], parent: str) -> Iterator[Row]:
        """Rows of a value in which labels are expected, and of all below them."""
        value = self._open(value)
        if isinstance(value, list):
            for item in value:
                yield from self._item(item, path, parent)
        elif isinstance(value, Pairs) and "name" not in self._keys(value):
            for key, body in value.pairs:
                yield from self._entry(key, body, path, parent)
        elif value is not None:
            yield from self._item(value, path, parent)

    def _item(self, item: Any, path: tuple[str, ...], parent: str) -> Iterator[Row]:
        item = self._open(item)
        if isinstance(item, Pairs) and "name" in self._keys(item):
            yield from self._label(self._dict(item), path, parent)
        elif isinstance(item, Pairs):
            yield from self.labels(item, path, parent)
        else:
            yield from self._label({"name": item}, path, parent)

    def _entry(self, key: Any, body: Any, path: tuple[str, ...], parent: str) -> Iterator[Row]:
        name = self._open(key)
        place = self._place
        body = self._open(body)
        self._place = place
        if isinstance(body, Pairs) and body.pairs and self._keys(body) <= _BODY:
            yield from self._label({"name": name, **self._dict(body)}, path, parent)
        else:
            yield from self._label({"name": name, "children": body}, path, parent)

    def _label(self, fields: dict[str, Any], path: tuple[str, ...], parent: str) -> Iterator[Row]:
        self._count += 1
        if not self._has_lines:
            self._place = f"{self._file}, label {self._count}"
        place = self._place
        below = fields.pop("children", None)
        self._check_unknown(fields)
        plain = {key: self._value(value) for key, value in fields.items()}
        if parent and plain.get("parent") is not None:
            raise TaxonomyError(f"{place}: 'parent' has no place inside a tree: remove it.")
        row = row_of({"id": None, **plain}, place)
        names = (*path, row.name)
        label_id = row.label_id if plain.get("id") is not None else PATH_SEPARATOR.join(names)
        yield Row(
            name=row.name,
            label_id=label_id,
            parent=parent or row.parent,
            description=row.description,
            synonyms=row.synonyms,
            place=place,
        )
        yield from self.labels(below, names, label_id)

    def _check_unknown(self, fields: dict[str, Any]) -> None:
        """Unknown fields are ignored, but not those that may hold labels."""
        unknown = [key for key in fields if key not in _FIELDS]
        for key in unknown:
            if isinstance(self._value(fields[key]), list | dict | Pairs):
                raise TaxonomyError(
                    f"{self._place}: {key!r} is unknown, and labels below it would be lost."
                    f"{nearest(key, _FIELDS)} Labels below another are its 'children'."
                )
        ignored([key for key in unknown if key not in self._ignored], self._place)
        self._ignored.update(unknown)
        for key in unknown:
            del fields[key]

    def _open(self, value: Any) -> Any:
        """The value itself; its line becomes the place of what is said next."""
        if isinstance(value, Lined):
            self._has_lines = True
            self._place = f"{self._file}, line {value.line}"
            return value.value
        return value

    def _value(self, value: Any) -> Any:
        inner = value.value if isinstance(value, Lined) else value
        return [self._value(item) for item in inner] if isinstance(inner, list) else inner

    def _keys(self, value: Pairs) -> set[Any]:
        return {key for key in (self._value(key) for key, _ in value.pairs) if _is_text(key)}

    def _dict(self, value: Pairs) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, inner in value.pairs:
            name = str(self._value(key))
            if name in found:
                raise TaxonomyError(f"{self._place}: {name!r} is there twice: remove one.")
            found[name] = inner
        return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
