"""Inputs that wait together run together, and a full queue refuses."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from queries.service.batching import Batcher, QueueFullError


def batcher(run: object, **limits: float) -> Batcher[int, int]:
    """A batcher with a thread of its own."""
    settings = {"window_s": 0.02, "max_batch": 4, "max_queue": 100} | limits
    return Batcher(run, ThreadPoolExecutor(1), **settings)  # type: ignore[arg-type]


def test_concurrent_inputs_share_calls_and_keep_their_order() -> None:
    """Nine requests become three calls of at most four; each gets its own output."""
    sizes: list[int] = []

    def run(inputs: list[int]) -> Sequence[int]:
        sizes.append(len(inputs))
        return [one * 10 for one in inputs]

    async def ask() -> list[list[int]]:
        shared = batcher(run)
        found = await asyncio.gather(*(shared.submit([one]) for one in range(9)))
        await shared.close()
        return found

    assert asyncio.run(ask()) == [[one * 10] for one in range(9)]
    assert sizes == [4, 4, 1]


def test_a_full_queue_takes_nothing_of_a_request() -> None:
    """What does not fit is refused whole, and what waits is answered."""
    begun, gate = threading.Event(), threading.Event()

    def run(inputs: list[int]) -> Sequence[int]:
        begun.set()
        gate.wait(60)
        return inputs

    async def ask() -> list[int]:
        shared = batcher(run, max_batch=1, max_queue=2, window_s=0.0)
        first = asyncio.create_task(shared.submit([1]))
        await asyncio.to_thread(begun.wait, 60)
        second = asyncio.create_task(shared.submit([2]))
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError):
            await shared.submit([3, 4])
        assert shared.waiting == 1
        gate.set()
        answers = [*await first, *await second]
        await shared.close()
        return answers

    assert asyncio.run(ask()) == [1, 2]


def test_a_failure_reaches_every_request_of_its_batch_and_none_after() -> None:
    """The next batch runs as if nothing had been."""
    calls = 0

    def run(inputs: list[int]) -> Sequence[int]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError("broken")
        return inputs

    async def ask() -> None:
        shared = batcher(run)
        failed = await asyncio.gather(
            shared.submit([1]), shared.submit([2]), return_exceptions=True
        )
        assert [str(one) for one in failed] == ["broken", "broken"]
        assert await shared.submit([3]) == [3]
        await shared.close()

    asyncio.run(ask())


def test_what_nobody_waits_for_any_more_is_not_run() -> None:
    """A client that has gone costs no forward pass."""
    seen: list[int] = []
    begun, gate = threading.Event(), threading.Event()

    def run(inputs: list[int]) -> Sequence[int]:
        seen.extend(inputs)
        begun.set()
        gate.wait(60)
        return inputs

    async def ask() -> None:
        shared = batcher(run)
        first = asyncio.create_task(shared.submit([0]))
        await asyncio.to_thread(begun.wait, 60)
        gone = asyncio.create_task(shared.submit([1]))
        stays = asyncio.create_task(shared.submit([2]))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        gate.set()
        assert [await first, await stays] == [[0], [2]]
        await shared.close()

    asyncio.run(ask())
    assert seen == [0, 2]
