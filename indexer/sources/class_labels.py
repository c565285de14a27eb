"""Classes of Hugging Face's ``datasets``: columns of numbers that stand for names.

``datasets`` writes the names of a ``ClassLabel`` into the metadata of the file's Arrow schema, as
JSON: https://huggingface.co/docs/datasets/main/en/package_reference/main_classes#datasets.ClassLabel
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

Feature = Any
"""A feature as JSON: a mapping with ``_type``, a mapping of a struct's fields, or a list."""

_KEY = b"huggingface"


def class_features(schema: Any) -> dict[str, Feature]:
    """The columns of an Arrow schema that are classes or have some inside."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        features = json.loads((schema.metadata or {})[_KEY])["info"]["features"]
        return {name: features[name] for name in schema.names if _has_classes(features.get(name))}
    return {}


def names_of(feature: Feature) -> list[str]:
    """The names of a class; empty for a feature that only has classes inside."""
    is_class = isinstance(feature, Mapping) and feature.get("_type") == "ClassLabel"
    return list(feature["names"]) if is_class else []


def with_names(value: Any, feature: Feature) -> Any:
    """A value with names in the place of numbers, in lists and structs too.

    -1 stands for no class in the test splits of some data sets, and becomes None.

    Raises:
        ValueError: a number that no class has.
    """
    if value is None or feature is None:
        return value
    if names := names_of(feature):
        if isinstance(value, list):  # a struct of lists, which a list of structs is stored as
            return [with_names(entry, feature) for entry in value]
        if not isinstance(value, int) or value == -1:
            return None if value == -1 else value
        if not 0 <= value < len(names):
            raise ValueError(f"class {value} of {len(names)}")
        return names[value]
    inner = _inner(feature)
    if isinstance(value, list):
        return [with_names(entry, inner) for entry in value]
    if isinstance(value, Mapping):
        fields = inner if isinstance(inner, Mapping) else {}
        return {name: with_names(entry, fields.get(name)) for name, entry in value.items()}
    return value


def _inner(feature: Feature) -> Feature:
    """What a list's entries are; a struct's own fields."""
    if isinstance(feature, list):
        return feature[0] if feature else None
    return feature.get("feature") if "_type" in feature else feature


def _has_classes(feature: Feature) -> bool:
    if isinstance(feature, list):
        return any(map(_has_classes, feature))
    if not isinstance(feature, Mapping):
        return False
    return bool(names_of(feature)) or any(map(_has_classes, feature.values()))
