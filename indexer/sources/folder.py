"""Pictures, sounds and videos in a folder and the folders below it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from indexer.core.errors import ItemError
from indexer.core.reasons import Reason
from indexer.core.records import Failure, Item, Kind
from indexer.sources import addresses, media
from indexer.sources.rows import checked_id, failure

_log = logging.getLogger(__name__)

NO_EXTENSION = "no extension"
"""The name under which files without an extension are counted."""


@dataclass(frozen=True)
class FolderSource:
    """All pictures, sounds and videos below a folder; an item's id is its path relative to it.

    Files in subfolders have the folder's path as their metadata ``folder``: people sort
    pictures so, and it serves for filters and as the truth of an evaluation.

    The order is that of the sorted relative paths. Only the names in one folder at a
    time (and in those above it) are in memory. Hidden files and folders are left out, and so
    are files of other kinds: neither by their names nor, in a local folder, by their
    first bytes. At a remote address reading them would be a request each. Of several members of an
    archive with one name the last counts; the others are counted as left out.

    Attributes:
        is_table: whether a file is one whose name is told where it is left out: who names the
            folder may mean the table in it.
        left_out: files left out in the last reading, by extension.
    """

    address: str
    is_table: Callable[[str], bool] = field(default=lambda _: False, compare=False)
    left_out: Counter[str] = field(default_factory=Counter, compare=False)

    def __iter__(self) -> Iterator[Item | Failure]:
        """Items in the order of their ids."""
        self.left_out.clear()
        walk = _Walk(self.address, self.left_out, self.is_table)
        for relative in walk.below("", ()):
            yield relative if isinstance(relative, Failure) else _item(self.address, relative)
        if again := addresses.repeated(self.address):
            self.left_out["the same name again"] += again
        if walk.tables:
            _log.warning(
                "%s is read as pictures, and the rows of %s are not read. To read them, name the "
                "table: zeroshelf ingest %s",
                self.address,
                addresses.listed(walk.tables),
                addresses.join(self.address, walk.tables[0]),
            )

    def count(self) -> int | None:
        """Items in a local folder; None for addresses, where listing costs."""
        if addresses.is_remote(self.address):
            return None
        return sum(1 for _ in _Walk(self.address, Counter(), self.is_table).below("", ()))


class _Walk:
    """One pass over a folder; counts what it leaves out, and names the tables among it."""

    def __init__(self, root: str, left_out: Counter[str], is_table: Callable[[str], bool]) -> None:
        self.root = root
        self.left_out = left_out
        self.tables: list[str] = []
        self._is_table = is_table

    def below(self, relative: str, above: tuple[str, ...]) -> Iterator[str | Failure]:
        """Relative paths of the files that are items, in and below one folder, sorted."""
        folder = addresses.join(self.root, relative.rstrip("/"))
        try:
            above = self._guard(folder, above)
            entries = list(addresses.children(folder))
        except OSError as error:
            yield _unlisted(folder, relative or addresses.name(folder), error)
            return
        # With a closing slash folders sort like the paths below them.
        for name in sorted(f"{name}/" if deeper else name for name, deeper in entries):
            if name.startswith("."):
                self.left_out["hidden"] += 1
            elif name.endswith("/"):
                yield from self.below(relative + name, above)
            elif media.is_media(name) or media.kind_of_file(f"{folder}/{name}"):
                yield relative + name
            else:
                self.left_out[PurePosixPath(name).suffix.lower() or NO_EXTENSION] += 1
                if self._is_table(name):
                    self.tables.append(relative + name)

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
    source = addresses.join(root, relative)
    item = Item(
        item_id=relative,
        kind=media.kind_of_name(relative) or media.kind_of_file(source) or Kind.PICTURE,
        source=source,
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
