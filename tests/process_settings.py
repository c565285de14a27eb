"""How a process of the tests works; import it before any other library.

The tests run in as many processes as there are cores, so a process has one thread of OpenMP and of
BLAS. A second one would wait for a core that another process has, and spin meanwhile: tests of the
model families took three times the processor's time by it. Processes that tests start inherit it.
``two_threads`` of ``conftest`` is for tests of work in threads.

Nothing waits for the disk: no test cuts the power. Making a catalog waits some thirty times, for 2
to 10 ms each. Processes of ``WarmProcess`` do wait: tests kill them at moments that follow from it.

Compiled modules are written also where ``PYTHONDONTWRITEBYTECODE`` is set: each process that tests
start would compile ours again.

Nothing looks for garbage among what libraries and tests are made of. These are a million objects
that stay, and looking through them again and again took a tenth of the processor's time.
"""

from __future__ import annotations

import gc
import os
import sys

from indexer.core import sqlite_files
from indexer.core.collection import freeze_loaded  # neither loads a library

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
gc.disable()


def _written_is_enough(_: object) -> None:
    """What ``os.fsync`` is in tests."""


os.fsync = _written_is_enough
sqlite_files.SYNCHRONOUS = "OFF"


_MANY = 200
"""Modules that a large library has at least."""

_loaded_modules = 0


def keep_loaded() -> None:
    """What was loaded stays, and garbage is looked for among the rest."""
    global _loaded_modules
    if len(sys.modules) >= _loaded_modules + _MANY:
        _loaded_modules = len(sys.modules)
        freeze_loaded()
        gc.enable()
