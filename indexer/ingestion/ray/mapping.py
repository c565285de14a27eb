"""A function over many inputs, on the workers of a cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Generic, TypeVar

from indexer.core.threads import one_blas_thread
from indexer.ingestion.ray.cluster import Cluster
from indexer.ingestion.ray.pool import Pool

In = TypeVar("In")
Out = TypeVar("Out")


def side_by_side(
    cluster: Cluster, function: Callable[[In], Out], inputs: Iterable[In]
) -> Generator[Out]:
    """Like ``indexer.core.threads.side_by_side``, in order, on a cluster.

    Args:
        function: picklable; it is sent to each worker once, and must give the same on each.
        inputs: small and picklable.

    Raises:
        ZeroshelfError: what the function raised.
        ClusterError: the cluster has no room, or workers died again and again.
    """
    inputs = iter(inputs)
    # Products need no GPU.
    with Pool(replace(cluster, gpus=0.0), _Making(function)) as pool:
        under_way = deque(_begun(pool, one) for one in islice(inputs, pool.window))
        while under_way:
            done = pool.result(under_way.popleft())
            under_way.extend(_begun(pool, one) for one in islice(inputs, 1))
            yield done


def _begun(pool: Pool, value: object) -> Any:
    return pool.call(pool.least_busy(), "apply", value)


@dataclass(frozen=True, slots=True)
class _Making(Generic[In, Out]):
    """Makes the same in each worker."""

    function: Callable[[In], Out]

    def __call__(self) -> _Applied[In, Out]:
        # For the worker's life: whole inputs run side by side in its threads.
        one_blas_thread().__enter__()
        return _Applied(self.function)


@dataclass(frozen=True, slots=True)
class _Applied(Generic[In, Out]):
    """What a worker calls."""

    function: Callable[[In], Out]

    def apply(self, value: In) -> Out:
        """The function's value."""
        return self.function(value)
