"""What routes ask for: the right to be used, and what all requests share."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request

from queries.review.queue import DecisionCache
from queries.service.access import requires
from queries.service.engine import Engine
from queries.service.jobs import Jobs
from queries.service.keys import ApiKey, Scope
from queries.service.metrics import Metrics
from queries.service.problems import Places
from queries.service.readiness import Readiness
from queries.service.writer import Spool, Writer

MayRead = Depends(requires(Scope.READ))
MayWrite = Depends(requires(Scope.WRITE))
MayAdminister = Depends(requires(Scope.ADMIN))
WritingKey = Annotated[ApiKey | None, MayWrite]


def _shared(name: str) -> Any:
    # A coroutine: FastAPI would run a plain function in a thread, at each request.
    async def of_state(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(of_state)


SharedEngine = Annotated[Engine, _shared("engine")]
SharedWriter = Annotated[Writer, _shared("writer")]
SharedSpool = Annotated[Spool, _shared("spool")]
SharedJobs = Annotated[Jobs, _shared("jobs")]
SharedDecisions = Annotated[DecisionCache, _shared("decided")]
SharedPlaces = Annotated[Places, _shared("places")]
SharedMetrics = Annotated[Metrics, _shared("metrics")]
SharedReadiness = Annotated[Readiness, _shared("readiness")]
