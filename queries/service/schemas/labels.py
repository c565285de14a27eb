"""``/v1/labels``."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from queries.service.schemas.wire import Wire


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
    applies_to: list[Annotated[str, Field(max_length=1_000)]] | None = Field(
        default=None,
        max_length=1_000,
        description="Categories that another label set is limited to, with all below them: ids, "
        "names or paths. An empty list lets it apply to every item.",
    )


class LabelsChanged(Wire):
    """What a change of labels did."""

    added: int
    changed: int
    unchanged: int
    removed: int
    embedded_texts: int
    cut_prompts: int
    notes: list[str] = Field(
        default=[],
        description="What to know: what labels lost, and examples, verdicts, items and gates that "
        "name removed labels.",
    )
