"""Checks that each item of a partitioned catalog belongs to a partition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from indexer.core.partitions import partition_of
from indexer.core.protocols import Source, left_out, merged
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, Item, failure


class PartitionedSource:
    """A source whose items without a partition become failures.

    Args:
        column: the catalog's partition key.
    """

    def __init__(self, source: Source, column: str) -> None:
        self._source = source
        self._column = column

    def __iter__(self) -> Iterator[Item | Failure]:
        """The source's items, in order."""
        for item in self._source:
            if isinstance(item, Failure) or partition_of(item.metadata, self._column):
                yield item
            else:
                yield failure(
                    item,
                    Stage.READ,
                    Reason.BAD_METADATA,
                    f"{item.item_id!r} has no value in the column {self._column!r}, by which the "
                    "catalog is divided. Give it one in the table, and ingest it again.",
                )

    @property
    def left_out(self) -> Counter[str]:
        """Files that the source made no item of, by extension."""
        return left_out(self._source)

    @property
    def merged(self) -> Counter[str]:
        """Rows that the source merged into other rows' items."""
        return merged(self._source)

    def count(self) -> int | None:
        """Rows of the source."""
        return self._source.count()
