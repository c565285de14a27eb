"""Reads the tables that ``categorize`` wrote: Parquet, CSV, JSON lines."""

from __future__ import annotations

import csv
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.core.cells import FORMULA
from indexer.core.errors import UsageError
from indexer.core.label_sets import CATEGORY, column_prefix, sets_option

if TYPE_CHECKING:
    import pyarrow as pa

OWN_COLUMN = re.compile(
    r"(item_id|margin|unknown_score|label_version|label_set|set_size"
    r"|(label|label_id|path|score|similarity|status)(_\d+)?)"
)
"""Columns that ``categorize`` writes for a label set: a prediction is no truth."""


@dataclass(frozen=True)
class Table:
    """A table that ``categorize`` wrote.

    Attributes:
        path: the file.
        rows: as they were read.
        set_name: the label set that was decided.
    """

    path: Path
    rows: pa.Table
    set_name: str = CATEGORY

    @cached_property
    def columns(self) -> frozenset[str]:
        """Names of the columns."""
        return frozenset(self.rows.column_names)

    @cached_property
    def item_ids(self) -> list[str]:
        """The items, in order."""
        return [text_of(value) for value in self.values("item_id")]

    @property
    def label_columns(self) -> list[str]:
        """The columns of the labels that each item was given, best first."""
        places = range(2, len(self.columns) + 2)
        others = itertools.takewhile(
            self.columns.__contains__, (f"label_id_{place}" for place in places)
        )
        return ["label_id", *others]

    def values(self, column: str, rows: Sequence[int] | None = None) -> list[Any]:
        """Values of a column; of some rows, or of all."""
        cells = self.rows.column(column)
        return list((cells if rows is None else cells.take(rows)).to_pylist())


def read_table(path: Path, set_name: str = CATEGORY) -> Table:
    """Read a Parquet, CSV or JSON lines file.

    Args:
        set_name: the label set whose columns are read. They lose the set's name, and those of the
            category get its name, ``category_label``.

    Raises:
        UsageError: unreadable, of another kind, or not written by ``categorize``.
    """
    cells = _read_cells(
        path,
        otherwise="Make it with: zeroshelf categorize --to FILE, or leave it out to have the items "
        "categorized now.",
    )
    prefix = column_prefix(set_name)
    needed = ("item_id", f"{prefix}label_id", f"{prefix}score")
    missing = [name for name in needed if name not in cells.column_names]
    if missing:
        raise UsageError(
            f"table {str(path)!r} has no column {', '.join(map(repr, missing))}: it must be one "
            f"that zeroshelf categorize{sets_option(set_name)} wrote. It has: "
            f"{', '.join(cells.column_names) or 'none'}."
        )
    table = Table(path, _columns_of_set(cells, set_name), set_name)
    _refuse_repeated(table)
    return table


def read_given_labels(path: Path) -> Table:
    """Read a table of items and their labels, whoever wrote it.

    Raises:
        UsageError: unreadable, of another kind, without ``item_id``, or an item has two rows.
    """
    cells = _read_cells(path, otherwise="Give one with item_id and a column of labels.")
    if "item_id" not in cells.column_names:
        raise UsageError(
            f"table {str(path)!r} has no column 'item_id', which says whose labels they are. It "
            f"has: {', '.join(cells.column_names) or 'none'}."
        )
    table = Table(path, cells)
    _refuse_repeated(table)
    return table


def _read_cells(path: Path, *, otherwise: str) -> pa.Table:
    """The cells of a file; ``otherwise``: what helps where it is not there."""
    import pyarrow as pa

    try:
        read = _READERS[path.suffix.lower()]
    except KeyError:
        raise UsageError(
            f"{str(path)!r} is no such table: it must end in {', '.join(_READERS)}."
        ) from None
    try:
        return read(path)
    except FileNotFoundError:
        raise UsageError(f"table {str(path)!r} does not exist. {otherwise}") from None
    except (OSError, pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"table {str(path)!r} can't be read: {error}.") from error


def _columns_of_set(cells: pa.Table, set_name: str) -> pa.Table:
    """The table with the columns of a label set named as those of the category are."""
    prefix = column_prefix(set_name)
    if not prefix:
        return cells

    def renamed(name: str) -> str:
        if OWN_COLUMN.fullmatch(name) and name != "item_id":
            return f"{CATEGORY}_{name}"
        of_set = name.removeprefix(prefix)
        return of_set if of_set != name and OWN_COLUMN.fullmatch(of_set) else name

    return cells.rename_columns([renamed(name) for name in cells.column_names])


def text_of(value: Any) -> str:
    """A value as people write it: no text for none, whole numbers without a fraction."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return (value if isinstance(value, str) else str(value)).strip()


def _refuse_repeated(table: Table) -> None:
    seen: set[str] = set()
    for item_id in table.item_ids:
        if item_id in seen:
            raise UsageError(
                f"table {str(table.path)!r} has item {item_id!r} more than once: give each item "
                "one row."
            )
        seen.add(item_id)


def _read_parquet(path: Path) -> pa.Table:
    import pyarrow.parquet as pq

    return pq.read_table(path)


def _read_csv(path: Path) -> pa.Table:
    """All columns as text: ids that look like numbers stay as they are written."""
    import pyarrow as pa
    import pyarrow.compute as compute
    import pyarrow.csv as pc

    with path.open(encoding="utf-8-sig", newline="") as stream:
        names = next(csv.reader(stream), [])
    if len(set(names)) < len(names):
        raise csv.Error("a column occurs twice in its header")
    texts = pc.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
    parse = pc.ParseOptions(newlines_in_values=True)
    table = pc.read_csv(path, convert_options=texts, parse_options=parse)
    cells = {
        name: compute.replace_substring_regex(
            table.column(name), pattern=f"^'({FORMULA})", replacement=r"\1"
        )
        for name in table.column_names
    }
    return pa.table(cells)


def _read_jsonl(path: Path) -> pa.Table:
    import pyarrow.json as pj

    return pj.read_json(path)


_READERS = {".parquet": _read_parquet, ".csv": _read_csv, ".jsonl": _read_jsonl}
