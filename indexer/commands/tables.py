"""The options of every command that reads tables of items."""

from __future__ import annotations

from typing import Annotated, Any

from indexer.commands.options import option, with_options
from indexer.delimited import Quoting
from indexer.errors import UsageError

Tables = dict[str, Any]
"""Arguments of ``TableOptions``."""


def _tables(
    *,
    id_column: Annotated[str, option(help="Column of the items' ids; none counts lines.")] = "id",
    image_column: Annotated[
        str, option(help="Column of pictures' paths or URLs; none for a catalog of texts.")
    ] = "image",
    text_column: Annotated[str, option(help="Column of titles.")] = "title",
    delimiter: Annotated[
        str,
        option(
            help="Separator of a CSV file, such as ';' or '\\t'. Default: as its first lines show.",
            show_default=False,
        ),
    ] = "",
    quoting: Annotated[
        Quoting,
        option(
            help="What quotation marks mean in a CSV file: none (they are characters), double "
            "(they enclose a field, one inside is written twice), backslash; auto: as it shows."
        ),
    ] = Quoting.AUTO,
    encoding: Annotated[
        str,
        option(
            help="Encoding of a CSV file, such as cp1252. Default: UTF-8, or UTF-16 by its mark.",
            show_default=False,
        ),
    ] = "",
) -> Tables:
    delimiter = delimiter.replace("\\t", "\t")
    if len(delimiter) > 1 or delimiter in ('"', "\n", "\r"):
        raise UsageError(f"--delimiter {delimiter!r}: give one character, such as ';' or '\\t'.")
    return {
        "id_column": id_column,
        "image_column": image_column,
        "text_column": text_column,
        "delimiter": delimiter,
        "quoting": quoting,
        "encoding": encoding,
    }


with_tables = with_options("tables", _tables)
"""Puts them in the place of a command's parameter ``tables``."""
