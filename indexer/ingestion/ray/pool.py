"""Workers of one kind: actors that Ray starts and restarts, repeating their lost calls."""

from __future__ import annotations

import logging
import platform
import threading
from collections.abc import Callable, Sequence
from typing import Any, Self

from indexer.core.errors import ClusterError, ZeroshelfError
from indexer.ingestion.ray.cluster import Cluster

CALLS_AT_ONCE = 4
"""Calls on a worker at a time: while one computes, others wait for pictures."""

RETRIES = 5
"""Restarts of its worker that a call survives; a picture that kills every one ends the job."""

PLACED_S = 60.0
"""Seconds that workers may wait for a place on the cluster."""

_log = logging.getLogger(__name__)


class _Worker:
    """Makes one object at the first call, and calls its methods."""

    def __init__(self) -> None:
        self._made: Any = None
        self._making = threading.Lock()

    def machine(self) -> str:
        """Name of its machine."""
        return platform.node()

    def call(self, make: Sequence[Any], method: str, *arguments: Any) -> Any:
        """Call a method of the object.

        Args:
            make: a reference to the object's factory. It is in a list, since Ray would resolve
                it at each call, and part of each call, since a restarted worker needs it too.
        """
        import ray

        with self._making:
            if self._made is None:
                self._made = ray.get(make[0])()
        return getattr(self._made, method)(*arguments)


class Pool:
    """The workers that fit on a cluster; a context manager that ends them.

    Args:
        make: makes the object that a worker calls, on the worker.

    Raises:
        ClusterError: no worker got a place.
    """

    def __init__(self, cluster: Cluster, make: Callable[[], object]) -> None:
        import ray

        self._cluster = cluster
        kind: Any = ray.remote(_Worker)
        kind = kind.options(
            num_cpus=cluster.cores,
            num_gpus=cluster.gpus,
            max_concurrency=2 * CALLS_AT_ONCE,
            max_restarts=-1,
            max_task_retries=RETRIES,
        )
        self._make = [ray.put(make)]
        self._actors = [kind.remote() for _ in range(cluster.workers)]
        try:
            self._drop_unplaced()
        except BaseException:
            self.close()
            raise
        self._pending: list[list[Any]] = [[] for _ in self._actors]

    def __len__(self) -> int:
        return len(self._actors)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        import ray

        for actor in self._actors:
            ray.kill(actor)

    @property
    def window(self) -> int:
        """Number of pending calls that keeps all workers busy."""
        return CALLS_AT_ONCE * len(self)

    def least_busy(self) -> int:
        """The worker with the fewest pending calls."""
        import ray

        for worker, calls in enumerate(self._pending):
            if calls:
                waiting = ray.wait(calls, num_returns=len(calls), timeout=0, fetch_local=False)[1]
                self._pending[worker] = waiting
        return min(range(len(self)), key=lambda worker: len(self._pending[worker]))

    def call(self, worker: int, method: str, *arguments: Any, returns: int = 1) -> Any:
        """Start a call.

        Args:
            arguments: references to results of other calls are replaced by these results.
            returns: number of values that the method returns, each with its own reference.

        Returns:
            A reference to the result, or as many as ``returns``.
        """
        options = self._actors[worker].call.options(num_returns=returns)
        references = options.remote(self._make, method, *arguments)
        self._pending[worker].append(references if returns == 1 else references[0])
        return references

    def result(self, reference: Any) -> Any:
        """Wait for the result of a call.

        Raises:
            ZeroshelfError: raised by the worker.
            ClusterError: the worker failed otherwise, or died repeatedly.
        """
        import ray

        try:
            return ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, ZeroshelfError):
                raise error.cause from error
            raise ClusterError(
                f"a worker of Ray at {self._cluster.address} failed: {_last_line(error)}. Each "
                "machine needs the same version of zeroshelf and its libraries."
            ) from error
        except ray.exceptions.RayError as error:
            raise ClusterError(
                f"workers of Ray at {self._cluster.address} died {RETRIES + 1} times over the same "
                f"batch ({type(error).__name__}): they may lack memory, see 'ray status' and Ray's "
                "logs. What is finished is kept: the same command goes on from there"
            ) from error

    def _drop_unplaced(self) -> None:
        """Continue with the workers that got a place."""
        import ray

        machines = {actor.machine.remote(): actor for actor in self._actors}
        placed, unplaced = ray.wait(
            list(machines), num_returns=len(machines), timeout=PLACED_S, fetch_local=False
        )
        if not placed:
            raise ClusterError(
                f"Ray at {self._cluster.address} gave no worker a place within {PLACED_S:.0f} s: "
                f"each needs {self._cluster.cores} cores and {self._cluster.gpus:g} GPUs. See "
                "'ray status' there for what is in use."
            )
        for reference in placed:
            self.result(reference)
        if unplaced:
            _log.warning(
                "Ray at %s has room for %d of %d workers now: going on with these.",
                self._cluster.address,
                len(placed),
                len(machines),
            )
        for reference in unplaced:
            ray.kill(machines[reference])
        self._actors = [machines[reference] for reference in placed]


def _last_line(error: Exception) -> str:
    """The error itself, from a remote traceback."""
    return str(error).strip().splitlines()[-1].rstrip(".")
