"""``/v1/items``."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from indexer.catalog.corrections import Verdict
from queries.service.schemas.wire import Wire


class ItemIn(Wire):
    """One item; its picture comes in the form, from a URL, or not at all: then it is a text."""

    item_id: str = Field(min_length=1, max_length=512)
    title: str = Field(default="", max_length=8_000)
    url: str | None = Field(default=None, min_length=1, max_length=4_096)
    metadata: dict[str, Any] = Field(default={})


class ItemsRequest(Wire):
    """Items to bring in."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"items": [{"item_id": "sku-1", "title": "Red mug", "metadata": {}}]}]
        }
    )

    items: list[ItemIn] = Field(min_length=1)


class StoredItem(Wire):
    """What became of an item."""

    item_id: str
    error: str | None


class ItemsResponse(Wire):
    """A result for each item, in their order."""

    results: list[StoredItem]


class ReviewOut(Wire):
    """What a person said of an item's label in one label set."""

    label_set: str
    verdict: Verdict
    label: str = Field(
        description="Name of the right label; empty where none fits. Of ``withdrawn`` the one that "
        "was taken back."
    )
    before: str = Field(description="Name of the label that the item had then.")
    who: str
    time: str


class ItemOut(Wire):
    """A stored item; an empty label where none was written back.

    ``parts`` are the ids of its pictures where it has several: each is a row, and has a picture,
    of its own.
    """

    item_id: str
    kind: str
    title: str
    metadata: dict[str, Any]
    label_id: str
    label: str
    path: list[str] = Field(description="Names of the label's path from the root.")
    score: float
    status: str
    attributes: dict[str, Any] = Field(description="Decisions of other label sets, as in hits.")
    parts: list[str]
    reviews: list[ReviewOut] = Field(description="What people said, the oldest first.")
