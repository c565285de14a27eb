"""The type of each column: from the tables, the user, or the catalog.

Every value has the type of its column: where one size is ``S``, another is the text ``38``, so
that a filter ``metadata["size"] == "38"`` matches it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from indexer.core.column_types import ColumnType
from indexer.core.errors import ItemError, SourceError
from indexer.core.reasons import Reason

if TYPE_CHECKING:
    from indexer.sources.tables import Row

Convert = Callable[[Any], Any]

_SHOWN = 60
"""Characters of a value that a message shows."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The first value of a type in a column.

    Attributes:
        table: address of the file.
        row: its line or row; 0 where the type comes from the file's schema.
        value: the value, or the name of the type in the schema.
    """

    table: str
    row: int
    value: Any

    def __str__(self) -> str:
        if not self.row:
            return f"{self.table} has the type {self.value}"
        return f"{self.table}#{self.row} says {str(self.value)[:_SHOWN]!r}"


TypeExamples = dict[ColumnType, Example]
"""The types of a column's values, with an example of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """The result of a pass over a table.

    Attributes:
        rows: number of rows, including unreadable ones; None where they were not counted.
        columns: types by column; empty for a column without values.
    """

    rows: int | None
    columns: Mapping[str, TypeExamples] = field(default_factory=dict)


def survey_values(table: str, rows: Iterable[Row], skipped: frozenset[str]) -> Survey:
    """Types of JSON values, row by row.

    Args:
        table: address of the file.
        skipped: columns that are no metadata.
    """
    columns: dict[str, TypeExamples] = {}
    count = 0
    for row in rows:
        count += 1
        for name, value in (row.values or {}).items():
            if value is None or name in skipped:
                continue
            examples = columns.setdefault(name, {})
            kind = type_of(value)
            if kind is not None and kind not in examples:
                examples[kind] = Example(table=table, row=row.number, value=value)
    return Survey(rows=count, columns=columns)


INT64 = range(-(2**63), 2**63)

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
    """The type of a Python value; None for NaN."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, int) and value not in INT64:
        return ColumnType.TEXT  # as a number it would lose digits
    return _TYPES.get(type(value), ColumnType.TEXT)


def resolve_types(
    surveys: Sequence[Survey],
    named: Mapping[str, ColumnType],
    remembered: Mapping[str, ColumnType],
) -> dict[str, ColumnType]:
    """The type of each column that has values.

    Args:
        surveys: of all tables that are read.
        named: types that the user gave; they come first.
        remembered: types of the catalog's columns, which they keep.

    Raises:
        SourceError: a value does not fit the type that the catalog has.
    """
    merged: dict[str, TypeExamples] = {}
    for survey in surveys:
        for name, examples in survey.columns.items():
            merged[name] = examples | merged.get(name, {})
    types = {}
    for name, examples in merged.items():
        if name in named:
            types[name] = named[name]
            _warn_of_change(name, named[name], remembered.get(name))
        elif name in remembered:
            _check(name, examples, remembered[name])
            types[name] = remembered[name]
        elif examples:
            types[name] = _common_type(name, examples)
    return types


def _common_type(name: str, examples: TypeExamples) -> ColumnType:
    """The common type of values of several types: text, or JSON if there are lists."""
    if len(examples) == 1:
        return next(iter(examples))
    common = ColumnType.JSON if ColumnType.JSON in examples else ColumnType.TEXT
    _log.warning(
        "The column %r is of the type %s: %s. --column-type %s:%s makes the others dead letters.",
        name,
        common,
        ", ".join(map(str, sorted(examples.values(), key=lambda example: example.row))),
        name,
        next(kind for kind in ColumnType if kind in examples and kind is not common),
    )
    return common


def _check(name: str, examples: TypeExamples, stored: ColumnType) -> None:
    fits = set(ColumnType) if stored is ColumnType.JSON else {stored}
    if stored is ColumnType.TEXT:  # numbers and truth values are converted to it
        fits |= {ColumnType.NUMBER, ColumnType.BOOLEAN}
    for kind, example in examples.items():
        if kind not in fits:
            raise SourceError(
                f"the column {name!r} is of the type {stored} in the catalog, and {example}, which "
                f"is {kind}; correct it, or give the column another type for all rows that are "
                f"read from now on: --column-type {name}:"
                f"{ColumnType.JSON if ColumnType.JSON in (kind, stored) else ColumnType.TEXT}"
            )


def _warn_of_change(name: str, named: ColumnType, stored: ColumnType | None) -> None:
    if stored not in (None, named):
        _log.warning(
            "The column %r was of the type %s and is of the type %s from now on. Items that are "
            "not read again keep what they have: ingest their tables again.",
            name,
            stored,
            named,
        )


def converter(kind: ColumnType | None, column: str) -> Convert | None:
    """The conversion of Python values to a column's type; None where none is needed."""
    if kind in (None, ColumnType.JSON):
        return None

    def convert(value: Any) -> Any:
        value_type = None if value is None else type_of(value)
        if value_type is None or (value_type is kind and type(value) in (str, int, float, bool)):
            return value
        if kind is ColumnType.TEXT and value_type is not ColumnType.JSON:
            return text_form(value)
        if value_type is kind:  # a Decimal
            return value
        raise wrong_type(column, value, kind)

    return convert


def wrong_type(column: str, value: Any, kind: ColumnType) -> ItemError:
    """The error for a value that does not fit its column."""
    return ItemError(
        Reason.BAD_METADATA,
        f"the column {column!r} is of the type {kind}, and {str(value)[:_SHOWN]!r} is not; correct "
        f"it, or read the column as --column-type {column}:text",
    )


def text_form(value: Any) -> str:
    """A value as text: ISO 8601 for times and durations, digits unchanged."""
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
    hours, seconds_of_hour = divmod(value.seconds, 3600)
    minutes, seconds = divmod(seconds_of_hour, 60)
    fraction = f".{value.microseconds:06d}".rstrip("0").rstrip(".")
    days = f"{value.days}D" if value.days else ""
    return f"{sign}P{days}T{hours}H{minutes}M{seconds}{fraction}S"
