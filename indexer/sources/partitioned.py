"""Folders of tables, as Spark, DuckDB, polars and Hugging Face write them.

The files of a folder are one table. A folder called ``shop=uk`` gives its rows the column
``shop`` (Hive's layout); a file or folder called after a split, as in
``data/train-00000-of-00002.parquet``, gives them the column ``split``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from indexer.core.errors import SourceError
from indexer.sources import addresses
from indexer.sources.globs import is_mark

NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
"""Hive's name of the partition of rows without a value."""

SPLIT_COLUMN = "split"
_SPLITS = "train|training|test|testing|validation|valid|val|dev|eval|evaluation"
_SPLIT_FILE = re.compile(rf"({_SPLITS})(?:-\d+-of-\d+(?:-[0-9a-f]+)?)?\.[a-z.]+", re.IGNORECASE)
_SPLIT_FOLDER = re.compile(_SPLITS, re.IGNORECASE)
# 18 digits always fit an int64; a number like 007 is a code.
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")

_TRANSACTIONS = {
    "_delta_log": "Delta Lake",
    ".hoodie": "Hudi",
}


def files_below(folder: str, relative: str = "", above: tuple[str, ...] = ()) -> Iterator[str]:
    """Paths of the files below a folder, sorted, without hidden ones and marks.

    Args:
        relative: a folder below it, to which to limit the paths.
        above: the real folders above it.

    Raises:
        SourceError: a folder can't be listed, or holds a table with a log of its own.
    """
    place = addresses.join(folder, relative.rstrip("/"))
    above = (*above, addresses.real(place))
    if above[-1] in above[:-1]:
        raise SourceError(f"{place}: links back to {above[-1]}; remove the link")
    try:
        entries = sorted(addresses.children(place))
    except OSError as error:
        raise SourceError(f"{place}: can't be listed ({error}); check it") from error
    for name, _ in entries:
        if name in _TRANSACTIONS:
            raise SourceError(
                f"{place}: is a {_TRANSACTIONS[name]} table: only its log says which of its files "
                "count. Write the rows out as Parquet, for instance with DuckDB, and name that file"
            )
    for name, deeper in entries:
        if is_mark(name):
            continue
        if deeper:
            yield from files_below(folder, f"{relative}{name}/", above)
        else:
            yield f"{relative}{name}"


def columns_of_paths(paths: Sequence[str]) -> list[dict[str, Any]]:
    """The columns that each path adds to its rows, by the names of its folders.

    A column has whole numbers if all of its values are whole numbers, else texts.
    """
    path_columns = [_columns_of(path) for path in paths]
    for column in {name for columns in path_columns for name in columns}:
        values = [columns[column] for columns in path_columns if columns.get(column) is not None]
        if values and all(_WHOLE.fullmatch(value) for value in values):
            for columns in path_columns:
                if columns.get(column) is not None:
                    columns[column] = int(columns[column])
    return path_columns


def _columns_of(path: str) -> dict[str, Any]:
    *folders, file = path.split("/")
    columns: dict[str, Any] = {}
    for folder in folders:
        key, mark, value = folder.partition("=")
        if mark and key:
            columns[unquote(key)] = None if value == NO_VALUE else unquote(value)
        elif _SPLIT_FOLDER.fullmatch(folder):
            columns[SPLIT_COLUMN] = folder
    split = _SPLIT_FILE.fullmatch(file)
    if split:
        columns.setdefault(SPLIT_COLUMN, split[1])
    return columns


@dataclass(frozen=True, slots=True, kw_only=True)
class TableLocation:
    """The place of one of several tables that are read as one.

    Attributes:
        root: the folder of all of them; relative paths of pictures start from it.
        path: the table's path below it, from which rows without ids get theirs.
        columns: columns that the path adds to the rows; a table's own values come first.
    """

    root: str
    path: str
    columns: Mapping[str, Any]

    def filled(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A row's values with those of the path."""
        row_values = {column: value for column, value in values.items() if value not in (None, "")}
        return {**values, **self.columns, **row_values}
