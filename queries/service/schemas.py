"""What goes over the wire; unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from indexer.corrections import Verdict
from indexer.prompts import Pooling
from queries.judgement.judging import Settings
from queries.results import Prediction, SearchHit
from queries.service.jobs import Job
from queries.service.questions import ClassifyQuestion

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]


class Wire(BaseModel):
    """Base of all: frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ProblemDocument(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:zeroshelf:problem:queue-full"])
    title: str
    status: int
    detail: str


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
    prompt_pooling: Literal["mean", "max"] = "mean"

    def question(self) -> ClassifyQuestion:
        """The same as a value for the engine."""
        return ClassifyQuestion(
            limit=self.limit,
            labels=None if self.labels is None else tuple(self.labels),
            adapt=self.adapt,
            pooling=Pooling(self.prompt_pooling),
            settings=Settings(
                level=self.level,
                back_off=self.back_off,
                min_score=self.min_score,
                target_precision=self.target_precision,
                multi_label=self.multi_label,
            ),
        )


class Input(Wire):
    """One input: a text, a picture's URL, or a stored item."""

    text: str | None = Field(default=None, min_length=1)
    url: str | None = Field(default=None, min_length=1, max_length=4_096)
    item_id: str | None = Field(default=None, min_length=1, max_length=512)

    @model_validator(mode="after")
    def _one(self) -> Input:
        if sum(value is not None for value in (self.text, self.url, self.item_id)) != 1:
            raise ValueError("give exactly one of text, url and item_id")
        return self

    @property
    def name(self) -> str:
        """What results call it."""
        return self.text or self.url or self.item_id or ""


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
    status: Literal["accepted", "review", "unknown"]

    @staticmethod
    def of(one: Prediction) -> PredictionOut:
        """From the library's result."""
        return PredictionOut(
            label=one.label,
            label_id=one.label_id,
            score=one.score,
            similarity=one.similarity,
            path=list(one.path),
            status=one.status,  # type: ignore[arg-type]
        )


class Classified(Wire):
    """The labels of one input, best first, or why it has none."""

    input: str
    predictions: list[PredictionOut] = []
    unknown_score: float | None = None
    error: str | None = None


class ClassifyResponse(Wire):
    """A result for each input, in their order."""

    results: list[Classified]


class ExplainRequest(Wire):
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
    """A stored item near the input; its label was taught, decided, or there is none."""

    item_id: str
    similarity: float
    title: str
    label: str
    label_id: str
    origin: str


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
    def of(one: SearchHit) -> HitOut:
        """From the library's result."""
        return HitOut(**{name: getattr(one, name) for name in HitOut.model_fields})


class SearchResponse(Wire):
    """The nearest items, best first."""

    hits: list[HitOut]


class LabelOut(Wire):
    """One label of the taxonomy."""

    label_id: str
    name: str
    path: list[str]
    parent_id: str | None
    description: str
    synonyms: list[str]
    is_leaf: bool


class LabelsResponse(Wire):
    """Labels in their order, a page of them."""

    total: int
    version: str
    labels: list[LabelOut]


class LabelIn(Wire):
    """A label as a label file has it."""

    id: str | None = Field(default=None, min_length=1, max_length=512)
    name: str = Field(min_length=1, max_length=1_000)
    parent: str | None = Field(default=None, max_length=512, description="The parent's id or name.")
    description: str = Field(default="", max_length=8_000)
    synonyms: list[Annotated[str, Field(max_length=1_000)]] = Field(default=[], max_length=100)


class LabelsRequest(Wire):
    """Labels to add or change."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"labels": [{"name": "e-reader", "parent": "electronics"}]}]
        }
    )

    labels: list[LabelIn] = Field(min_length=1, max_length=20_000)
    replace: bool = Field(default=False, description="These are all: others are removed.")


class LabelsChanged(Wire):
    """What a change of labels did."""

    added: int
    changed: int
    unchanged: int
    removed: int
    embedded_texts: int


class ItemIn(Wire):
    """One item; its picture comes in the form, from a URL, or not at all: then it is a text."""

    item_id: str = Field(min_length=1, max_length=512)
    title: str = Field(default="", max_length=8_000)
    url: str | None = Field(default=None, min_length=1, max_length=4_096)
    metadata: dict[str, Any] = {}


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


class ItemOut(Wire):
    """A stored item; an empty label where none was written back."""

    item_id: str
    kind: str
    title: str
    metadata: dict[str, Any]
    label_id: str
    label: str
    score: float
    status: str


class DoubtOut(Wire):
    """An item to look at, with the labels that it could have."""

    item_id: str
    title: str
    kind: str
    metadata: dict[str, Any]
    label_id: str
    label: str
    score: float
    status: str
    predictions: list[PredictionOut]


class ReviewResponse(Wire):
    """The least sure items that nobody has looked at."""

    total: int
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
    label: str = Field(default="", max_length=512, description="Id or name, for corrected.")

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


class CategoryOut(Wire):
    """How many items have a label."""

    label_id: str
    label: str
    items: int
    mean_score: float
    statuses: dict[str, int]


class CatalogOut(Wire):
    """The catalog at a glance."""

    catalog: str
    model: str
    items: int
    labels: int
    label_version: str
    adapted: bool
    reviewed: int
    categories: list[CategoryOut]
    dead_letters: dict[str, int]


class CategorizeJob(Wire):
    """What to categorize, and how."""

    filter: str = Field(default="", max_length=4_096)
    partition: str | None = Field(default=None, min_length=1, max_length=4_096)
    write_back: bool = True
    options: ClassifyOptions = ClassifyOptions()


class JobOut(Wire):
    """A job and how far it is."""

    job_id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    done: int
    total: int | None
    report: dict[str, Any]
    error: str
    has_result: bool
    created: str

    @staticmethod
    def of(job: Job) -> JobOut:
        """From the service's job."""
        return JobOut(
            job_id=job.job_id,
            kind=job.kind,
            state=job.state.value,
            done=job.done,
            total=job.total,
            report=job.report,
            error=job.error,
            has_result=job.result is not None,
            created=job.created,
        )


class JobsResponse(Wire):
    """Jobs, newest first."""

    jobs: list[JobOut]


class Health(Wire):
    """Whether the service lives, or is ready."""

    status: Literal["ok"]
