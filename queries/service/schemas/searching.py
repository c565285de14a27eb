"""``/v1/search``."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, model_validator

from queries.results import SearchHit
from queries.service.schemas.wire import Fraction, Wire


class SearchRequest(Wire):
    """What to look for: words, a picture by URL, an item like it, or words with one of these."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"text": "striped mug", "filter": 'metadata["price"] < 20', "limit": 12}]
        }
    )

    text: str | None = Field(default=None, min_length=1)
    url: str | None = Field(default=None, min_length=1, max_length=4_096)
    item_id: str | None = Field(default=None, min_length=1, max_length=512)
    text_weight: Fraction = 0.5
    filter: str = Field(
        default="", max_length=4_096, description="Milvus' syntax over the items' fields."
    )
    partition: str | None = Field(
        default=None,
        min_length=1,
        max_length=4_096,
        description="Only items of this partition of a divided catalog, such as one shop.",
    )
    limit: int = Field(default=10, ge=1, le=1_000)
    offset: int = Field(default=0, ge=0, le=10_000, description="Hits to leave out: a next page.")

    @model_validator(mode="after")
    def _something(self) -> SearchRequest:
        if self.url is not None and self.item_id is not None:
            raise ValueError("give url or item_id, not both")
        return self


class HitOut(Wire):
    """One item that was found; where its picture lies is not told (see its ``picture``)."""

    item_id: str
    similarity: float
    title: str
    metadata: dict[str, Any]
    label: str
    label_id: str
    score: float
    status: str

    @staticmethod
    def of(hit: SearchHit) -> HitOut:
        """From the library's result."""
        return HitOut(**{name: getattr(hit, name) for name in HitOut.model_fields})


class SearchResponse(Wire):
    """The nearest items, best first."""

    hits: list[HitOut]
