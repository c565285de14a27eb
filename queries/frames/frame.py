"""An Arrow table that shows itself in a notebook, with thumbnails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa

from indexer.core.errors import UsageError
from indexer.sources import Fetcher
from indexer.sources.decoding import Decoder
from queries.pages.parts import Pictures, render

SHOWN_ROWS = 20
"""Rows of the HTML: each may have a picture, which is read and decoded to show it."""

_ROWS_IN_TEXT = 5
"""Rows that ``print`` shows: a look at what there is."""

_TIMEOUT_S = 5.0
"""Seconds that one picture may take to come: a notebook waits for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Rows of a result.

    What takes Arrow's C stream takes a frame as it is: DuckDB, ``polars.DataFrame``, and
    ``DataFrame.from_arrow`` of pandas 3.

    Attributes:
        table: all rows and columns.
        title: what the rows are, in words.
        shown: columns that a notebook shows; empty for all.
        sources: of the first rows each one's picture: its path or URL, or a JPEG itself, empty
            where there is none; without any, no pictures are shown.
    """

    table: pa.Table
    title: str
    shown: tuple[str, ...] = ()
    sources: tuple[str | bytes, ...] = ()

    @classmethod
    def of_rows(
        cls,
        rows: Sequence[Mapping[str, Any]],
        columns: Mapping[str, pa.DataType | None],
        *,
        title: str,
        shown: tuple[str, ...] = (),
        sources: tuple[str | bytes, ...] = (),
    ) -> Frame:
        """A frame of dictionaries.

        Args:
            columns: type by name; None is what the values are.
        """
        values = {name: [row.get(name) for row in rows] for name in columns}
        table = pa.table(
            {name: pa.array(values[name], columns[name], from_pandas=True) for name in columns}
        )
        return cls(table=table, title=title, shown=shown, sources=sources)

    def __repr__(self) -> str:
        rows, names = self.table.num_rows, self.shown or tuple(self.table.column_names)
        lines = [
            "  " + ", ".join(f"{name}: {_text(row[name])}" for name in names)
            for row in self.table.slice(0, _ROWS_IN_TEXT).select(names).to_pylist()
        ]
        more = [f"  ... and {rows - _ROWS_IN_TEXT:,} more"] if rows > _ROWS_IN_TEXT else []
        return "\n".join([f"<Frame: {self.title}, {rows:,} rows>", *lines, *more])

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``.

        Raises:
            UsageError: pandas is not installed.
        """
        _require("pandas")
        return self.table.to_pandas()

    def to_polars(self) -> Any:
        """A ``polars.DataFrame``.

        Raises:
            UsageError: polars is not installed.
        """
        return _require("polars").from_arrow(self.table)

    def _repr_html_(self) -> str:
        """The first rows; what is not shown is counted below them."""
        names = self.shown or tuple(self.table.column_names)
        rows = self.table.slice(0, SHOWN_ROWS).select(names).to_pylist()
        sources = self.sources[: len(rows)]
        with Fetcher(retries=0, timeout_s=_TIMEOUT_S) as fetcher:
            return render(
                "frame.html",
                title=self.title,
                names=names,
                rows=[{name: _text(value) for name, value in row.items()} for row in rows],
                sources=sources,
                all_rows=len(self),
                all_names=self.table.column_names,
                pictures=Pictures(fetcher, Decoder()),
            )


def columns_of(kind: type) -> list[str]:
    """Names of the columns of rows that are values of a dataclass."""
    return [field.name for field in fields(kind)]


def _text(value: Any) -> str:
    """A cell as people read it."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _require(library: str) -> Any:
    from importlib import import_module

    try:
        return import_module(library)
    except ImportError as error:
        raise UsageError(f"{library} is not installed: pip install {library}") from error
