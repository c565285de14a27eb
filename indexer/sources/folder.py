"""Pictures in a folder and the folders below it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.errors import ItemError
from indexer.reasons import Reason
from indexer.records import Failure, Item, Kind
from indexer.sources import addresses
from indexer.sources.rows import checked_id, failure

logger = logging.getLogger(__name__)

PICTURE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif"),
    *(".bmp", ".dib", ".tif", ".tiff", ".avif"),
)


def is_picture(name: str) -> bool:
    """Whether a file's name ends as a picture's does."""
    return name.lower().endswith(PICTURE_SUFFIXES)


@dataclass(frozen=True)
class FolderSource:
    """All pictures below a folder; an item's id is its path relative to the folder.

    What lies in a folder below has that folder's path as its metadata ``folder``: people
    sort pictures so, and it can be filtered by and be the truth of an evaluation.

    The order is that of the sorted relative paths. Only the names in one folder at a
    time (and in those above it) are in memory. Hidden files and folders and files that
    are not pictures are left out; how many is logged.
    """

    address: str

    def __iter__(self) -> Iterator[Item | Failure]:
        """Items in the order of their ids."""
        walk = _Walk(self.address)
        for relative in walk.below("", ()):
            yield relative if isinstance(relative, Failure) else _item(self.address, relative)
        if walk.ignored:
            logger.warning(
                "%s: %d files are not pictures by their names, and were left out.",
                self.address,
                walk.ignored,
            )

    def count(self) -> int | None:
        """Pictures in a local folder; None for addresses, where listing costs."""
        if addresses.is_remote(self.address):
            return None
        return sum(1 for _ in _Walk(self.address).below("", ()))


class _Walk:
    """One pass over a folder; counts what it leaves out."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.ignored = 0

    def below(self, relative: str, above: tuple[str, ...]) -> Iterator[str | Failure]:
        """Relative paths of the pictures in and below one folder, sorted."""
        folder = f"{self.root}/{relative}".rstrip("/")
        try:
            above = self._guard(folder, above)
            entries = list(addresses.children(folder))
        except OSError as error:
            yield _unlisted(folder, relative or addresses.name(folder), error)
            return
        # With a closing slash folders sort where the paths below them do.
        for name in sorted(f"{name}/" if deeper else name for name, deeper in entries):
            if name.startswith("."):
                continue
            if name.endswith("/"):
                yield from self.below(relative + name, above)
            elif is_picture(name):
                yield relative + name
            else:
                self.ignored += 1

    def _guard(self, folder: str, above: tuple[str, ...]) -> tuple[str, ...]:
        """The real folders down to this one; a link back to one of them is an error."""
        if addresses.is_remote(folder):
            return above
        real = str(Path(folder).resolve())
        if real in above:
            raise OSError(f"links back to {real}")
        return (*above, real)


def _item(root: str, relative: str) -> Item | Failure:
    folder, _, _ = relative.rpartition("/")
    item = Item(
        item_id=relative,
        kind=Kind.PICTURE,
        source=f"{root}/{relative}",
        metadata={"folder": folder} if folder else {},
    )
    try:
        checked_id(relative, "path")
    except ItemError as error:
        return failure(item, error.reason, f"{item.source}: {error}")
    return item


def _unlisted(folder: str, name: str, error: OSError) -> Failure:
    item = Item(item_id=name, kind=Kind.PICTURE, source=folder)
    return failure(item, Reason.UNREADABLE, f"{folder}: can't be listed ({error}); check it")
