"""JSON Lines."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from indexer.core.column_types import ColumnType
from indexer.core.errors import SourceError
from indexer.core.packed import DAMAGE
from indexer.sources.columns import Convert, Survey, converter, survey_values
from indexer.sources.tables import Row, bytes_of, cut_short

_SAMPLED_ROWS = 100


@dataclass(frozen=True)
class JsonlTable:
    """A JSON object a line."""

    address: str

    def columns(self) -> list[str]:
        """Keys of the first rows; later rows may lack some or have others."""
        names: dict[str, None] = {}
        problem = "it is empty"
        for row in itertools.islice(self.rows(), _SAMPLED_ROWS):
            names.update(dict.fromkeys(row.values or ()))
            if row.values is None and problem == "it is empty":
                problem = f"line {row.number} is {row.problem}"
        if not names:
            raise SourceError(
                f"{self.address}: none of the first {_SAMPLED_ROWS} lines is a JSON object with "
                f"keys: {problem}; write one object a line, in UTF-8 "
                "(of a file that is one list, jq -c '.[]' makes such lines; of one with a list "
                "'products' in it, jq -c '.products[]')"
            )
        return list(names)

    def list_inside(self) -> str:
        """The key of the one list of objects in a file that is one object; empty for others."""
        first_rows = list(itertools.islice(self.rows(), 2))
        values = first_rows[0].values if len(first_rows) == 1 else None
        lists = [key for key, value in (values or {}).items() if _are_objects(value)]
        return lists[0] if len(lists) == 1 else ""

    def rows(self, first_row: int = 1) -> Iterator[Row]:
        """Rows with JSON values, from a line on; a malformed line has a problem instead."""
        number = 0
        with bytes_of(self.address) as lines:
            while True:
                number += 1
                try:
                    line = lines.readline()
                except DAMAGE as error:
                    yield cut_short(number, error)
                    return
                if not line:
                    return
                if number >= first_row and line.strip():
                    yield _json_row(number, line)

    def survey(self, skipped: frozenset[str]) -> Survey:
        """Types of the values of all lines."""
        return survey_values(self.address, self.rows(), skipped)

    def converter(self, column: str, kind: ColumnType | None) -> Convert | None:
        """Values as they are, or as text where their column is one of text."""
        return converter(kind, column)


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(x, dict) for x in value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different: of two values, one would vanish."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice; give each value a name of its own")
    return mapping


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _json_row(number: int, line: bytes) -> Row:
    try:
        values = _DECODER.decode(line.removeprefix(b"\xef\xbb\xbf").decode())
    except (ValueError, RecursionError) as error:
        return Row(number=number, values=None, problem=f"not valid JSON ({error}); correct it")
    if not isinstance(values, dict):
        kind = type(values).__name__
        return Row(number=number, values=None, problem=f"a JSON object is needed, this is a {kind}")
    return Row(number=number, values=values)
