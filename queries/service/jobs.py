"""Work that outlasts a request: started, watched, cancelled, its result downloaded."""

from __future__ import annotations

import asyncio
import logging
import shutil
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from indexer.core.errors import StoppedError, ZeroshelfError
from indexer.core.watch import Watch
from queries.service.problems import Problem
from queries.service.writer import Writer

_log = logging.getLogger(__name__)


class State(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens."""
        return self in {State.DONE, State.FAILED, State.CANCELLED}


@dataclass(slots=True, kw_only=True)
class Job:
    """One piece of work and how far it is.

    Attributes:
        stage: what it does at the moment.
        done: rows of that stage that are done.
        total: rows of that stage; None where that is not known.
        report: what it did, once it is done.
        result: a file to download.
    """

    job_id: str
    kind: str
    folder: Path
    state: State = State.QUEUED
    stage: str = ""
    done: int = 0
    total: int | None = None
    report: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    result: Path | None = None
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def waits(self) -> bool:
        """Whether it has not begun, and will."""
        return self.state is State.QUEUED and not self.stop.is_set()

    @property
    def has_result(self) -> bool:
        """Whether there is a file to download."""
        return self.result is not None

    def watch(self) -> Watch:
        """What the work reports to, and is stopped by."""
        return Watch(begin=self._begin, advance=self._advance, stop=self.stop)

    def finish(self, report: dict[str, Any], table: Path) -> dict[str, Any]:
        """Keep the table that the work wrote; its report, as it was given."""
        self.stop.clear()  # too late to stop it
        self.result = table
        return report

    def _begin(self, stage: str, rows: int | None) -> None:
        self.stage = stage
        if rows is not None:  # else the figures of the stage before stay
            self.done, self.total = 0, rows

    def _advance(self, rows: int) -> None:
        self.done += rows


Work = Callable[[Job], dict[str, Any]]
"""Does a job in the writer's thread, and returns its report."""


class Jobs:
    """The jobs of one service, one at a time.

    Args:
        writer: whose thread they run in.
        folder: where results are written, a folder a job.
        most_waiting: jobs that may wait.
        retained: jobs that are remembered after they ended, and results that are kept; also of
            services before this one.
        told: what of an error is told to users.
    """

    def __init__(
        self,
        writer: Writer,
        folder: Path,
        *,
        most_waiting: int,
        retained: int,
        told: Callable[[str], str] = str,
    ) -> None:
        self._writer = writer
        self._folder = folder
        self._most_waiting = most_waiting
        self._retained = retained
        self._told = told
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, asyncio.Task[None]] = {}
        # A job that waits is not given to the writer yet: smaller changes go before it.
        self._turn = asyncio.Lock()
        self._tidy()

    def all(self) -> list[Job]:
        """The jobs that are remembered, newest first."""
        return list(reversed(self._jobs.values()))

    def find(self, job_id: str) -> Job | None:
        """A job by its id."""
        return self._jobs.get(job_id)

    def start(self, kind: str, run: Work) -> Job:
        """Queue a piece of work.

        Raises:
            Problem: 503, too many wait.
        """
        self.require_room()
        job_id = uuid.uuid4().hex
        job = Job(job_id=job_id, kind=kind, folder=self._folder / job_id)
        self._jobs[job_id] = job
        task = asyncio.create_task(self._run(job, run))
        self._waiting[job_id] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return job

    def require_room(self) -> None:
        """Refuse a job where too many wait, before anything is kept for it.

        Raises:
            Problem: 503.
        """
        waiting = sum(job.waits for job in self._jobs.values())
        if waiting >= self._most_waiting:
            detail = f"{waiting} jobs wait, and no more may: try again when one has ended."
            headers = {"Retry-After": "60"}
            raise Problem(503, "queue-full", "Too many jobs wait", detail, headers=headers)

    def cancel(self, job: Job) -> None:
        """Ask a job to stop; what it has stored stays. One that waits is over at once."""
        job.stop.set()
        if (task := self._waiting.pop(job.job_id, None)) is not None:
            task.cancel()
            job.state = State.CANCELLED
            self._tidy()

    async def close(self) -> None:
        """Stop all jobs, in order."""
        for job in self._jobs.values():
            job.stop.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, job: Job, run: Work) -> None:
        try:
            async with self._turn:
                self._waiting.pop(job.job_id, None)
                name = f"Job {job.job_id} ({job.kind})"
                job.report = await self._writer.run_job(name, lambda: _work(job, run))
            job.state = State.CANCELLED if job.stop.is_set() else State.DONE
        except StoppedError:
            job.state = State.CANCELLED
        except ZeroshelfError as error:
            job.state, job.error = State.FAILED, self._told(str(error))
        except Exception:  # noqa: BLE001 (a job that fails in any way must say so)
            job.state, job.error = State.FAILED, "The service failed; its log says why."
            _log.exception("job %s (%s) failed", job.job_id, job.kind)
        self._tidy()

    def _tidy(self) -> None:
        """Forget the oldest jobs that have ended, and remove the oldest results."""
        over = [job.job_id for job in reversed(self._jobs.values()) if job.state.is_over]
        for job_id in over[self._retained :]:
            del self._jobs[job_id]
        under_way = {job.job_id for job in self._jobs.values() if not job.state.is_over}
        ended = [folder for folder in self._folder.glob("*") if folder.name not in under_way]
        ended.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
        for old in ended[self._retained :]:
            shutil.rmtree(old, ignore_errors=True)


def _work(job: Job, run: Work) -> dict[str, Any]:
    if job.stop.is_set():
        raise StoppedError("the job was stopped before it began.")
    job.state = State.RUNNING
    job.folder.mkdir(parents=True, exist_ok=True)
    return run(job)
