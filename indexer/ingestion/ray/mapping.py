"""A function over many inputs, on the workers of a cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TypeVar

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
        ClusterError: no worker fits on the cluster, or workers died repeatedly.
    """
    inputs = iter(inputs)
    # Matrix products run on cores here, without a GPU.
    with Pool(replace(cluster, gpus=0.0), partial(_in_worker, function)) as pool:
        pending = deque(pool.call("__call__", value) for value in islice(inputs, pool.window))
        while pending:
            result = pool.result(pending.popleft())
            pending.extend(pool.call("__call__", value) for value in islice(inputs, 1))
            yield result


def _in_worker(function: Callable[[In], Out]) -> Callable[[In], Out]:
    """Set a worker up, whose threads run inputs in parallel; the function is what it calls."""
    one_blas_thread().__enter__()  # never left: each input runs so, as long as the worker lives
    return function
