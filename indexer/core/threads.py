"""As many threads as BLAS would take, each with a BLAS of one: whole blocks run side by side.

BLAS gives its threads one product at a time, and all that follows a product (maxima,
exponentials, sums) runs on one core. A thread a block keeps all cores at work.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

from indexer.core.chunks import map_in_order

In = TypeVar("In")
Out = TypeVar("Out")


@contextlib.contextmanager
def workers() -> Iterator[tuple[Executor, int]]:
    """A pool of threads and their number, while BLAS itself takes one thread for a product.

    Their number is what BLAS had: the cores, or what ``OMP_NUM_THREADS`` says.
    """
    blas = _blas()
    count = max((int(library["num_threads"]) for library in blas.info()), default=1)
    with blas.limit(limits=1), ThreadPoolExecutor(count) as pool:
        yield pool, count


def one_blas_thread() -> contextlib.AbstractContextManager[object]:
    """While it is entered, each product runs in the thread that asks for it, and in no other.

    It holds for the whole process, and can be entered again inside.
    """
    limits: contextlib.AbstractContextManager[object] = _blas().limit(limits=1)
    return limits


def _blas() -> Any:
    """The BLAS libraries that are loaded now: looking for them takes a millisecond or more."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController().select(user_api="blas")


def side_by_side(function: Callable[[In], Out], inputs: Iterable[In]) -> Iterator[Out]:
    """Like ``map``, in order, on ``workers``; one input more than there are threads waits."""
    with workers() as (pool, count):
        yield from map_in_order(pool, function, inputs, window=count)


@contextlib.contextmanager
def beside() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Run work in one thread beside this one, in order, by the function that it gives.

    Leaving waits until all is done, and raises what the first of it raised.
    """
    with ThreadPoolExecutor(1) as pool:
        futures: list[Future[object]] = []
        yield lambda work: futures.append(pool.submit(work))
        for future in futures:
            future.result()
