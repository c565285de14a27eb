"""Requests that wait together become one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


class QueueFullError(Exception):
    """More inputs wait than may: the service sheds load instead of growing."""


class Batcher(Generic[In, Out]):
    """Gathers inputs of concurrent requests and runs them in one call.

    A batch that is not full waits ``window_s`` for more inputs; while a call runs, those
    that arrive gather for the next. So the window is what a request may lose by it.

    Args:
        run: one output an input, in order, or the error that one input is; called in
            ``executor``. What it raises is told to all of a call.
        executor: where calls run, one at a time.
        window_s: how long a batch waits for more inputs.
        max_batch: inputs of one call.
        max_queue: inputs that may wait.
        on_batch: told the size of each batch.
    """

    def __init__(
        self,
        run: Callable[[list[In]], Sequence[Out | Exception]],
        executor: Executor,
        *,
        window_s: float,
        max_batch: int,
        max_queue: int,
        on_batch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._run = run
        self._executor = executor
        self._window_s = window_s
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._on_batch = on_batch
        self._waiting: list[tuple[In, asyncio.Future[Out]]] = []
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Inputs that wait for a call."""
        return len(self._waiting)

    async def submit(self, inputs: Sequence[In]) -> list[Out]:
        """Outputs of the inputs, in order.

        Raises:
            QueueFullError: too many wait; none of these was taken.
            Exception: that of the first input which is one.
        """
        if len(self._waiting) + len(inputs) > self._max_queue:
            raise QueueFullError
        if self._task is None:
            self._task = asyncio.create_task(self._serve())
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Out]] = [loop.create_future() for _ in inputs]
        self._waiting += zip(inputs, futures, strict=True)
        self._arrived.set()
        try:
            return list(await asyncio.gather(*futures))
        except asyncio.CancelledError:
            for future in futures:
                future.cancel()
            # What nobody waits for any more takes no place from others.
            self._waiting = [entry for entry in self._waiting if not entry[1].done()]
            raise

    async def close(self) -> None:
        """Stop; what waits is cancelled."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        for _, future in self._waiting:
            future.cancel()
        self._waiting.clear()

    async def _serve(self) -> None:
        while True:
            await self._arrived.wait()
            if len(self._waiting) < self._max_batch:
                await asyncio.sleep(self._window_s)
            await self._run_batch()
            if not self._waiting:
                self._arrived.clear()

    async def _run_batch(self) -> None:
        taken = self._waiting[: self._max_batch]
        del self._waiting[: self._max_batch]
        # Those whose client has gone are not worth a forward pass.
        batch = [(request, future) for request, future in taken if not future.done()]
        if not batch:
            return
        self._on_batch(len(batch))
        loop = asyncio.get_running_loop()
        try:
            outputs = await loop.run_in_executor(
                self._executor, self._run, [request for request, _ in batch]
            )
        except Exception as error:  # noqa: BLE001 (each request of the batch is told of it)
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), output in zip(batch, outputs, strict=True):
            if future.done():
                continue
            if isinstance(output, Exception):
                future.set_exception(output)
            else:
                future.set_result(output)
