"""What a search is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.core.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What is searched for.

    Attributes:
        vector: float32 (d,), length 1, by the catalog's model; None searches by words alone, and
            without words it lists what the filter or the categories choose.
        words: searched for as words too; empty searches by the vector alone.
        without: phrases that a found item must not have among its words.
        limit: hits, or groups of them.
        offset: hits to leave out: a next page.
        after: only items behind this id: the next page of a list, where nothing is searched for.
        item_ids: a list of these items, as far as the filter and the categories choose them; none
            are all.
        leave_out: id of an item that is not to be found, since it is the query.
        filter_expression: Milvus syntax over the items' fields and ``metadata["..."]``.
        categories: only items of these labels, by id, name or path; a branch with all below it.
        partition: only items of this one.
        min_similarity: smallest cosine of what the vector finds; words find theirs anyway.
        group_by: column of which each value occurs once; empty for none.
        facets: columns whose values are counted.
    """

    vector: FloatArray | None
    words: str = ""
    without: tuple[str, ...] = ()
    limit: int = 10
    offset: int = 0
    after: str = ""
    item_ids: tuple[str, ...] = ()
    leave_out: str | None = None
    filter_expression: str = ""
    categories: tuple[str, ...] = ()
    partition: str | None = None
    min_similarity: float | None = None
    group_by: str = ""
    facets: tuple[str, ...] = ()

    @property
    def chooses(self) -> bool:
        """Whether it says by itself which items are meant, without anything to be like."""
        return bool(self.filter_expression.strip() or self.categories or self.item_ids)

    @property
    def last_hit(self) -> int:
        """Hits that the ranking must have for this page."""
        return self.offset + self.limit + (self.leave_out is not None)
