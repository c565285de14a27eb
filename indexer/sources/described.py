"""Pictures with descriptions in files beside them: tables, or one file for each picture."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from indexer.core.errors import ItemError, SourceError
from indexer.core.parts import renamed
from indexer.core.reasons import Reason
from indexer.core.records import Failure, Item
from indexer.sources import addresses
from indexer.sources.chained import by_extension
from indexer.sources.folder import FolderSource
from indexer.sources.options import TableOptions
from indexer.sources.rows import checked_metadata, checked_title, failure
from indexer.sources.table import TableSource

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageFolderSource:
    """Pictures that tables beside them describe, by their column ``file_name``.

    An item's id is its picture's path below the folder, as in a folder without tables. A
    picture that no table names is an item without metadata.

    Attributes:
        left_out: files that are neither pictures nor the tables, by extension.
    """

    address: str
    tables: Sequence[TableSource]
    left_out: Counter[str] = field(default_factory=Counter, compare=False)

    def __iter__(self) -> Iterator[Item | Failure]:
        """The tables' rows in their order, then the pictures that have none."""
        named: set[str] = set()
        for table in self.tables:
            assert table.location is not None
            folder = table.location.path.rpartition("/")[0]
            for item in table:
                if isinstance(item, Item):
                    path = f"{folder}/{item.item_id}" if folder else item.item_id
                    named.add(path)
                    item = renamed(item, path)
                yield item
        unnamed = 0
        pictures = FolderSource(self.address)
        for item in pictures:
            if isinstance(item, Item):
                if item.item_id in named:
                    continue
                unnamed += 1
            yield item
        self.left_out.clear()
        self.left_out.update(
            pictures.left_out - by_extension(named_table.address for named_table in self.tables)
        )
        if unnamed:
            _log.warning(
                "%s: %d pictures are named in none of its tables: they have no metadata.",
                self.address,
                unnamed,
            )

    def count(self) -> int | None:
        """Unknown: pictures without a row are known only at the end."""
        return None


@dataclass(frozen=True)
class SidecarSource:
    """Pictures with a ``.json`` of metadata and a ``.txt`` of their title beside each.

    Attributes:
        left_out: files that are neither pictures nor describe one, by extension.
    """

    address: str
    options: TableOptions
    left_out: Counter[str] = field(default_factory=Counter, compare=False)

    def __iter__(self) -> Iterator[Item | Failure]:
        """Items in the order of their ids."""
        used: Counter[str] = Counter()
        pictures = FolderSource(self.address)
        for item in pictures:
            yield item if isinstance(item, Failure) else self._described(item, used)
        self.left_out.clear()
        self.left_out.update(pictures.left_out - used)

    def count(self) -> int | None:
        """Pictures in a local folder; None for addresses."""
        return FolderSource(self.address).count()

    def _described(self, item: Item, used: Counter[str]) -> Item | Failure:
        stem = item.source.rpartition(".")[0]
        try:
            metadata = self._metadata(f"{stem}.json", used)
            title = self._text(f"{stem}.txt", used) or metadata.pop(self.options.text_column, None)
            return replace(
                item,
                title=checked_title(title, self.options.text_column).strip(),
                metadata={**item.metadata, **checked_metadata(self.options.select(metadata))},
            )
        except ItemError as error:
            return failure(item, Reason.BAD_METADATA, f"{item.source}: {error}")

    def _metadata(self, address: str, used: Counter[str]) -> dict[str, Any]:
        text = self._text(address, used)
        try:
            value = json.loads(text) if text else {}
        except (ValueError, RecursionError) as error:
            raise ItemError(
                Reason.BAD_METADATA, f"{address} is not valid JSON ({error})"
            ) from error
        if not isinstance(value, dict):
            raise ItemError(Reason.BAD_METADATA, f"{address} is not a JSON object; correct it")
        return value

    def _text(self, address: str, used: Counter[str]) -> str:
        """A file's text; empty where there is no file."""
        try:
            with addresses.open_binary(address) as file:
                used.update(by_extension([address]))
                return file.read().decode("utf-8-sig")
        except SourceError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return ""
            raise ItemError(Reason.BAD_METADATA, str(error)) from error
        except (OSError, UnicodeDecodeError) as error:
            raise ItemError(
                Reason.BAD_METADATA, f"{address} can't be read ({error}); save it as UTF-8"
            ) from error
