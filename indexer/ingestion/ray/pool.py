"""Workers of one kind: actors, whose calls are repeated by others where one dies."""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from indexer.core.errors import ClusterError, ZeroshelfError
from indexer.ingestion.ray.cluster import Cluster

CALLS_AT_ONCE = 4
"""Calls on a worker at a time: while one computes, others wait for pictures."""

RETRIES = 5
"""Times that a call is repeated; a picture that kills every worker ends the job."""

PLACED_S = 60.0
"""Seconds that the first workers may wait for a place on the cluster."""

PLACED_AGAIN_S = 600.0
"""The same where all are lost: machines that start again take minutes."""

_log = logging.getLogger(__name__)


class _Actor:
    """Makes one object at the first call, and calls its methods."""

    def __init__(self) -> None:
        self._made: Any = None
        self._making = threading.Lock()

    def machine(self) -> str:
        """Name of its machine."""
        return platform.node()

    def never(self) -> None:
        """Wait for ever: this call ends when its worker is lost."""
        threading.Event().wait()

    def call(self, make: Sequence[Any], method: str, *arguments: Any) -> Any:
        """Call a method of the object.

        Args:
            make: a reference to the object's factory, in a list, since Ray would resolve it at
                each call.
        """
        import ray

        with self._making:
            if self._made is None:
                self._made = ray.get(make[0])()
        return getattr(self._made, method)(*arguments)


@dataclass(slots=True, eq=False)
class _Worker:
    """An actor.

    Attributes:
        placed: becomes ready with the name of its machine when it has a place.
        loss: becomes ready when it is lost.
        machine: empty until it has a place.
        calls: those without a result.
    """

    actor: Any
    placed: Any
    loss: Any
    machine: str = ""
    calls: list[Call] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Call:
    """A call of a method on a worker.

    Attributes:
        arguments: its first arguments.
        inputs: outputs of other calls, which are its further arguments.
        returns: number of values that the method returns.
        references: of the inputs, as they were when it was started.
        outputs: references to the values that it returns.
        repeats: how often it was started again.
    """

    worker: _Worker
    method: str
    arguments: tuple[Any, ...] = ()
    inputs: tuple[Output, ...] = ()
    returns: int = 1
    references: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class Output:
    """A value that a call returns; it goes to another call without crossing the driver."""

    call: Call
    place: int

    @property
    def reference(self) -> Any:
        """Ray's, of the last time that the call was started."""
        return self.call.outputs[self.place]


class Pool:
    """The workers that fit on a cluster; a context manager that ends them.

    The pool repeats lost calls itself. Ray would repeat them on the same actor, which waits for
    a place as long as the machines that are left are full, and its calls with it.

    Args:
        make: makes the object that a worker calls, on the worker.

    Attributes:
        lost_workers: that died or whose machine did.
        repeated_calls: that were started again for it.

    Raises:
        ClusterError: no worker got a place.
    """

    def __init__(self, cluster: Cluster, make: Callable[[], object]) -> None:
        import ray

        self._cluster = cluster
        kind: Any = ray.remote(_Actor)
        self._kind = kind.options(
            num_cpus=cluster.cores,
            num_gpus=cluster.gpus,
            max_concurrency=2 * CALLS_AT_ONCE + 1,  # one call lasts as long as the actor
            max_restarts=0,
            scheduling_strategy="SPREAD",
        )
        self._make = [ray.put(make)]
        self.lost_workers = 0
        self.repeated_calls = 0
        self._workers: list[_Worker] = []
        self._unplaced = [self._start() for _ in range(cluster.workers)]
        try:
            self._await_places(len(self._unplaced), within_s=PLACED_S)
        except BaseException:
            self.close()
            raise
        if self._unplaced:
            _log.warning(
                "Ray at %s has room for %d of %d workers now: going on with these.",
                cluster.address,
                len(self),
                cluster.workers,
            )

    def __len__(self) -> int:
        return len(self._workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        import ray

        for worker in (*self._workers, *self._unplaced):
            ray.kill(worker.actor)

    @property
    def window(self) -> int:
        """Number of pending calls that keeps all workers busy."""
        return CALLS_AT_ONCE * max(1, len(self))

    def call_all(self, method: str) -> list[Call]:
        """Start a call on each worker."""
        return [self._begin(Call(worker, method)) for worker in self._workers]

    def call(
        self, method: str, *arguments: Any, inputs: Sequence[Output] = (), returns: int = 1
    ) -> Call:
        """Start a call: where its first input is, or on the worker with the fewest pending ones.

        Args:
            arguments: picklable.
            inputs: outputs of other calls, the method's further arguments.
            returns: number of values that the method returns.
        """
        self._replace_lost()
        worker = inputs[0].call.worker if inputs else None
        if worker is None or worker not in self._workers:
            worker = self._least_busy()
        return self._begin(Call(worker, method, arguments, tuple(inputs), returns))

    def result(self, call: Call) -> Any:
        """Wait for the first value of a call.

        Raises:
            ZeroshelfError: raised by the worker.
            ClusterError: the worker failed otherwise, or died repeatedly.
        """
        import ray

        while True:
            try:
                value = ray.get(call.outputs[0])
            except ray.exceptions.RayError as error:
                self._answer(call, error)
            else:
                self._forget(call)
                return value

    def _answer(self, call: Call, error: Exception) -> None:
        """Repeat a call whose worker or arguments are lost; raise what else went wrong."""
        from ray.exceptions import ObjectLostError, RayActorError, RayTaskError

        if isinstance(error, RayTaskError):
            if isinstance(error.cause, ZeroshelfError):
                raise error.cause from error
            if not isinstance(error.cause, ObjectLostError | RayActorError):
                raise ClusterError(
                    f"a worker of Ray at {self._cluster.address} failed: {_last_line(error)}. Each "
                    "machine needs the same version of zeroshelf and its libraries."
                ) from error
            self._repeat_with_arguments(call, error)
        elif isinstance(error, ObjectLostError):
            self._repeat_with_arguments(call, error)
        else:
            repeats = call.repeats
            self._lose(call.worker, error)
            if call.repeats == repeats:  # its worker was known to be lost
                self._repeat(call, error)

    def _repeat_with_arguments(self, call: Call, error: Exception) -> None:
        """Repeat a call, and first those whose outputs it was given, unless another call did."""
        for output, reference in zip(call.inputs, call.references, strict=True):
            if output.reference == reference:
                self._repeat(output.call, error)
        self._repeat(call, error)

    def _begin(self, call: Call) -> Call:
        call.references = [output.reference for output in call.inputs]
        method = call.worker.actor.call.options(num_returns=call.returns)
        outputs = method.remote(self._make, call.method, *call.arguments, *call.references)
        call.outputs = [outputs] if call.returns == 1 else list(outputs)
        call.worker.calls.append(call)
        return call

    def _repeat(self, call: Call, error: Exception) -> None:
        """Start a call again, on the worker with the fewest pending ones."""
        self._forget(call)
        if call.repeats >= RETRIES:
            raise ClusterError(
                f"workers of Ray at {self._cluster.address} died {RETRIES + 1} times over the same "
                f"batch ({type(error).__name__}): they may lack memory, see 'ray status' and Ray's "
                "logs. What is finished is kept: the same command goes on from there"
            ) from error
        call.repeats += 1
        self.repeated_calls += 1
        call.worker = self._least_busy()
        self._begin(call)

    def _forget(self, call: Call) -> None:
        if call in call.worker.calls:
            call.worker.calls.remove(call)

    def _replace_lost(self) -> None:
        """Repeat the calls of workers that were lost, and take those that have a place now."""
        import ray

        losses = {worker.loss: worker for worker in self._workers}
        for loss in ray.wait(list(losses), num_returns=len(losses), timeout=0)[0] if losses else ():
            try:
                ray.get(loss)
            except ray.exceptions.RayError as error:
                self._lose(losses[loss], error)
        if self._unplaced:
            self._take_placed(timeout_s=0.0, wanted=len(self._unplaced))

    def _lose(self, worker: _Worker, error: Exception) -> None:
        """Repeat what a lost worker had to do, and start another in its stead."""
        import ray

        if worker not in self._workers:
            return
        self._workers.remove(worker)
        self.lost_workers += 1
        ray.kill(worker.actor)  # one that only can't be reached would compute on
        self._unplaced.append(self._start())
        lost = [call for call in worker.calls if not _has_result(call)]
        _log.warning(
            "Ray at %s lost a worker on %s. Others do its unfinished batches again: %d.",
            self._cluster.address,
            worker.machine,
            len(lost),
        )
        for call in lost:
            self._repeat(call, error)

    def _least_busy(self) -> _Worker:
        import ray

        if not self._workers:
            _log.warning(
                "Ray at %s has no worker left: waiting for a place for one, up to %.0f s.",
                self._cluster.address,
                PLACED_AGAIN_S,
            )
            self._await_places(1, within_s=PLACED_AGAIN_S)
        for worker in self._workers:
            if worker.calls:
                references = [call.outputs[0] for call in worker.calls]
                waiting = ray.wait(
                    references, num_returns=len(references), timeout=0, fetch_local=False
                )[1]
                worker.calls = [call for call in worker.calls if call.outputs[0] in waiting]
        return min(self._workers, key=lambda worker: len(worker.calls))

    def _start(self) -> _Worker:
        actor = self._kind.remote()
        return _Worker(actor, actor.machine.remote(), actor.never.remote())

    def _await_places(self, wanted: int, *, within_s: float) -> None:
        """Wait until so many of the unplaced workers have a place, or the time is over.

        Raises:
            ClusterError: none has one.
        """
        deadline = time.monotonic() + within_s
        goal = len(self) + wanted
        while len(self) < goal and (left_s := deadline - time.monotonic()) > 0:
            self._take_placed(timeout_s=left_s, wanted=goal - len(self))
        if not self._workers:
            raise ClusterError(
                f"Ray at {self._cluster.address} gave no worker a place within {within_s:.0f} s: "
                f"each needs {self._cluster.cores} cores and {self._cluster.gpus:g} GPUs. See "
                "'ray status' there for what is in use."
            )

    def _take_placed(self, *, timeout_s: float, wanted: int) -> None:
        import ray

        placing = {worker.placed: worker for worker in self._unplaced}
        placed, _ = ray.wait(list(placing), num_returns=wanted, timeout=timeout_s)
        for reference in placed:
            worker = placing[reference]
            self._unplaced.remove(worker)
            try:
                worker.machine = ray.get(reference)
            except ray.exceptions.RayActorError:  # lost before it was at work
                self._unplaced.append(self._start())
            else:
                self._workers.append(worker)


def _has_result(call: Call) -> bool:
    """Whether a call was finished before its worker was lost."""
    import ray

    if not ray.wait([call.outputs[0]], timeout=0, fetch_local=False)[0]:
        return False
    try:
        ray.get(call.outputs[0])
    except ray.exceptions.RayTaskError:
        return True  # raised by the method itself
    except ray.exceptions.RayError:
        return False
    return True


def _last_line(error: Exception) -> str:
    """The error itself, from a remote traceback."""
    return str(error).strip().splitlines()[-1].rstrip(".")
