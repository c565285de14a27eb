"""Several sources that are read as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from indexer.core.column_types import ColumnType
from indexer.core.protocols import Source, left_out, merged
from indexer.core.records import Failure, Item
from indexer.sources.folder import NO_EXTENSION


@dataclass(frozen=True)
class ChainedSource:
    """Several sources, one after the other.

    Attributes:
        beside: files beside the sources that are no sources, by extension.
        column_types: types of the columns of all tables.
    """

    sources: Sequence[Source]
    beside: Counter[str] = field(default_factory=Counter, compare=False)
    column_types: Mapping[str, ColumnType] = field(default_factory=dict, compare=False)

    def __iter__(self) -> Iterator[Item | Failure]:
        """Items in the order of the sources."""
        for source in self.sources:
            yield from source

    @property
    def left_out(self) -> Counter[str]:
        """Files that the sources made no item of, by extension."""
        return sum(map(left_out, self.sources), self.beside)

    @property
    def merged(self) -> Counter[str]:
        """Rows that the sources merged into other rows' items."""
        return sum(map(merged, self.sources), Counter())

    def count(self) -> int | None:
        """Rows of all sources; None where one of them does not know."""
        total = 0
        for source in self.sources:
            count = source.count()
            if count is None:
                return None
            total += count
        return total

    def leaves(self) -> Iterator[Source]:
        """The sources that are not chained themselves."""
        for source in self.sources:
            if isinstance(source, ChainedSource):
                yield from source.leaves()
            else:
                yield source


def by_extension(paths: Iterable[str]) -> Counter[str]:
    """The number of files of each extension."""
    return Counter(PurePosixPath(path).suffix.lower() or NO_EXTENSION for path in paths)
