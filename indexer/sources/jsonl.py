"""JSON Lines."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from indexer.errors import SourceError
from indexer.sources.tables import Row, bytes_of, cut_short

_SAMPLED_ROWS = 100


@dataclass(frozen=True)
class JsonlTable:
    """A JSON object a line."""

    address: str

    def columns(self) -> list[str]:
        """Keys of the first rows; later rows may lack some or have others."""
        names: dict[str, None] = {}
        for row in itertools.islice(self.rows(), _SAMPLED_ROWS):
            names.update(dict.fromkeys(row.values or ()))
        if not names:
            raise SourceError(
                f"{self.address}: none of the first {_SAMPLED_ROWS} lines is a JSON object"
            )
        return list(names)

    def rows(self) -> Iterator[Row]:
        """Rows with JSON values; a malformed line has a problem instead."""
        number = 0
        with bytes_of(self.address) as lines:
            while True:
                number += 1
                try:
                    line = lines.readline()
                except (EOFError, OSError, zlib.error) as error:
                    yield cut_short(number, error)
                    return
                if not line:
                    return
                if line.strip():
                    yield _json_row(number, line)

    def metadata_value(self, value: Any) -> Any:
        """As it is."""
        return value


def _json_row(number: int, line: bytes) -> Row:
    try:
        values = json.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        return Row(number=number, values=None, problem=f"not valid JSON ({error})")
    if not isinstance(values, dict):
        kind = type(values).__name__
        return Row(number=number, values=None, problem=f"a JSON object is needed, this is a {kind}")
    return Row(number=number, values=values)
