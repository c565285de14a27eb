"""Locks of a catalog's files: a writer's, which excludes others, and the leases of readers.

A reader holds a lease on its generation, so that the generation is not dropped meanwhile. The
system frees what a killed process held.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from indexer.core.errors import CatalogError
from indexer.core.locks import try_exclusive

_POLL_S = 0.1
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


@contextlib.contextmanager
def exclusive_lock(path: Path, refusal: str) -> Iterator[None]:
    """Hold a lock file alone.

    Args:
        refusal: the error's text where another process holds it.

    Raises:
        CatalogError: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        held = lock.acquire(timeout=0)
    except Timeout as error:
        raise CatalogError(refusal) from error
    with held:
        yield


@contextlib.contextmanager
def shared_lease(lease: Path) -> Iterator[None]:
    """Hold a generation's lease as one of its readers.

    Raises:
        FileNotFoundError: the generation's folder is gone.
        BlockingIOError: the generation is being dropped; look for another.
    """
    file = _open_lease(lease)
    if file is None:
        yield
        return
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    finally:
        os.close(file)


def _open_lease(lease: Path) -> int | None:
    """The lease's file; None in a read-only folder, where nothing can be dropped."""
    try:
        return os.open(lease, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if error.errno in _READ_ONLY:
            return None
        raise


@contextlib.contextmanager
def exclusive_lease(lease: Path, *, patience_s: float) -> Iterator[bool]:
    """Wait until nobody reads a generation, then hold its lease alone.

    Yields:
        Whether it is held; False where it was still being read after ``patience_s``.
    """
    until = time.monotonic() + patience_s
    file = os.open(lease, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        # ``flock`` waits for ever or not at all, so it is tried again until the limit.
        while not try_exclusive(file):
            if time.monotonic() >= until:
                yield False
                return
            time.sleep(_POLL_S)
        yield True
    finally:
        os.close(file)
