"""``/v1/jobs/map``."""

from __future__ import annotations

from pydantic import Field

from indexer.core.label_sets import CATEGORY
from queries.service.schemas.labels import LabelIn
from queries.service.schemas.wire import Fraction, SetName, Wire


class MappingJob(Wire):
    """The labels that those of the catalog are mapped to, and what decides."""

    labels: list[LabelIn] = Field(
        min_length=1, max_length=20_000, description="The other taxonomy, as PUT /v1/labels has it."
    )
    label_set: SetName = CATEGORY
    items: bool = Field(default=True, description="Let the catalog's labelled items vote.")
    truth: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        description="Column of the items' metadata with their labels; by default what was decided.",
    )
    same_ids: bool = Field(default=False, description="An id means the same in both taxonomies.")
    min_score: Fraction | None = Field(
        default=None, description="Score from which a mapping is accepted."
    )
