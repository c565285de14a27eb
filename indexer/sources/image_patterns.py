"""Addresses of a row's pictures from a pattern with columns: ``images/{id}.jpg``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from typing import Any

from indexer.core.errors import ItemError
from indexer.core.reasons import Reason

_COLUMN = re.compile(r"\{([^{}]+)\}")


def columns_in(pattern: str) -> list[str]:
    """The columns that a pattern names."""
    return _COLUMN.findall(pattern)


def filled(pattern: str, values: Mapping[str, Any]) -> list[str]:
    """The pattern with a row's values: one address, or one for each entry of a list.

    Raises:
        ItemError: MISSING: a column has no value, or one that is no text and no number.
    """
    choices: dict[str, list[str]] = {}
    for column in columns_in(pattern):
        value = values.get(column)
        entries = value if isinstance(value, list | tuple) else [value]
        if not entries or not all(map(_is_name, entries)):
            raise ItemError(
                Reason.MISSING, f"the column {column!r}, which names the picture, is empty; fill it"
            )
        choices[column] = list(map(_name, entries))
    return [
        _with(pattern, dict(zip(choices, combination, strict=True)))
        for combination in product(*choices.values())
    ]


def _with(pattern: str, names: Mapping[str, str]) -> str:
    return _COLUMN.sub(lambda match: names[match[1]], pattern)


def _is_name(value: Any) -> bool:
    return value != "" and isinstance(value, str | int | float) and not isinstance(value, bool)


def _name(value: Any) -> str:
    """As a text; tables that passed through pandas hold whole numbers as floats."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
