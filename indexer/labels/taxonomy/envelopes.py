"""Finds the list of labels in a JSON or YAML file that holds other things too."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from indexer.labels.taxonomy.fields import ROLES, plain_key

logger = logging.getLogger(__name__)

# The first that a file has is taken: beside its labels it may have other lists.
_ENVELOPES = (
    *("categories", "verticals", "schema", "taxonomy", "nodes", "concepts", "terms", "taxa"),
    *("labels", "classes", "classnames", "labelnames", "data", "results", "items", "tree"),
)

_LISTS = ("labels", "classes", "classnames", "labelnames", "categories")
"""Keys that announce a list of names, and are no labels themselves."""

_GPC_LABELS = 4
"""Levels of GPC that are labels: below the bricks are attributes, the same in many bricks."""


@dataclass(frozen=True, slots=True)
class LabelPart:
    """The part of a file that holds the labels, in our own form or in records."""

    value: Any


def label_part(value: Mapping[Any, Any]) -> LabelPart | None:
    """The part of a file that is the list of labels, without the facts about the file."""
    if is_node(value):
        return None
    by_key = {plain_key(key): key for key in value}
    lists = [
        vertical.get("categories") if isinstance(vertical, Mapping) else None
        for vertical in _list_in(value, "verticals")
    ]
    if lists and all(
        isinstance(labels, list) for labels in lists
    ):  # Shopify's verticals, each with its own list
        return LabelPart([label for labels in lists for label in labels or ()])
    candidates = [key for key, entries in value.items() if _are_nodes(entries)]
    for name in _ENVELOPES:
        if (key := by_key.get(name)) in candidates:
            return LabelPart(_without_attributes(value[key]) if name == "schema" else value[key])
    has_facts = any(isinstance(entry, str | int | float) for entry in value.values())
    if len(candidates) == 1 and has_facts:
        return LabelPart(value[candidates[0]])
    named = [
        by_key[name] for name in _ENVELOPES if name in by_key and are_texts(value[by_key[name]])
    ]
    alone = len(value) == 1 and any(name in by_key for name in _LISTS)
    return LabelPart(value[named[0]]) if len(named) == 1 and (has_facts or alone) else None


def _list_in(value: Mapping[Any, Any], key: str) -> list[Any]:
    entries = value.get(key)
    return entries if isinstance(entries, list) else []


def _without_attributes(nodes: Iterable[Any]) -> list[Any]:
    """GPC's tree down to the bricks."""
    left_out = 0

    def pruned(node: Any) -> Any:
        nonlocal left_out
        if not isinstance(node, Mapping):
            return node
        below = {
            key: child_nodes
            for key, child_nodes in node.items()
            if plain_key(key) in {"childs", "children"}
        }
        pruned_lists = {}
        for key, child_nodes in below.items():
            listed = child_nodes if isinstance(child_nodes, list) else []
            labels = [child for child in listed if _level(child) <= _GPC_LABELS]
            left_out += len(listed) - len(labels)
            pruned_lists[key] = [pruned(child) for child in labels]
        return {**node, **pruned_lists}

    pruned_nodes = [pruned(node) for node in nodes]
    if left_out:
        logger.warning("%d attributes of bricks are no labels and were left out.", left_out)
    return pruned_nodes


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


def are_texts(value: Any) -> bool:
    """Whether a value is a list of texts, of one at least."""
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)


def _are_nodes(value: Any) -> bool:
    if isinstance(value, Mapping):
        value = list(value.values())
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(node, Mapping) and is_node(node) for node in value)
    )
