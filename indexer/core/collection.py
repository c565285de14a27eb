"""Garbage collection while libraries are loaded, and when a command ends."""

from __future__ import annotations

import atexit
import contextlib
import gc
from collections.abc import Iterator

_is_frozen = False


def freeze_loaded() -> None:
    """Look for garbage once more, and then never again among the objects that there are now."""
    global _is_frozen
    gc.collect()
    gc.freeze()
    _is_frozen = True


@contextlib.contextmanager
def collection_paused() -> Iterator[None]:
    """Load modules without looking for garbage in between.

    Importing torch and transformers makes some hundred thousand objects that stay, and Python
    would look through all of them again and again: a tenth of the processor time of one
    ``classify`` on the command line. Afterwards they are of the oldest generation, which only a
    full collection looks through.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not _is_frozen:  # gc.get_freeze_count() takes half a second to count a million
                # Both only join lists. Else the next small collection would look through all.
                gc.freeze()
                gc.unfreeze()
            gc.enable()


def skip_collection_at_exit() -> None:
    """End this process without a last look for garbage.

    Python looks through all objects as it ends, though the memory goes back to the system anyway:
    a fifth of the processor time of a process that imports torch and transformers. Handlers of
    ``atexit`` run as ever. Only objects that refer to each other in a circle are not finalized,
    which Python does not promise at the end.
    """
    atexit.unregister(gc.freeze)  # once for a process, also if it calls this more often
    atexit.register(gc.freeze)
