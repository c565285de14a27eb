"""What callers in Python give: lists or columns of data frame libraries, and numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from operator import index
from pathlib import PurePath
from typing import Any, SupportsFloat, SupportsIndex, TypeVar

from indexer.core.errors import UsageError

Choice = TypeVar("Choice", bound=StrEnum)


def is_missing(value: object) -> bool:
    """Whether a value is None, NaN, or what pandas has for a missing one."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or type(value).__name__ in {"NAType", "NaTType"}


def entries_of(column: Iterable[Any]) -> list[Any]:
    """The values of a column of pandas, polars, Arrow or numpy, of an iterator or a list."""
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(column, method):
            return list(getattr(column, method)())
    return list(column)


def texts_of(name: str, values: Iterable[Any] | None, *, blank_missing: bool = False) -> list[str]:
    """Texts of a list or a column; none of None.

    Args:
        name: of the argument, for messages.
        blank_missing: an entry that is missing is an empty text.

    Raises:
        UsageError: it is a single text, whose letters would be taken one by one, or no list, or an
            entry is no text.
    """
    if values is None:
        return []
    refuse_single(name, values)
    texts = entries_of(values)
    if blank_missing:
        texts = ["" if is_missing(text) else text for text in texts]
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(f"{name}[{place}] is {text!r:.60}: give texts, without None and NaN.")
    return texts


def mappings_of(name: str, rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Rows as dictionaries.

    Args:
        name: of the argument, for messages.

    Raises:
        UsageError: it is a single value, or a row is no mapping.
    """
    refuse_single(name, rows)
    mappings = list(rows)
    for place, row in enumerate(mappings):
        if not isinstance(row, Mapping):
            raise UsageError(f"{name}[{place}] is {row!r:.60}: give mappings, a row each.")
    return list(map(dict, mappings))


def refuse_single(name: str, values: object) -> None:
    """Refuse a single value where a list is meant.

    Raises:
        UsageError: it is a text, bytes or a path, or nothing that has entries.
    """
    if isinstance(values, str | bytes | PurePath):
        raise UsageError(f"{name} is a list: give [{values!r:.60}].")
    if not isinstance(values, Iterable):
        raise UsageError(f"{name} is a list, and {values!r:.60} is none.")


def refuse_other_than_text(**texts: object) -> None:
    """Refuse what is no text, such as the number of an item in the place of its id.

    Args:
        texts: arguments by their names.

    Raises:
        UsageError: one is no text.
    """
    for name, text in texts.items():
        if not isinstance(text, str):
            raise UsageError(f"{name} {text!r:.60} is no text: give one.")


def refuse_beyond(low: float, high: float, **numbers: object) -> None:
    """Refuse numbers outside of a range, both ends included; None is no number that was given.

    Args:
        numbers: arguments by their names.

    Raises:
        UsageError: one is outside, or no number.
    """
    for name, number in numbers.items():
        if number is None:
            continue
        if not (isinstance(number, SupportsFloat) and low <= float(number) <= high):
            raise UsageError(f"{name} {number!r:.60}: give a number from {low:g} to {high:g}.")


def refuse_below(least: int, **counts: object) -> None:
    """Refuse what is no whole number from the least one on.

    Args:
        counts: arguments by their names.

    Raises:
        UsageError: one is none.
    """
    for name, count in counts.items():
        if not isinstance(count, SupportsIndex) or index(count) < least:
            raise UsageError(f"{name} {count!r:.60}: give a whole number from {least} on.")


def one_of(name: str, value: object, kind: type[Choice]) -> Choice:
    """A value of an enumeration, also by its text.

    Args:
        name: of the argument, for messages.

    Raises:
        UsageError: there is no such value.
    """
    if not isinstance(value, str) or value not in list(kind):
        raise UsageError(f"{name} {value!r:.60}: one of {', '.join(kind)}.")
    return kind(value)
