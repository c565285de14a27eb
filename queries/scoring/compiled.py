"""Loops over products, compiled: each item's stay in the cache, and no thread waits for Python."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(loop: Function) -> Function:
    """A loop in machine code.

    Sums are taken in an order that fills a vector register: on one machine, and with one version
    of numba, it depends on the length alone. Nothing may be ``nan``.
    """
    return _compile(loop, {"reassoc", "contract", "nnan", "nsz"})


def compiled_as_written(function: Function) -> Function:
    """A function whose operations keep their order, so that its bits are the same everywhere."""
    return _compile(function, {"contract"})


def _compile(function: Function, liberties: set[str]) -> Function:
    """Made when it is first called, and kept for later processes.

    It is kept beside its source, or in the user's cache, or not at all where neither can be
    written. What is kept is known by its own file: delete it when liberties change here.
    """
    compiler = partial(njit, nogil=True, error_model="numpy", fastmath=liberties)
    try:
        loop: Any = compiler(cache=True)(function)
    except RuntimeError:  # numba has found no folder
        loop = compiler()(function)
    cache = loop._cache
    cache.load_overload = _none_if_damaged(cache.load_overload)
    cache.save_overload = _none_if_damaged(cache.save_overload)
    return cast("Function", loop)


def _none_if_damaged(step: Callable[..., Any]) -> Callable[..., Any]:
    """None where a file is damaged, or there is no room for it: a loop can be made again."""

    def attempt(*arguments: Any) -> Any:
        try:
            return step(*arguments)
        except (OSError, EOFError, pickle.UnpicklingError):
            return None

    return attempt
