"""Types of columns whose values are all text, as in CSV, by the form of the texts."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from indexer.core.column_types import ColumnType
from indexer.sources.columns import Convert, Example, TypeExamples, wrong_type

NO_VALUES = frozenset({"", "\\N"})
"""Texts without a value: the empty one, and MySQL's and PostgreSQL's NULL."""

WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}

# At most the digits of an int64 or a float. Codes such as 007 are no numbers.
_NUMBER = re.compile(
    r"0|-?[1-9][0-9]{0,17}|(?=.{3,17}\Z)-?(?:0|[1-9][0-9]*)\.[0-9]+",
)
_FLOAT = re.compile(
    r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:e[+-][0-9]{1,3})?|-?[1-9]e[+-][0-9]{1,3}",
)
"""Floats as programs write them: with all digits, or an exponent with its sign."""

_NULLS = frozenset({"NULL", "null"})
"""Texts without a value if all others of the column are numbers or truth values."""

_NOT_A_NUMBER = frozenset({"nan", "NaN", "NAN"})
_INFINITE = frozenset({"inf", "-inf", "Infinity", "-Infinity"})
"""Texts that are values in columns of numbers only."""

_COMMA = re.compile(
    r"(?=.{3,17}\Z)-?(?:0|[1-9][0-9]*|[1-9][0-9]{0,2}(?:\.[0-9]{3})+),([0-9]+)",
)


@dataclass(slots=True)
class TextColumn:
    """The types of one column's texts, added chunk by chunk.

    A column with decimal commas is numeric if the separator is not a comma, no value has a
    point, and some value has not exactly three digits after its comma: ``1,234`` alone may be a
    thousand.

    Attributes:
        table: address of the file.
        commas: whether decimal commas are possible.
    """

    table: str
    commas: bool = False
    _first: dict[str, Example] = field(default_factory=dict)
    _clear: bool = False

    def add(self, numbers: Sequence[int], values: Sequence[str]) -> None:
        """Add the values of some rows, with the rows' numbers."""
        if "text" in self._first:
            return
        distinct = set(values) - NO_VALUES
        if not distinct:
            return
        plain = not self.commas and all(map(_NUMBER.fullmatch, distinct))
        kinds = {"number"} if plain else set(map(self._kind, distinct))
        for kind in kinds - self._first.keys():
            row, value = next(
                (row, value)
                for row, value in zip(numbers, values, strict=True)
                if value not in NO_VALUES and self._kind(value) == kind
            )
            self._first[kind] = Example(table=self.table, row=row, value=value)

    def types(self) -> TypeExamples:
        """The types with an example of each."""
        return {ColumnType(kind): example for kind, example in self._normal().items()}

    @property
    def has_commas(self) -> bool:
        """Whether its numbers have decimal commas."""
        return self._decides() and "comma" in self._first

    def _decides(self) -> bool:
        return self._clear and not {"point", "text", "boolean"} & self._first.keys()

    def _normal(self) -> dict[str, Example]:
        first_texts = dict(self._first)
        point, comma = first_texts.pop("point", None), first_texts.pop("comma", None)
        special = first_texts.pop("special", None)
        if point is not None:
            first_texts.setdefault("number", point)
        if comma is not None:
            first_texts.setdefault("number" if self._decides() else "text", comma)
        null = first_texts.pop("null", None)
        if special is not None and first_texts.keys() != {"number"}:
            first_texts.setdefault("text", special)
        if null is not None and len(first_texts) > 1:
            first_texts.setdefault("text", null)
        return first_texts

    def _kind(self, value: str) -> str:
        if _NUMBER.fullmatch(value) or _exact_float(value) is not None:
            return "point" if self.commas and "." in value else "number"
        if value in _NOT_A_NUMBER or value in _INFINITE:
            return "special"
        if value in _NULLS:
            return "null"
        if value in WORDS:
            return "boolean"
        if self.commas and (comma := _COMMA.fullmatch(value)):
            self._clear |= len(comma[1]) != 3
            return "comma"
        return "text"


def text_converter(kind: ColumnType | None, column: str, *, commas: bool = False) -> Convert:
    """The conversion of texts to values of a column's type.

    Args:
        commas: numbers have decimal commas.
    """
    parse = partial(_number, commas=commas) if kind is ColumnType.NUMBER else _PARSERS.get(kind)
    if parse is None:
        return _text if kind is ColumnType.TEXT else _text_or_null

    def convert(text: str) -> Any:
        if text in NO_VALUES or text in _NULLS:
            return None
        value = parse(text)
        if value is None:
            assert kind is not None
            raise wrong_type(column, text, kind)
        return value

    return convert


def _text(text: str) -> str | None:
    return None if text in NO_VALUES else text


def _text_or_null(text: str) -> str | None:
    return None if text in _NULLS else _text(text)


def _number(text: str, *, commas: bool) -> int | float | None:
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    if commas and _COMMA.fullmatch(text):
        return float(text.replace(".", "").replace(",", "."))
    if text in _NOT_A_NUMBER or text in _INFINITE:
        return float(text)  # NaN is not stored, infinity is a bad value
    return _exact_float(text)


def _exact_float(text: str) -> float | None:
    """A text's float; None where it would lose digits."""
    if not _FLOAT.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) and Decimal(repr(number)) == Decimal(text) else None


def _structure(text: str) -> Any:
    """A list or an object from JSON, else the text."""
    if text[:1] in ("[", "{"):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(text)
    return text


_PARSERS: dict[ColumnType | None, Convert] = {
    ColumnType.BOOLEAN: WORDS.get,
    ColumnType.JSON: _structure,
}
