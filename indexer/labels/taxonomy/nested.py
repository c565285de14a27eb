"""JSON and YAML with what plain parsers drop: repeated keys, and line numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from indexer.core.errors import TaxonomyError


@dataclass(frozen=True, slots=True)
class Pairs:
    """A mapping with a repeated key, as written."""

    pairs: list[tuple[Any, Any]]


@dataclass(frozen=True, slots=True)
class Lined:
    """A value and the line that it begins on."""

    value: Any
    line: int


_MAX_NESTING = 200
"""Lists and mappings inside each other; a level of a tree takes up to two."""


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is no JSON.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_mapping)


def parse_yaml(text: str, place: str) -> Any:
    """The value of a YAML text with its lines; scalars stay as written.

    Raises:
        TaxonomyError: an alias, or nested too deeply.
        yaml.YAMLError: it is no YAML.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    _check_events(yaml.parse(text, Loader=loader), place)
    return _lined(yaml.compose(text, Loader=loader))


def plain(value: Any) -> Any:
    """A value without lines; a mapping that has a key twice stays as it is."""
    value = value.value if isinstance(value, Lined) else value
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if isinstance(value, Pairs):
        pairs = [(plain(key), plain(below)) for key, below in value.pairs]
        hashable = all(isinstance(key, str | int | float | None) for key, _ in pairs)
        return _mapping(pairs) if hashable else Pairs(pairs)
    if isinstance(value, dict):
        return {key: plain(below) for key, below in value.items()}
    return value


def pairs_of(value: Pairs | dict[Any, Any]) -> Iterable[tuple[Any, Any]]:
    """Keys and values of a mapping, as written."""
    return value.pairs if isinstance(value, Pairs) else list(value.items())


def keys_of(value: Pairs | dict[Any, Any]) -> set[Any]:
    """The keys of a mapping; those that are no texts by their ``repr``."""
    keys = (plain(key) for key, _ in pairs_of(value))
    return {key if isinstance(key, str) else repr(key) for key in keys}


def is_odd(key: Any) -> bool:
    """Whether a key is a list or a mapping, as YAML allows."""
    return not isinstance(plain(key), str | int | float)


def _mapping(pairs: list[tuple[Any, Any]]) -> dict[Any, Any] | Pairs:
    """A mapping; as ``Pairs`` only where a key is there twice."""
    mapping = dict(pairs)
    return mapping if len(mapping) == len(pairs) else Pairs(pairs)


def _check_events(events: Iterable[Any], place: str) -> None:
    """Refuse aliases and deep nesting.

    A few nested aliases can stand for billions of labels, and deep nesting crashes the process
    in libyaml.
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


def _lined(node: Any) -> Any:
    """A YAML node as texts, lists and mappings with their lines; scalars stay as written."""
    import yaml

    if node is None:
        return None
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return Lined(None if node.tag.endswith(":null") else node.value, line)
    if isinstance(node, yaml.SequenceNode):
        return Lined([_lined(item) for item in node.value], line)
    pairs = [(_lined(key), _lined(value)) for key, value in node.value]
    return Lined(Pairs(pairs), line)
