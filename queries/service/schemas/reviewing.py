"""``/v1/review`` and ``/v1/catalog``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from indexer.catalog.corrections import Verdict
from indexer.core.label_sets import CATEGORY
from queries.deciding.calibration import Status
from queries.service.schemas.classifying import PredictionOut
from queries.service.schemas.wire import SetName, Wire

ReviewStatus = Literal[Status.ACCEPTED, Status.REVIEW, Status.UNKNOWN, Status.NOT_VISIBLE]


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

    total: int = Field(description="Chosen items that nobody has looked at.")
    doubtful: int = Field(description="Those of them whose label is not accepted.")
    reviewed: int = Field(
        description="Items of the chosen categories that people have looked at, of any status."
    )
    expected_wrong: float = Field(
        description="Labels among ``total`` that are probably wrong: the sum of 1 - score. As true "
        "as scores are probabilities."
    )
    expected_errors: float = Field(
        description="The same as a share of all items of the chosen categories."
    )
    calibrated: bool = Field(
        description="Whether scores are calibrated on labelled items (``labels calibrate``)."
    )
    items: list[DoubtOut]


class QueueRequest(Wire):
    """A page of the review queue, and of which items."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"item_ids": ["sku-1", "sku-2"], "limit": 20}]}
    )

    limit: int = Field(default=20, ge=1, le=100)
    offset: int = Field(default=0, ge=0)
    set: SetName = CATEGORY
    category: list[Annotated[str, Field(max_length=512)]] = Field(
        default=[],
        max_length=100,
        description="Labels by id, name or path, a branch with all below it; empty text is no "
        "label.",
    )
    status: list[ReviewStatus] = Field(default=[], description="Of these statuses only.")
    item_ids: list[Annotated[str, Field(min_length=1, max_length=512)]] | None = Field(
        default=None, max_length=10_000, description="Only these items; null for all."
    )


Given = Literal[Verdict.ACCEPTED, Verdict.CORRECTED, Verdict.REJECTED]


class VerdictIn(Wire):
    """What a person says of an item's label."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"item_id": "sku-1", "verdict": "corrected", "label": "mug"}]
        }
    )

    item_id: str = Field(min_length=1, max_length=512)
    verdict: Given
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


class SeveralVerdicts(Wire):
    """Verdicts on several items of one label set."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"verdicts": [{"item_id": "sku-1", "verdict": "accepted", "seen": "mug"}]}]
        }
    )

    verdicts: list[VerdictIn] = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _of_one_set(self) -> SeveralVerdicts:
        if len({verdict.label_set for verdict in self.verdicts}) > 1:
            raise ValueError("give verdicts of one label set at a time")
        if len({verdict.item_id for verdict in self.verdicts}) < len(self.verdicts):
            raise ValueError("give one verdict an item")
        return self


class GivenVerdict(Wire):
    """A verdict that was given: which one is to be taken back."""

    item_id: str = Field(min_length=1, max_length=512)
    time: str | None = Field(
        default=None,
        max_length=40,
        description="Of the verdict, as it was answered: refused where it is not the newest.",
    )


class WithdrawRequest(Wire):
    """Verdicts to take back, of one label set."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"verdicts": [{"item_id": "sku-1"}]}]}
    )

    label_set: SetName = CATEGORY
    verdicts: list[GivenVerdict] = Field(min_length=1, max_length=200)

    @model_validator(mode="after")
    def _each_once(self) -> WithdrawRequest:
        if len({verdict.item_id for verdict in self.verdicts}) < len(self.verdicts):
            raise ValueError("name each item once")
        return self


class VerdictResult(Wire):
    """What became of one verdict of several."""

    item_id: str
    time: str = Field(description="Of the verdict; empty where there is an error.")
    error: str | None


class VerdictsResponse(Wire):
    """A result for each item, in their order."""

    results: list[VerdictResult]
    stored: bool = Field(description="As with a single verdict.")


class CategoryOut(Wire):
    """How many items have a label."""

    label_id: str
    label: str
    path: list[str] = Field(description="Names from the root; empty where the label is no more.")
    path_ids: list[str] = Field(description="Ids of these labels.")
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
