"""``/v1/jobs``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from queries.service.schemas.classifying import ClassifyOptions
from queries.service.schemas.wire import SetName, Wire


class CategorizeJob(Wire):
    """What to categorize, and how."""

    filter: str = Field(default="", max_length=4_096)
    partition: str | None = Field(default=None, min_length=1, max_length=4_096)
    write_back: bool = True
    sets: list[SetName] = Field(
        default=[],
        max_length=200,
        description="Label sets to decide; without, that of the options.",
    )
    options: ClassifyOptions = ClassifyOptions()


class JobOut(Wire):
    """A job and how far it is."""

    job_id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    stage: str
    done: int
    total: int | None
    report: dict[str, Any]
    error: str
    has_result: bool
    created: str


class JobsResponse(Wire):
    """Jobs, newest first."""

    jobs: list[JobOut]
