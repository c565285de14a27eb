"""What the machine refuses, in words: full disks, read-only folders, no descriptors or memory."""

from __future__ import annotations

import errno
import resource
import sqlite3
from pathlib import Path

_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the quota of the disk is used up: free some space",
    errno.EROFS: "its file system is read-only: mount it for writing, or give another --data-dir",
    errno.EACCES: "this user may not: change the permissions, or give another --data-dir",
    errno.EPERM: "this user may not: change the permissions, or give another --data-dir",
    errno.EMFILE: "this process may open no more files: raise the limit (ulimit -n 4096)",
    errno.ENFILE: "the machine may open no more files: close other programs",
    errno.ENOMEM: "there is no memory left: give it more, or lower --batch-size",
    errno.EFBIG: "files may not get so large: raise the limit (ulimit -f unlimited)",
    errno.EIO: "the disk failed: check it",
}
_OF_SQLITE = {
    "SQLITE_FULL": errno.ENOSPC,
    "SQLITE_READONLY": errno.EROFS,
    "SQLITE_CANTOPEN": errno.EACCES,
    "SQLITE_NOMEM": errno.ENOMEM,
    "SQLITE_IOERR": errno.EIO,
}
_GOES_ON = "What is stored is kept; run the same command again to go on."


ADDRESS_SPACE = 2 * 2**30
"""Bytes that Milvus Lite and Arrow need beyond what is in use, threads' stacks and arenas for the
most part. With 600 MiB left (ulimit -v) Arrow waited for ever for a thread that could not start."""


def address_space_left() -> int | None:
    """Bytes that this process may still map (``ulimit -v``); None where nothing limits it."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError):
        return None
    return limit - pages * resource.getpagesize()


def of_the_machine(error: OSError | MemoryError | sqlite3.Error) -> str:
    """What happened, where, and what to do, in two sentences."""
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return f"the catalog's ledger is damaged ({error}). Make it anew: zeroshelf rebuild"
        number = next((code for start, code in _OF_SQLITE.items() if name.startswith(start)), None)
        return _worded("the catalog's ledger can't be written", str(error), number)
    if isinstance(error, MemoryError):
        return _worded("out of memory", str(error), errno.ENOMEM)
    place = next(
        (repr(str(candidate)) for candidate in (error.filename2, error.filename) if candidate),
        "a file",
    )
    cause = error.strerror or str(error) or type(error).__name__
    # Arrow's own errors have the number in their words only.
    number = error.errno or next(
        (candidate for candidate in _REMEDIES if f"[errno {candidate}]" in cause), None
    )
    return _worded(f"{place} can't be used", cause, number)


def _worded(problem: str, cause: str, number: int | None) -> str:
    remedy = _REMEDIES.get(number or 0, "check the machine")
    reason = f" ({cause.strip().rstrip('.')})" if cause else ""
    return f"{problem}{reason}: {remedy}. {_GOES_ON}"
