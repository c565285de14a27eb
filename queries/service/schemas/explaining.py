"""``/v1/explain``."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from indexer.core.boxes import Box
from indexer.core.label_sets import CATEGORY
from queries.service.schemas.classifying import PredictionOut
from queries.service.schemas.wire import SetName, Wire


class ExplainOptions(Wire):
    """What an explanation shows, for a picture that comes as a form."""

    heat_map: Literal["none", "occlusion"] = "none"
    label_set: SetName = CATEGORY


class ExplainRequest(ExplainOptions):
    """A text or a stored item to explain; a picture comes as a form."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"item_id": "sku-1"}]})

    text: str | None = Field(default=None, min_length=1)
    item_id: str | None = Field(default=None, min_length=1, max_length=512)

    @model_validator(mode="after")
    def _one(self) -> ExplainRequest:
        if (self.text is None) == (self.item_id is None):
            raise ValueError("give exactly one of text and item_id")
        return self


class PromptOut(Wire):
    """A text that stands for a label, and its cosine with the input."""

    text: str
    similarity: float


class NeighbourOut(Wire):
    """A stored item near the input; ``origin`` says where its label is from."""

    item_id: str
    similarity: float
    kind: str
    title: str
    label: str
    label_id: str
    origin: str = Field(
        description="taught; calibration, where its label only calibrates; decided; or empty."
    )


class ViewOut(Wire):
    """One of several parts of an item: its label by itself, and the score of the winner."""

    part_id: str
    place: str = Field(description="Where it lies in its file: 0:10-0:20; empty for a whole one.")
    box: Box | None = Field(
        description="Left edge, upper edge, width and height, in pixels of the upright picture."
    )
    label: str
    score: float
    winner_score: float


class HeatOut(Wire):
    """Where in a picture the evidence for the best label lies.

    The grid covers the part of the picture between the edges, given as shares of its sides.
    """

    method: str
    values: list[list[float]]
    top: float
    left: float
    bottom: float
    right: float


class ExplanationOut(Wire):
    """Why an input gets its label."""

    predictions: list[PredictionOut]
    winner: str
    runner_up: str | None
    prompts: list[PromptOut]
    neighbours: list[NeighbourOut]
    words: list[tuple[str, float]]
    heat: HeatOut | None
    notes: list[str]
    views: list[ViewOut]
    deciding: str | None = Field(
        description="The part_id of the one that decides alone; null where all do."
    )
