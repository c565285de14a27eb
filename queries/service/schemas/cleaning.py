"""``/v1/jobs/duplicates``, ``/v1/jobs/audit``, and the rows of their tables."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from queries.service.schemas.wire import Wire


class DuplicatesJob(Wire):
    """Which look-alikes to find."""

    near: float | None = Field(
        default=None, ge=0, le=1, description="Cosine of near-duplicates; calibrated by default."
    )
    product: float | None = Field(
        default=None, ge=0, le=1, description="Cosine of variants; calibrated by default."
    )
    variants: bool = True
    keep_by: str | None = Field(
        default=None,
        min_length=1,
        max_length=512,
        description="Keep the highest number of this column; by default what came first.",
    )


class AuditJob(Wire):
    """Which labels to audit."""

    truth: str = Field(
        min_length=1, max_length=512, description="Column of the items' metadata with labels."
    )
    min_probability: float = Field(default=0.1, ge=0, le=1)


class RowsResponse(Wire):
    """Rows of a job's table."""

    total: int = Field(description="Rows of the whole table.")
    rows: list[dict[str, Any]]
