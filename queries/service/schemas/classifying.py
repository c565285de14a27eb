"""``/v1/classify``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from indexer.core.label_sets import CATEGORY
from indexer.labels.prompts import Pooling
from queries.deciding.question import Question, ViewPooling
from queries.deciding.settings import Settings
from queries.service.schemas.wire import Fraction, Input, SetName, Wire


class ClassifyOptions(Wire):
    """How inputs are to be labelled; as the options of ``zeroshelf classify``."""

    limit: int = Field(default=5, ge=1, le=100, description="Labels for each input.")
    labels: list[Annotated[str, Field(max_length=1_000)]] | None = Field(
        default=None,
        min_length=1,
        max_length=20_000,
        description="Ids or names; all leaves without.",
    )
    adapt: bool = Field(
        default=True, description="By labels that are adapted to the catalog's items."
    )
    level: int | None = Field(
        default=None, ge=1, le=100, description="Of the taxonomy; 1 is the top."
    )
    back_off: Fraction | None = Field(default=None, description="Go up until so probable.")
    min_score: Fraction | None = Field(default=None, description="Accept from this score on.")
    target_precision: float | None = Field(default=None, ge=0.5, le=0.999)
    multi_label: bool = False
    coverage: float | None = Field(
        default=None,
        ge=0.5,
        le=0.999,
        description="Answer with the whole set of labels that holds the truth with this "
        "probability, by the calibrating items; limit has no say then.",
    )
    text_weight: Fraction | None = Field(
        default=None, description="Share of the title in the scores of what has one."
    )
    prompt_pooling: Literal["mean", "max"] = "mean"
    label_set: SetName = CATEGORY
    view_pooling: Literal["auto", "mean", "best"] = Field(
        default="auto",
        description="What decides on stored items of several parts: the mean of all, or the part "
        "with the highest score; auto: the best one of items with boxes, else the mean.",
    )

    def question(self) -> Question:
        """The same as a value for the engine."""
        return Question(
            set_name=self.label_set,
            limit=self.limit,
            labels=None if self.labels is None else tuple(self.labels),
            adapt=self.adapt,
            pooling=Pooling(self.prompt_pooling),
            view_pooling=ViewPooling(self.view_pooling),
            settings=Settings(
                level=self.level,
                back_off=self.back_off,
                min_score=self.min_score,
                target_precision=self.target_precision,
                multi_label=self.multi_label,
                coverage=self.coverage,
                text_weight=self.text_weight,
            ),
        )


class UploadOptions(ClassifyOptions):
    """The same of pictures that are uploaded."""

    titles: list[str] | None = Field(
        default=None, description="What is said of each picture, in their order; '' is nothing."
    )


class ClassifyRequest(Wire):
    """Inputs to label, and how."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "inputs": [{"text": "red running shoe"}, {"item_id": "sku-1"}],
                    "options": {"limit": 3, "min_score": 0.5},
                }
            ]
        }
    )

    inputs: list[Input] = Field(min_length=1)
    options: ClassifyOptions = ClassifyOptions()


class PredictionOut(Wire):
    """One label for one input; see ``queries.results.Prediction``."""

    label: str
    label_id: str
    score: float
    similarity: float
    path: list[str]
    status: Literal["accepted", "review", "unknown", "not_visible"]
    unknown_score: float | None = Field(
        default=None, description="Of the input, the same for all its labels; large: none fits."
    )


class Classified(Wire):
    """The labels of one input, best first, or why it has none."""

    input: str
    predictions: list[PredictionOut] = Field(default=[])
    unknown_score: float | None = None
    part_id: str | None = Field(
        default=None,
        description="Of the part that decided alone: the id of its row, or with view_pooling best "
        "the input's name where it has one part.",
    )
    error: str | None = None


class ClassifyResponse(Wire):
    """A result for each input, in their order."""

    results: list[Classified]
    calibrated: bool = Field(
        description="Whether scores are calibrated on labelled items (``labels calibrate``). "
        "Where they are not, a score and the status accepted promise no share of right labels."
    )
