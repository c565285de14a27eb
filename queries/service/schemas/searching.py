"""``/v1/search``."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator

from queries.results import FoundBy
from queries.service.schemas.wire import Fraction, Wire


class SearchRequest(Wire):
    """What to look for: words, a picture by URL, an item like it, or words with one of these.

    With none of them the items that ``filter``, ``category`` and ``item_ids`` choose are listed, by
    id; ``after`` gives their next page.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"text": "striped mug", "filter": 'metadata["price"] < 20', "limit": 12}]
        }
    )

    text: str | None = Field(default=None, min_length=1)
    url: str | None = Field(default=None, min_length=1, max_length=4_096)
    item_id: str | None = Field(default=None, min_length=1, max_length=512)
    text_weight: Fraction = 0.5
    hybrid: bool = Field(
        default=False, description="Find what has the words, too: skus, brands, names."
    )
    without: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default=[],
        max_length=8,
        description="Words that are not wanted: the vector moves away from them, and a hybrid "
        "search leaves out what has them.",
    )
    min_similarity: float | None = Field(
        default=None,
        ge=-1,
        le=1,
        description="Smallest cosine; what a hybrid search finds by words stays.",
    )
    group_by: str = Field(
        default="",
        max_length=512,
        description="Only the best item of each value of this column: label, status and kind are "
        "the item's, metadata.COLUMN is surely the table's.",
    )
    facets: list[Annotated[str, Field(min_length=1, max_length=512)]] = Field(
        default=[], max_length=8, description="Columns whose values are counted."
    )
    filter: str = Field(
        default="", max_length=4_096, description="Milvus' syntax over the items' fields."
    )
    category: list[Annotated[str, Field(min_length=1, max_length=512)]] = Field(
        default=[],
        max_length=100,
        description="Only items of these labels, by id, name or path; a branch with all below it.",
    )
    item_ids: list[Annotated[str, Field(min_length=1, max_length=512)]] = Field(
        default=[],
        max_length=10_000,
        description="List these items only.",
    )
    partition: str | None = Field(
        default=None,
        min_length=1,
        max_length=4_096,
        description="Only items of this partition of a divided catalog, such as one shop.",
    )
    limit: int = Field(default=10, ge=1, le=1_000)
    offset: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="Hits to leave out: a next page. Lists have a better way, after.",
    )
    after: str = Field(
        default="",
        max_length=512,
        description="Go on with a list behind this id, as next_after told it: no item is skipped "
        "or met twice, whatever comes or goes meanwhile.",
    )

    @model_validator(mode="after")
    def _something(self) -> SearchRequest:
        if self.url is not None and self.item_id is not None:
            raise ValueError("give url or item_id, not both")
        return self


class HitOut(Wire):
    """One item that was found; where its picture lies is not told (see its ``picture``).

    Of an item with several pictures it is the nearest one, whose id is ``part_id``; ``parts`` are
    the ids of all.
    """

    item_id: str
    similarity: float | None
    title: str
    metadata: dict[str, Any]
    label: str
    label_id: str
    score: float
    status: str
    kind: str
    found_by: FoundBy
    attributes: dict[str, Any] = Field(
        default_factory=dict,
        description="Decisions of other label sets: the label by the set's name, and behind that "
        "name its _label_id, _score and _status.",
    )
    part_id: str
    part: dict[str, Any]
    parts: list[str]
    place: str = Field(
        default="", description="Where the part lies in its file: 0:10-0:20, or a box."
    )


class FacetOut(Wire):
    """How often each value of a column occurs, the most frequent first."""

    column: str
    values: dict[str, int]
    without: int


class SearchResponse(Wire):
    """The best items first, and the requested counts over ``counted`` of them."""

    hits: list[HitOut]
    facets: list[FacetOut] = Field(default=[])
    counted: int = 0
    all_counted: bool = True
    next_after: str | None = Field(
        default=None,
        description="Of a list: what ``after`` is for its next page; null where this is the last.",
    )
    notes: list[str] = Field(
        default=[],
        description="What to know of the hits: that labels of some were removed or renamed since.",
    )
