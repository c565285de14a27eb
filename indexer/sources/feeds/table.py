"""A feed as a table of products."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from indexer.core.column_types import ColumnType
from indexer.sources.columns import Convert, Survey, survey_values
from indexer.sources.feeds.base import Feed, plain_name, table_name
from indexer.sources.jsonl import JsonlTable
from indexer.sources.tables import Row, Table


@dataclass(frozen=True)
class FeedTable:
    """A table of products, made of the rows of another one.

    Attributes:
        table: the file's own reader.
        feed: the rules that make products of its rows.
        names: the table's columns by their plain names.
        merged: rows that became part of a product's row in the last reading, by kind.
    """

    table: Table
    feed: Feed
    names: Mapping[str, str]
    merged: Counter[str] = field(default_factory=Counter, compare=False)

    @property
    def address(self) -> str:
        """Path or address of the file."""
        return self.table.address

    def columns(self) -> list[str]:
        """The file's columns, and the one that the feed makes for its pictures."""
        columns = self.table.columns()
        made = [
            name for name in self.feed.images[:1] if table_name(self.names, name) not in columns
        ]
        return [*columns, *made]

    def rows(self) -> Iterator[Row]:
        """A row for each product; those that can't be read stay as they are."""
        self.merged.clear()
        yield from self.feed.products(self.table.rows, self.names, self.merged)

    def survey(self, skipped: frozenset[str]) -> Survey:
        """Types of the columns; the number of products is unknown."""
        if isinstance(self.table, JsonlTable):  # a feed changes its values
            return survey_values(self.address, self.rows(), skipped)
        return replace(self.table.survey(skipped), rows=None)

    def converter(self, column: str, kind: ColumnType | None) -> Convert | None:
        """The converter of the file's reader."""
        return self.table.converter(column, kind)

    def consumed(self) -> list[str]:
        """Columns that the pictures come from, without the image column itself."""
        columns = [table_name(self.names, name) for name in self.feed.consumed]
        return [name for name in columns if name != self.column(self.feed.images)]

    def column(self, names: Sequence[str]) -> str:
        """The table's name of the first column that it has of some."""
        present = [name for name in names if plain_name(name) in self.names]
        return table_name(self.names, [*present, *names, ""][0])


def plain_columns(columns: Sequence[str]) -> dict[str, str]:
    """A table's columns by their plain names; of two alike, the first."""
    names: dict[str, str] = {}
    for column in columns:
        names.setdefault(plain_name(column), column)
    return names
