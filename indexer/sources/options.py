"""The options for reading a table."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from indexer.core import limits
from indexer.core.column_types import ColumnType
from indexer.core.delimited import Quoting
from indexer.core.errors import UsageError
from indexer.core.given_values import one_of, texts_of
from indexer.core.table_formats import TableFormat
from indexer.sources.columns import converter
from indexer.sources.shard_names import DEFAULT_EXTENSIONS

NO_COLUMN = "none"
"""As a column's name: the table has no such column."""

ID_COLUMN = "id"
IMAGE_COLUMN = "image"
TEXT_COLUMN = "title"
"""The columns of ids, pictures and titles where none are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """How sources are read; the defaults are those of the command.

    Attributes:
        id_column: column of the items' ids; ``none`` takes ``TABLE#LINE``, for tables
            that have no ids.
        image_column: column of paths or addresses, or several between commas, each with further
            pictures of the item; ``none`` makes a catalog of texts.
        group_column: rows with the same value of this column are parts of one item, which is
            called by it; empty makes each row an item.
        text_column: column of titles.
        format: the feed whose rules make items of rows.
        image_pattern: addresses of pictures, with columns in braces: ``images/{id}.jpg``; empty
            where a column has them.
        vectors: ``FILE.npy`` beside the table, rows in the same order; braces expand
            in step with those of the table.
        width: dimension that the vectors must have; None takes any.
        picture_extensions: members of tar shards that are pictures, without the first point;
            the first found is embedded.
        vector_column: column of a table's own vectors, as lists; empty for none.
        columns: columns that become metadata; None is all without another role.
        exclude_columns: columns that do not become metadata.
        column_types: types of columns that the user named.
        known_types: types of columns that the catalog has.
        metadata: False for ids, contents and titles only.
        delimiter: separator of delimited text; empty detects it.
        quoting: the meaning of quotation marks in delimited text.
        encoding: of delimited text; empty detects it.
        max_bytes: largest member of a tar shard that is read into memory.
        max_sound_bytes: the same of a member that is a sound.
    """

    id_column: str = ID_COLUMN
    image_column: str = IMAGE_COLUMN
    text_column: str = TEXT_COLUMN
    group_column: str = ""
    format: TableFormat = TableFormat.AUTO
    image_pattern: str = ""
    vectors: str | None = None
    width: int | None = None
    picture_extensions: tuple[str, ...] = DEFAULT_EXTENSIONS
    vector_column: str = ""
    columns: tuple[str, ...] | None = None
    exclude_columns: tuple[str, ...] = ()
    column_types: Mapping[str, ColumnType] = field(default_factory=dict)
    known_types: Mapping[str, ColumnType] = field(default_factory=dict)
    metadata: bool = True
    delimiter: str = ""
    quoting: Quoting = Quoting.AUTO
    encoding: str = ""
    max_bytes: int = limits.MAX_PICTURE_BYTES
    max_sound_bytes: int = limits.MAX_SOUND_BYTES

    def __post_init__(self) -> None:
        """Take what callers in Python give.

        Raises:
            UsageError: a text in the place of a list, or another kind of value; none of these is
                told later, and a type that there is not would damage the catalog's record.
        """
        for name in ("id_column", "image_column", "text_column", "group_column", "vector_column"):
            column = getattr(self, name)
            if not isinstance(column, str):
                several = ", several between commas" if name == "image_column" else ""
                raise UsageError(f"{name} {column!r:.60}: give a column's name{several}.")
        if self.vectors is not None and not isinstance(self.vectors, str | PurePath):
            raise UsageError("vectors: give the path of a .npy file, which numpy.save writes.")
        given = {
            "vectors": None if self.vectors is None else str(self.vectors),
            "columns": None if self.columns is None else texts_of("columns", self.columns),
            "exclude_columns": texts_of("exclude_columns", self.exclude_columns),
            "column_types": {
                name: one_of(f"column_types[{name!r}]", kind, ColumnType)
                for name, kind in self.column_types.items()
            },
            "format": one_of("format", self.format, TableFormat),
            "quoting": one_of("quoting", self.quoting, Quoting),
        }
        for name, value in given.items():
            object.__setattr__(self, name, tuple(value) if isinstance(value, list) else value)

    @property
    def roles(self) -> frozenset[str]:
        """Columns with another role than metadata."""
        named = {self.id_column, *self.image_columns, self.text_column, self.vector_column}
        return frozenset(named - {"", NO_COLUMN})

    @property
    def image_columns(self) -> tuple[str, ...]:
        """The columns of pictures, in order; one that holds a comma stands in double quotes."""
        if "," not in self.image_column and '"' not in self.image_column:
            return (self.image_column,)
        names = next(csv.reader([self.image_column], skipinitialspace=True), [])
        return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))

    def is_metadata(self, column: str) -> bool:
        """Whether a column of a table becomes metadata."""
        return column not in self.roles and self.metadata and self.is_selected(column)

    def is_selected(self, column: str) -> bool:
        """Whether the options select a column."""
        if column in self.exclude_columns:
            return False
        return self.columns is None or column in self.columns

    def select(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """The selected part of metadata that is no table's, converted to known types.

        Raises:
            ItemError: BAD_METADATA: a value is of another type than its column.
        """
        types = {**self.known_types, **self.column_types}
        selected = {name: value for name, value in metadata.items() if self.is_selected(name)}
        return {
            name: value if (convert := converter(types.get(name), name)) is None else convert(value)
            for name, value in selected.items()
        }

    @property
    def texts(self) -> bool:
        """Whether the catalog is one of texts."""
        return self.image_column == NO_COLUMN
