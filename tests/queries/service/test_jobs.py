"""Jobs run one after the other, stop when they are asked to, and say how they ended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from indexer.build import CatalogOptions
from indexer.errors import CatalogError
from queries.service.jobs import Job, Jobs, State
from queries.service.writing import Writer


def run(folder: Path, use: Callable[[Jobs], Coroutine[Any, Any, None]]) -> None:
    """Use jobs with a writer of their own."""

    async def within() -> None:
        writer = Writer(CatalogOptions(data_dir=folder))
        jobs = Jobs(writer, folder / "jobs")
        await use(jobs)
        await jobs.close()
        writer.close()

    asyncio.run(within())


async def over(job: Job) -> None:
    """Wait until a job has ended."""
    while not job.state.is_over:
        await asyncio.sleep(0.01)


def test_a_running_job_is_cancelled_and_one_that_waits_never_begins(tmp_path: Path) -> None:
    """What it has done is counted; what waits behind it runs."""
    begun = threading.Event()
    ran: list[str] = []

    def endless(job: Job) -> dict[str, Any]:
        job.expect(None)
        while True:
            job.advance(1)
            begun.set()

    def short(job: Job) -> dict[str, Any]:
        ran.append(job.job_id)
        return {"rows": 3}

    async def use(jobs: Jobs) -> None:
        first = jobs.start("categorize", endless)
        waiting, last = jobs.start("categorize", short), jobs.start("categorize", short)
        await asyncio.to_thread(begun.wait, 5)
        jobs.cancel(waiting)
        jobs.cancel(first)
        for job in (first, waiting, last):
            await over(job)
        assert [job.state for job in (first, waiting, last)] == [
            State.CANCELLED, State.CANCELLED, State.DONE,
        ]  # fmt: skip
        assert first.done > 0
        assert ran == [last.job_id]
        assert last.report == {"rows": 3}

    run(tmp_path, use)


def test_failures_tell_what_users_may_know(tmp_path: Path) -> None:
    """Our own errors in full; of others only that the log says why."""

    def ours(_: Job) -> dict[str, Any]:
        raise CatalogError("no labels. Add some.")

    def another(_: Job) -> dict[str, Any]:
        raise RuntimeError("secret")

    async def use(jobs: Jobs) -> None:
        first, second = jobs.start("teach", ours), jobs.start("teach", another)
        await over(first)
        await over(second)
        assert (first.state, first.error) == (State.FAILED, "no labels. Add some.")
        assert second.state is State.FAILED
        assert "secret" not in second.error
        assert [job.job_id for job in jobs.all()] == [second.job_id, first.job_id]

    run(tmp_path, use)
