"""What the machine refuses, in words: full disks, read-only folders, no descriptors or memory."""

from __future__ import annotations

import errno
import sqlite3

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


def of_the_machine(error: OSError | MemoryError | sqlite3.Error) -> str:
    """What happened, where, and what to do, in two sentences."""
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", "")
        number = next((code for start, code in _OF_SQLITE.items() if name.startswith(start)), None)
        return _worded("the catalog's ledger can't be written", str(error), number)
    if isinstance(error, MemoryError):
        return _worded("out of memory", str(error), errno.ENOMEM)
    place = next((repr(str(one)) for one in (error.filename2, error.filename) if one), "a file")
    cause = error.strerror or str(error) or type(error).__name__
    # Arrow's own errors have the number in their words only.
    number = error.errno or next((one for one in _REMEDIES if f"[errno {one}]" in cause), None)
    return _worded(f"{place} can't be used", cause, number)


def _worded(what: str, cause: str, number: int | None) -> str:
    remedy = _REMEDIES.get(number or 0, "check the machine")
    said = f" ({cause.strip().rstrip('.')})" if cause else ""
    return f"{what}{said}: {remedy}. {_GOES_ON}"
