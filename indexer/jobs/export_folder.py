"""The folder of an export: all of its files are there at the end, or none."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator

from indexer.core.errors import UsageError, ZeroshelfError
from indexer.core.object_stores import StoredFolder

UNFINISHED = ".unfinished"
"""In the folder until all files are written; readers of data sets leave hidden files out."""

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def export_folder(
    address: str, owned: re.Pattern[str], *, kind: str, replace: bool
) -> Iterator[StoredFolder]:
    """Where the files of an export are written; where the block raises, they are removed.

    A command that is killed removes nothing: a file ``.unfinished`` tells the next one.

    Args:
        address: of the folder, a path or an address such as ``s3://bucket/folder``.
        owned: names of files that an export of this kind writes.
        kind: what it is, for messages, such as "an export".
        replace: remove the files of an earlier one first.

    Raises:
        UsageError: there is one already, or the folder can't be reached or written to.
    """
    folder = StoredFolder(address)
    names = folder.names()
    earlier = sorted(filter(owned.fullmatch, names))
    if earlier and not replace:
        raise UsageError(refusal(address, kind, unfinished=UNFINISHED in names))
    for name in earlier:
        folder.remove(name)
    with folder.writing(UNFINISHED) as aside:
        aside.write_text(f"{kind} is being written here, or was stopped.\n", encoding="utf-8")
    try:
        yield folder
    except BaseException:
        _clean_up(folder, owned)
        raise
    folder.remove(UNFINISHED)


def refusal(address: str, kind: str, *, unfinished: bool) -> str:
    """Why nothing is written into a folder, and what to do."""
    if unfinished:
        return (
            f"{address!r} holds a part of {kind} that was stopped, or is being written by another "
            "command. If none runs, write it anew with --replace, or delete its files."
        )
    return (
        f"{address!r} holds {kind} already. Choose another folder, empty it, or replace what is "
        "there with --replace."
    )


def _clean_up(folder: StoredFolder, owned: re.Pattern[str]) -> None:
    """Remove what was written; warn of what stays."""
    try:
        for name in sorted(folder.names()):
            if owned.fullmatch(name) or name == UNFINISHED:
                folder.remove(name)
    except (OSError, ZeroshelfError) as error:
        _log.warning(
            "what the stopped export wrote stays in %s (%s). Delete it, or export again with "
            "--replace.",
            folder.address,
            error,
        )
