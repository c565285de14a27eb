"""Single pictures and sounds: named on the command line, or in a text file, one a line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from indexer.core.credentials import hidden_address, without_credentials
from indexer.core.errors import ItemError
from indexer.core.records import Failure, Item, Kind
from indexer.sources import addresses, media
from indexer.sources.formats import COUNTED_BYTES
from indexer.sources.rows import bad_row, checked_id, failure


@dataclass(frozen=True)
class PictureSource:
    """One picture, sound or video; its id is the URL or the file's name, unless one is given."""

    address: str
    item_id: str = ""

    def __iter__(self) -> Iterator[Item | Failure]:
        """The item."""
        remote = addresses.is_remote(self.address)
        name = self.address if remote else addresses.name(self.address)
        yield _item(self.item_id or name, self.address)

    def count(self) -> int:
        """1."""
        return 1


@dataclass(frozen=True)
class ListSource:
    """A text file of URLs (or paths relative to it), one a line; the line is the id.

    Empty lines and lines that start with ``#`` are left out.
    """

    address: str

    def __iter__(self) -> Iterator[Item | Failure]:
        """Items in the file's order."""
        folder = addresses.parent(self.address)
        for number, line in self._lines():
            place = f"{self.address}#{number}"
            try:
                text = line.decode("utf-8-sig").strip()
            except UnicodeDecodeError as error:
                yield bad_row(Kind.PICTURE, place, f"not UTF-8 ({error}); save the list as UTF-8")
                continue
            if text and not text.startswith("#"):
                yield _item(text, addresses.resolve(folder, text))

    def count(self) -> int | None:
        """Lines that are items; None for large files and addresses."""
        size = addresses.size(self.address)
        return sum(1 for _ in self) if size is not None and size <= COUNTED_BYTES else None

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        with addresses.open_binary(self.address) as file:
            yield from enumerate(file, 1)


def _item(item_id: str, source: str) -> Item | Failure:
    item = Item(
        item_id=without_credentials(item_id),
        kind=media.kind_of_file(source) or media.kind_of(source),
        source=without_credentials(source),
        address=hidden_address(source),
    )
    try:
        checked_id(item_id, "URL")
    except ItemError as error:
        return failure(item, error.reason, f"{item.source}: {error}")
    return item
