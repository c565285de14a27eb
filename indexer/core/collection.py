"""Garbage collection while libraries are loaded."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collection_paused() -> Iterator[None]:
    """Load modules without looking for garbage in between.

    Importing torch and transformers makes some hundred thousand objects that stay, and Python
    would look through all of them again and again: a tenth of the processor time of one
    ``classify`` on the command line.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
