"""``/v1/review`` and ``/v1/catalog``."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, model_validator

from indexer.catalog.corrections import Verdict
from indexer.core.label_sets import CATEGORY
from queries.service.schemas.classifying import PredictionOut
from queries.service.schemas.wire import SetName, Wire


class DoubtOut(Wire):
    """An item to look at, with the labels that it could have."""

    item_id: str
    title: str
    kind: str
    metadata: dict[str, Any]
    parts: list[str] = Field(description="Ids of its pictures, where it has several.")
    label_id: str
    label: str
    score: float
    status: str
    predictions: list[PredictionOut]


class ReviewResponse(Wire):
    """Items that nobody has looked at, the most useful first."""

    total: int = Field(description="Items that nobody has looked at.")
    doubtful: int = Field(description="Those of them whose label is not accepted.")
    expected_errors: float = Field(
        description="Share of all labels that is wrong still, by the scores: as true as these are "
        "probabilities, so calibrate them."
    )
    items: list[DoubtOut]


class VerdictIn(Wire):
    """What a person says of an item's label."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"item_id": "sku-1", "verdict": "corrected", "label": "mug"}]
        }
    )

    item_id: str = Field(min_length=1, max_length=512)
    verdict: Verdict
    label_set: SetName = CATEGORY
    label: str = Field(default="", max_length=512, description="Id or name, for corrected.")
    seen: str | None = Field(
        default=None,
        max_length=512,
        description="The label_id that was shown: accepted is refused where it is another by now.",
    )

    @model_validator(mode="after")
    def _label_where_corrected(self) -> VerdictIn:
        if (self.verdict is Verdict.CORRECTED) != bool(self.label):
            raise ValueError("give a label with corrected, and only there")
        return self


class CorrectionOut(Wire):
    """What was said of an item."""

    item_id: str
    verdict: Verdict
    label_id: str
    before: str
    who: str
    time: str
    stored: bool = Field(
        description="False while something else changes the catalog: the item has it after the "
        "job that runs, else with the next review, job or start of the service."
    )


class CategoryOut(Wire):
    """How many items have a label."""

    label_id: str
    label: str
    path: list[str] = Field(description="Names from the root; empty where the label is no more.")
    items: int
    mean_score: float
    statuses: dict[str, int]


class CatalogOut(Wire):
    """The catalog at a glance."""

    catalog: str
    label_set: str
    label_sets: list[str] = Field(description="All label sets of the catalog.")
    model: str
    items: int
    labels: int
    label_version: str
    adapted: bool
    reviewed: int
    categories: list[CategoryOut]
    dead_letters: dict[str, int]
