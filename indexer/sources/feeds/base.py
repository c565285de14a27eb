"""Feeds: tables whose rows become products by their own rules."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from indexer.sources.tables import Row

Products = Callable[[Callable[[], Iterator[Row]], Mapping[str, str], Counter[str]], Iterator[Row]]
"""Makes rows of products from a table's rows.

Its arguments: a function that reads the table's rows, as often as it is called; the table's
column names by their plain names (see ``plain_name``); a counter of rows that are merged into
their product's row, by kind. A product's row has its pictures, in order, in the feed's image
column.
"""

_BETWEEN = re.compile(r"\s*\|\s*|\s*,\s+|\s*,\s*(?=https?://|//)", re.IGNORECASE)
_ANYWHERE = re.compile(r"\s*[|,]\s*")


def products_as_rows(
    read: Callable[[], Iterator[Row]], _columns: Mapping[str, str], _merged: Counter[str]
) -> Iterator[Row]:
    """The rows as they are."""
    return read()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A kind of feed.

    Attributes:
        name: what ``--format`` calls it.
        title: its name for people.
        ids, images, texts: usual names of the columns of ids, pictures and titles; the first
            that a table has is used. The feed may make the column of pictures.
        needs: groups of names; a table is such a feed if it has one of each.
        products: makes the rows of products; if none is given, each row is one.
        consumed: names of further columns that the pictures are made from.
        image_pattern: default pattern of the pictures' addresses, with values of the row.
        last_takes_rest: whether separators in the last column of delimited text are part of it.
    """

    name: str
    title: str
    ids: tuple[str, ...]
    images: tuple[str, ...]
    texts: tuple[str, ...]
    needs: tuple[tuple[str, ...], ...]
    products: Products = products_as_rows
    consumed: tuple[str, ...] = ()
    image_pattern: str = ""
    last_takes_rest: bool = False

    def recognises(self, names: Collection[str]) -> bool:
        """Whether a table of these plain names is such a feed."""
        return all(self.has(names, group) for group in self.needs)

    @staticmethod
    def has(names: Collection[str], group: tuple[str, ...]) -> bool:
        """Whether a table of these plain names has one of a group."""
        return any(plain_name(name) in names for name in group)


def plain_name(column: str) -> str:
    """A column's name without the differences of exports: case, ``g:``, blanks for ``_``."""
    return re.sub(r"[\s_]+", "_", column.strip().casefold().removeprefix("g:"))


def table_name(columns: Mapping[str, str], name: str) -> str:
    """A table's name of a column; its usual name where the first rows lack it."""
    return columns.get(plain_name(name), name)


def split_addresses(cell: Any) -> list[str]:
    """The addresses in a cell that are divided by commas or ``|``.

    A comma may be part of a URL, so among URLs only a comma before a blank or before the next
    URL divides them.
    """
    if isinstance(cell, list | tuple):
        return [address for entry in cell for address in split_addresses(entry)]
    text = str(cell).strip(" \t\r\n,|") if cell is not None else ""
    divider = _BETWEEN if "//" in text else _ANYWHERE
    return list(filter(None, divider.split(text)))


def distinct(addresses: list[str]) -> list[str]:
    """The addresses in their order, each once."""
    return list(dict.fromkeys(filter(None, addresses)))


def text_in(values: Mapping[str, Any], column: str | None) -> str:
    """A cell as text without blanks around it; empty where there is none."""
    value = values.get(column) if column is not None else None
    return str(value).strip() if value is not None else ""
