"""Lazy chunks and maps with bounded windows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
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
) -> Iterator[Out]:
    """Like ``map`` over a pool, lazily: at most ``window`` inputs are under way.

    Args:
        at_once: inputs that a thread takes together; if more than ``window``, so many are
            under way. To hand one over costs a tenth of what it costs to decode a photo.
    """
    chunks = in_chunks(inputs, at_once)
    first_chunks = islice(chunks, max(1, window // at_once))
    under_way = deque(pool.submit(_each, function, chunk) for chunk in first_chunks)
    while under_way:
        oldest = under_way.popleft()
        under_way.extend(pool.submit(_each, function, chunk) for chunk in islice(chunks, 1))
        yield from oldest.result()


def _each(function: Callable[[In], Out], inputs: Sequence[In]) -> list[Out]:
    return [function(value) for value in inputs]


def in_chunks(values: Iterable[In], size: int) -> Iterator[list[In]]:
    """Lists of at most ``size`` values, in order."""
    values = iter(values)
    while chunk := list(islice(values, size)):
        yield chunk
