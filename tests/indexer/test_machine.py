"""What the machine refuses is told in words, with the place and a remedy."""

from __future__ import annotations

import errno
import sqlite3

import pyarrow as pa
import pytest

from indexer.core.system_errors import of_the_machine


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), ("'a/b'", "free some space")),
        (PermissionError(errno.EACCES, "Permission denied", "c"), ("'c'", "--data-dir")),
        (OSError(errno.EROFS, "Read-only file system", "d"), ("'d'", "read-only")),
        (OSError(errno.EMFILE, "Too many open files", "e"), ("'e'", "ulimit -n")),
        (pa.ArrowException("[Errno 28] Error writing bytes. [errno 28] No space"), ()),
        (MemoryError(), ("out of memory", "--batch-size")),
        (sqlite3.OperationalError("database or disk is full"), ("ledger",)),
    ],
)
def test_the_place_and_a_remedy_are_named(error: Exception, words: tuple[str, ...]) -> None:
    """A sentence of cause and remedy, and how to go on."""
    if isinstance(error, pa.ArrowException) and not isinstance(error, OSError):
        error = OSError(str(error))
        words = ("free some space",)
    told = of_the_machine(error)  # type: ignore[arg-type]
    assert all(word in told for word in words), told
    assert told.endswith("run the same command again to go on.")
