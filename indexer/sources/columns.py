"""The type of each column: found in the tables, said by the user, or remembered.

A value has the type of its column wherever it stands: where one size is ``S``, another is
the text ``38``, so that a filter ``metadata["size"] == "38"`` finds it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from indexer.core.column_types import ColumnType
from indexer.core.errors import ItemError, SourceError
from indexer.core.reasons import Reason

Convert = Callable[[Any], Any]

_SHOWN = 60
"""Characters of a value that a message shows."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The first value of a type in a column.

    Attributes:
        table: address of the file.
        row: its line or row; 0 where the file's schema says the type.
        value: the value, or the name of the type in the schema.
    """

    table: str
    row: int
    value: Any

    def __str__(self) -> str:
        if not self.row:
            return f"{self.table} has the type {self.value}"
        return f"{self.table}#{self.row} says {str(self.value)[:_SHOWN]!r}"


Found = dict[ColumnType, Example]
"""The types of a column's values, with an example of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a pass over a table found.

    Attributes:
        rows: number of rows, those that can't be read included; None where it was not counted.
        columns: types by column; empty for a column without values.
    """

    rows: int | None
    columns: Mapping[str, Found] = field(default_factory=dict)


def survey_values(
    table: str, rows: Iterable[tuple[int, Mapping[str, Any] | None]], skipped: frozenset[str]
) -> Survey:
    """Types of JSON values, row by row.

    Args:
        table: address of the file.
        rows: numbers and values; None for a row that can't be read.
        skipped: columns that are no metadata.
    """
    columns: dict[str, Found] = {}
    count = 0
    for number, values in rows:
        count += 1
        for name, value in (values or {}).items():
            if value is None or name in skipped:
                continue
            found = columns.setdefault(name, {})
            kind = type_of(value)
            if kind is not None and kind not in found:
                found[kind] = Example(table=table, row=number, value=value)
    return Survey(rows=count, columns=columns)


_INT64 = range(-(2**63), 2**63)

_TYPES: dict[type, ColumnType] = {
    str: ColumnType.TEXT,
    bool: ColumnType.BOOLEAN,
    int: ColumnType.NUMBER,
    float: ColumnType.NUMBER,
    list: ColumnType.JSON,
    dict: ColumnType.JSON,
    Decimal: ColumnType.NUMBER,
}


def type_of(value: Any) -> ColumnType | None:
    """The type of a Python value; None where it is no value, such as NaN."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, int) and value not in _INT64:
        return ColumnType.TEXT  # as a number it would lose digits
    return _TYPES.get(type(value), ColumnType.TEXT)


def resolved(
    surveys: Sequence[Survey],
    said: Mapping[str, ColumnType],
    remembered: Mapping[str, ColumnType],
) -> dict[str, ColumnType]:
    """The type of each column that has values.

    Args:
        surveys: of all tables that are read.
        said: types that the user named; they come first.
        remembered: types that the catalog has; its columns keep them.

    Raises:
        SourceError: a value does not fit the type that the catalog has.
    """
    merged: dict[str, Found] = {}
    for survey in surveys:
        for name, found in survey.columns.items():
            merged[name] = found | merged.get(name, {})
    types = {}
    for name, found in merged.items():
        if name in said:
            types[name] = said[name]
            _tell_change(name, said[name], remembered.get(name))
        elif name in remembered:
            _check(name, found, remembered[name])
            types[name] = remembered[name]
        elif found:
            types[name] = _common(name, found)
    return types


def _common(name: str, found: Found) -> ColumnType:
    """One type for values of several: text, or JSON where there are lists."""
    if len(found) == 1:
        return next(iter(found))
    common = ColumnType.JSON if ColumnType.JSON in found else ColumnType.TEXT
    _log.warning(
        "The column %r is of the type %s: %s. --column-type %s:%s makes the others dead letters.",
        name,
        common,
        ", ".join(map(str, sorted(found.values(), key=lambda example: example.row))),
        name,
        next(kind for kind in ColumnType if kind in found and kind is not common),
    )
    return common


def _check(name: str, found: Found, kept: ColumnType) -> None:
    fits = set(ColumnType) if kept is ColumnType.JSON else {kept}
    if kept is ColumnType.TEXT:  # which numbers and truth values become
        fits |= {ColumnType.NUMBER, ColumnType.BOOLEAN}
    for kind, example in found.items():
        if kind not in fits:
            raise SourceError(
                f"the column {name!r} is of the type {kept} in the catalog, and {example}, which "
                f"is {kind}; correct it, or give the column another type for all rows that are "
                f"read from now on: --column-type {name}:"
                f"{ColumnType.JSON if ColumnType.JSON in (kind, kept) else ColumnType.TEXT}"
            )


def _tell_change(name: str, said: ColumnType, kept: ColumnType | None) -> None:
    if kept not in (None, said):
        _log.warning(
            "The column %r was of the type %s and is of the type %s from now on. Items that are "
            "not read again keep what they have: ingest their tables again.",
            name,
            kept,
            said,
        )


def converter(kind: ColumnType | None, column: str) -> Convert | None:
    """What makes a Python value one of its column's type; None where all stay as they are."""
    if kind in (None, ColumnType.JSON):
        return None

    def convert(value: Any) -> Any:
        found = None if value is None else type_of(value)
        if found is None or (found is kind and type(value) in (str, int, float, bool)):
            return value
        if kind is ColumnType.TEXT and found is not ColumnType.JSON:
            return text_form(value)
        if found is kind:  # a Decimal
            return value
        raise wrong_type(column, value, kind)

    return convert


def wrong_type(column: str, value: Any, kind: ColumnType) -> ItemError:
    """Why a value can't be stored in its column."""
    return ItemError(
        Reason.BAD_METADATA,
        f"the column {column!r} is of the type {kind}, and {str(value)[:_SHOWN]!r} is not; correct "
        f"it, or read the column as --column-type {column}:text",
    )


def text_form(value: Any) -> str:
    """A value as text: ISO 8601 for times and durations, digits as they are."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, bytes):
        if len(value) != 16:
            raise ItemError(Reason.BAD_METADATA, f"{len(value):,} bytes are no text")
        return str(UUID(bytes=value))
    return str(value)


def _duration(value: timedelta) -> str:
    """ISO 8601: ``P1DT2H3M4.5S``."""
    sign = "-" if value < timedelta(0) else ""
    value = abs(value)
    hours, rest = divmod(value.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{value.microseconds:06d}".rstrip("0").rstrip(".")
    days = f"{value.days}D" if value.days else ""
    return f"{sign}P{days}T{hours}H{minutes}M{seconds}{fraction}S"
