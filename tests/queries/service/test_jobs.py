"""Jobs run one after the other, stop when they are asked to, and say how they ended."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from indexer.catalog.opening import CatalogOptions
from indexer.core.errors import CatalogError
from queries.service.jobs import Job, Jobs, State
from queries.service.problems import Places, Problem
from queries.service.writer import Writer


def run(folder: Path, use: Callable[[Jobs], Coroutine[Any, Any, None]]) -> None:
    """Use jobs with a writer of their own."""

    async def within() -> None:
        writer = Writer(CatalogOptions(data_dir=folder))
        told = Places.of(writer.options).hidden_in
        jobs = Jobs(writer, folder / "jobs", most_waiting=3, retained=2, told=told)
        await use(jobs)
        await jobs.close()
        await writer.close()

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
        watch = job.watch()
        while True:
            watch.advance(1)
            begun.set()
            watch.check_stop()

    def short(job: Job) -> dict[str, Any]:
        ran.append(job.job_id)
        return {"rows": 3}

    async def use(jobs: Jobs) -> None:
        first = jobs.start("categorize", endless)
        waiting, last = jobs.start("categorize", short), jobs.start("categorize", short)
        assert await asyncio.to_thread(begun.wait, 60)
        jobs.cancel(waiting)
        assert (waiting.state, first.state) == (State.CANCELLED, State.RUNNING)
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
        raise CatalogError(f"{str(tmp_path / 'a.txt')!r} has no labels. Add some.")

    def another(_: Job) -> dict[str, Any]:
        raise RuntimeError("secret")

    async def use(jobs: Jobs) -> None:
        first, second = jobs.start("teach", ours), jobs.start("teach", another)
        await over(first)
        await over(second)
        assert (first.state, first.error) == (
            State.FAILED,
            "'the data folder/a.txt' has no labels. Add some.",
        )
        assert second.state is State.FAILED
        assert "secret" not in second.error
        assert [job.job_id for job in jobs.all()] == [second.job_id, first.job_id]

    run(tmp_path, use)


def test_jobs_that_wait_are_bounded(tmp_path: Path) -> None:
    """One too many is refused with when to come again; one that is cancelled makes room."""
    gate = threading.Event()

    def held(_: Job) -> dict[str, Any]:
        gate.wait(60)
        return {}

    async def use(jobs: Jobs) -> None:
        running = jobs.start("ingest", held)
        while running.state is State.QUEUED:
            await asyncio.sleep(0.01)
        waiting = [jobs.start("ingest", held) for _ in range(3)]
        with pytest.raises(Problem, match="3 jobs wait") as refused:
            jobs.start("ingest", held)
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "60")
        for _ in range(5):
            jobs.cancel(waiting.pop())
            waiting.append(jobs.start("ingest", held))
        assert len(jobs.all()) == 1 + 3 + 2, "a running one, those that wait, and those kept"
        gate.set()

    run(tmp_path, use)


def test_the_oldest_jobs_and_their_results_go(tmp_path: Path) -> None:
    """Also those of an earlier service; never of a job that is not over."""
    for name in ("old", "older"):
        (tmp_path / "jobs" / name).mkdir(parents=True)
        os.utime(tmp_path / "jobs" / name, (0, 0))

    def write(job: Job) -> dict[str, Any]:
        (job.folder / "labels.parquet").write_bytes(b"result")
        return {}

    async def use(jobs: Jobs) -> None:
        ended = []
        for _ in range(3):
            ended.append(jobs.start("categorize", write))
            await over(ended[-1])
            await asyncio.sleep(0.02)
        kept = [ended[2].job_id, ended[1].job_id]
        assert [job.job_id for job in jobs.all()] == kept
        assert {path.name for path in (tmp_path / "jobs").iterdir()} == set(kept)

    run(tmp_path, use)
