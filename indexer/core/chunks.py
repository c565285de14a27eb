"""Lazy chunks and maps with bounded windows."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from itertools import islice
from typing import TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


def map_in_order(
    pool: Executor,
    function: Callable[[In], Out],
    inputs: Iterable[In],
    *,
    window: int,
    at_once: int = 1,
    within_s: float = math.inf,
) -> Iterator[Out]:
    """Like ``map`` over a pool, lazily: at most ``window`` inputs are under way.

    Args:
        at_once: inputs that a thread takes together; if more than ``window``, so many are
            under way. To hand one over costs a tenth of what it costs to decode a photo.
        within_s: results are passed on where the next inputs take longer than this to come.
    """
    chunks = in_chunks(inputs, at_once)
    most = max(1, window // at_once)
    under_way: deque[Future[list[Out]]] = deque()

    def fill() -> bool:
        """Whether the inputs took too long to come."""
        started = time.monotonic()
        for chunk in islice(chunks, most - len(under_way)):
            under_way.append(pool.submit(_each, function, chunk))
            if time.monotonic() - started > within_s:
                return True
        return False

    is_slow = fill()
    while under_way:
        if is_slow:
            # All of them: each one that waited for a slow input would let the next one wait too.
            while under_way:
                yield from under_way.popleft().result()
            is_slow = fill()
            continue
        oldest = under_way.popleft()
        is_slow = fill()
        yield from oldest.result()


def _each(function: Callable[[In], Out], inputs: Sequence[In]) -> list[Out]:
    return [function(value) for value in inputs]


def in_chunks(values: Iterable[In], size: int, *, within_s: float = math.inf) -> Iterator[list[In]]:
    """Lists of at most ``size`` values, in order.

    Args:
        within_s: a list is passed on before it is full where its values take longer to come.
    """
    values = iter(values)
    while chunk := list(_until(islice(values, size), within_s)):
        yield chunk


def _until(values: Iterable[In], within_s: float) -> Iterator[In]:
    started = time.monotonic()
    for value in values:
        yield value
        if time.monotonic() - started > within_s:
            return
