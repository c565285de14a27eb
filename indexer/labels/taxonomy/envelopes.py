"""Files that say more than labels: which part of a JSON or YAML file is the list of labels."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from indexer.labels.taxonomy.fields import ROLES, plain_key

logger = logging.getLogger(__name__)

_ENVELOPES = (
    *("categories", "verticals", "schema", "taxonomy", "nodes", "concepts", "terms", "taxa"),
    *("labels", "classes", "classnames", "labelnames", "data", "results", "items", "tree"),
)

_LISTS = ("labels", "classes", "classnames", "labelnames", "categories")
"""Keys that say of a list of names what it is, rather than being a label themselves."""

_GPC_LABELS = 4
"""Levels of GPC that are labels: below the brick are attributes, the same in many bricks."""


@dataclass(frozen=True, slots=True)
class Inner:
    """The part of a file that holds the labels, in our own form or in records."""

    value: Any


def inner_part(value: Mapping[Any, Any]) -> Inner | None:
    """The one part of a file that is a list of labels, beside what is said of the file."""
    if is_node(value):
        return None
    by_key = {plain_key(key): key for key in value}
    lists = [
        part.get("categories") if isinstance(part, Mapping) else None
        for part in _list_in(value, "verticals")
    ]
    if lists and all(isinstance(one, list) for one in lists):  # Shopify's, each with its own list
        return Inner([label for one in lists for label in one or ()])
    candidates = [key for key, part in value.items() if _are_nodes(part)]
    for name in _ENVELOPES:
        if (key := by_key.get(name)) in candidates:
            return Inner(_without_attributes(value[key]) if name == "schema" else value[key])
    says_more = any(isinstance(part, str | int | float) for part in value.values())
    if len(candidates) == 1 and says_more:
        return Inner(value[candidates[0]])
    named = [
        by_key[name] for name in _ENVELOPES if name in by_key and are_texts(value[by_key[name]])
    ]
    alone = len(value) == 1 and any(name in by_key for name in _LISTS)
    return Inner(value[named[0]]) if len(named) == 1 and (says_more or alone) else None


def _list_in(value: Mapping[Any, Any], key: str) -> list[Any]:
    part = value.get(key)
    return part if isinstance(part, list) else []


def _without_attributes(nodes: Iterable[Any]) -> list[Any]:
    """GPC's tree down to the bricks."""
    left_out = 0

    def pruned(node: Any) -> Any:
        nonlocal left_out
        if not isinstance(node, Mapping):
            return node
        below = {
            key: part for key, part in node.items() if plain_key(key) in {"childs", "children"}
        }
        kept = {}
        for key, part in below.items():
            every = part if isinstance(part, list) else []
            inside = [one for one in every if _level(one) <= _GPC_LABELS]
            left_out += len(every) - len(inside)
            kept[key] = [pruned(one) for one in inside]
        return {**node, **kept}

    found = [pruned(node) for node in nodes]
    if left_out:
        logger.warning("%d attributes of bricks are no labels and were left out.", left_out)
    return found


def _level(node: Any) -> int:
    level = node.get("Level", 0) if isinstance(node, Mapping) else 0
    return int(level) if str(level).isdigit() else 0


def is_node(value: Mapping[Any, Any]) -> bool:
    """Whether a mapping is one label: some field of it is a name, and no list or mapping."""
    keys = {plain_key(key): key for key in value}
    if "name" in value:
        return True
    return any(
        key in keys and isinstance(value[keys[key]], str | int | float)
        for key in ROLES["name"]
        if key != "value"
    )


def are_texts(part: Any) -> bool:
    """Whether a value is a list of texts, of one at least."""
    return isinstance(part, list) and bool(part) and all(isinstance(one, str) for one in part)


def _are_nodes(part: Any) -> bool:
    if isinstance(part, Mapping):
        part = list(part.values())
    return (
        isinstance(part, list)
        and bool(part)
        and all(isinstance(one, Mapping) and is_node(one) for one in part)
    )
