"""The types that a column of metadata can have: one for the whole catalog."""

from __future__ import annotations

from enum import StrEnum


class ColumnType(StrEnum):
    """What a column's values are, so that a filter finds them all."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"

    JSON = "json"
    """Lists, objects, or values of any kind side by side, as they are."""
