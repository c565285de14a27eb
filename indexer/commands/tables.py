"""The options of every command that reads tables of items."""

from __future__ import annotations

import csv
from typing import Annotated, Any

from indexer.commands.options import option, with_options
from indexer.commands.panels import DETAILS
from indexer.core.column_types import ColumnType
from indexer.core.delimited import Quoting
from indexer.core.errors import UsageError
from indexer.core.table_formats import TableFormat

Tables = dict[str, Any]
"""Arguments of ``TableOptions``."""


def _tables(
    *,
    id_column: Annotated[str, option(help="Column of the items' ids; none counts lines.")] = "id",
    image_column: Annotated[
        str,
        option(
            help="Column of pictures' paths or URLs, or several, such as 'image,image_2': all are "
            "pictures of the row's item; none for a catalog of texts."
        ),
    ] = "image",
    group_column: Annotated[
        str,
        option(
            help="Rows with the same value in this column, such as a sku, are pictures of one "
            "item, which is called by it.",
            show_default=False,
        ),
    ] = "",
    text_column: Annotated[str, option(help="Column of titles.")] = "title",
    columns: Annotated[
        str | None,
        option(help="Columns that become metadata, such as 'price,size'. Default: all others."),
    ] = None,
    exclude_columns: Annotated[
        str, option(help="Columns that do not become metadata.", show_default=False)
    ] = "",
    column_type: Annotated[
        list[str] | None,
        option(
            rich_help_panel=DETAILS,
            metavar="COLUMN:TYPE",
            help="Type of a column: text, number, boolean or json. Default: as its values are, "
            "text where they differ; the catalog keeps it. Repeatable.",
            show_default=False,
        ),
    ] = None,
    vector_column: Annotated[
        str,
        option(
            rich_help_panel=DETAILS,
            help="Column of precomputed vectors, as lists of numbers.",
            show_default=False,
        ),
    ] = "",
    format: Annotated[  # noqa: A002 - an option is called as its parameter
        TableFormat,
        option(
            help="The feed by whose rules a table's rows are made products; auto goes by its "
            "columns, plain makes each row an item.",
        ),
    ] = TableFormat.AUTO,
    image_pattern: Annotated[
        str,
        option(
            rich_help_panel=DETAILS,
            help="Where a row's picture lies, with columns in braces: 'images/{id}.jpg'.",
            show_default=False,
        ),
    ] = "",
    delimiter: Annotated[
        str,
        option(
            rich_help_panel=DETAILS,
            help="Separator of a CSV file, such as ';' or '\\t'. Default: as its first lines show.",
            show_default=False,
        ),
    ] = "",
    quoting: Annotated[
        Quoting,
        option(
            rich_help_panel=DETAILS,
            help="What quotation marks mean in a CSV file: none (they are characters), double "
            "(they enclose a field, one inside is written twice), backslash; auto: as it shows.",
        ),
    ] = Quoting.AUTO,
    encoding: Annotated[
        str,
        option(
            rich_help_panel=DETAILS,
            help="Encoding of a CSV file, such as cp1252. Default: UTF-8, or UTF-16 by its mark.",
            show_default=False,
        ),
    ] = "",
) -> Tables:
    delimiter = delimiter.replace("\\t", "\t")
    if len(delimiter) > 1 or delimiter in ('"', "\n", "\r"):
        raise UsageError(f"--delimiter {delimiter!r}: give one character, such as ';' or '\\t'.")
    return {
        "columns": None if columns is None else split_names(columns),
        "exclude_columns": split_names(exclude_columns),
        "column_types": dict(map(_column_type, column_type or ())),
        "vector_column": vector_column,
        "id_column": id_column,
        "image_column": image_column,
        "group_column": group_column,
        "text_column": text_column,
        "format": format,
        "image_pattern": image_pattern,
        "delimiter": delimiter,
        "quoting": quoting,
        "encoding": encoding,
    }


def split_names(text: str) -> tuple[str, ...]:
    """Names between commas; one that has a comma stands in quotation marks."""
    try:
        names = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error:  # a line break outside of quotes
        names = text.split(",")
    return tuple(name.strip() for name in names if name.strip())


def _column_type(text: str) -> tuple[str, ColumnType]:
    column, mark, kind = text.rpartition(":")
    if not mark or kind not in set(ColumnType):
        raise UsageError(
            f"--column-type {text!r}: write COLUMN:TYPE, such as gtin:text; types are "
            f"{', '.join(ColumnType)}."
        )
    return column, ColumnType(kind)


with_tables = with_options("tables", _tables)
"""Puts them in the place of a command's parameter ``tables``."""
