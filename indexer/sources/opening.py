"""From what a user names to the source that reads it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from indexer.errors import SourceError
from indexer.protocols import Source, left_out
from indexer.records import Failure, Item
from indexer.sources import addresses, formats
from indexer.sources.folder import PICTURE_SUFFIXES, FolderSource, is_picture
from indexer.sources.formats import picture_column, typed_picture_columns
from indexer.sources.npy import open_vectors
from indexer.sources.options import ID_COLUMN, IMAGE_COLUMN, NO_COLUMN, TableOptions
from indexer.sources.shards import SHARD_SUFFIXES, ShardSource
from indexer.sources.table import TableSource
from indexer.sources.tables import Table
from indexer.sources.urls import ListSource, PictureSource

_log = logging.getLogger(__name__)

SUPPORTED = (
    "a folder; a .csv, .tsv, .jsonl (also .gz) or .parquet table; .tar shards; "
    f"a .txt list of URLs; a picture ({', '.join(PICTURE_SUFFIXES)}) or its URL; "
    "each also at an fsspec address such as s3://"
)


@dataclass(frozen=True)
class ChainedSource:
    """Several sources, one after the other."""

    sources: Sequence[Source]

    def __iter__(self) -> Iterator[Item | Failure]:
        """Items in the order of the sources."""
        for source in self.sources:
            yield from source

    @property
    def left_out(self) -> Counter[str]:
        """What the sources took no item from, by file extension."""
        return sum(map(left_out, self.sources), Counter())

    def count(self) -> int | None:
        """Rows of all; None where one of them does not know."""
        total = 0
        for source in self.sources:
            count = source.count()
            if count is None:
                return None
            total += count
        return total


def open_sources(sources: Sequence[str], options: TableOptions | None = None) -> Source:
    """Open everything that a user names, and find at once what can't work.

    Args:
        sources: folders, tables, shards, lists, pictures, URLs; braces expand.
        options: which column is what, and vectors that are there already.

    Returns:
        One source over all of them, in order.

    Raises:
        SourceError: unknown kind, missing, empty, unreadable, missing columns, vectors
            that do not fit.
    """
    options = options or TableOptions()
    if not sources:
        raise SourceError(f"no source is given; supported are {SUPPORTED}")
    expanded = [addresses.absolute(one) for source in sources for one in addresses.expand(source)]
    opened: Sequence[Source]
    if options.vectors is not None:
        opened = _with_vectors(expanded, options.vectors, options)
    else:
        opened = [_open(address, options) for address in expanded]
    first_shard = next((one for one in opened if isinstance(one, ShardSource)), None)
    if first_shard is not None:
        first_shard.check()
    chained = ChainedSource(opened)
    _refuse_empty(chained)
    return chained


def _open(address: str, options: TableOptions) -> Source:
    """The source of one address, chosen by its extension, else by what lies there."""
    if not addresses.is_remote(address) and not Path(address).exists():
        raise SourceError(f"{address}: no such file or folder; check the path")
    if not addresses.is_web(address) and addresses.is_folder(address):
        return FolderSource(address.rstrip("/"))
    table = formats.open_table(address, options)
    if table is not None:
        source = TableSource(table, fitted(table, options))
        source.check()
        return source
    name = addresses.name(address).lower()
    if name.endswith(SHARD_SUFFIXES):
        return ShardSource(address, options)
    if name.endswith(".txt"):
        return ListSource(address)
    if is_picture(name) or addresses.is_web(address):
        return PictureSource(address)
    raise SourceError(f"{address}: not a source; supported are {SUPPORTED}")


def fitted(table: Table, options: TableOptions) -> TableOptions:
    """The options, with the columns that the user did not name found by the table's types.

    A table whose pictures lie inside it, such as one of Hugging Face's, often has neither a
    column ``image`` nor ids.
    """
    columns = table.columns()
    if options.image_column == IMAGE_COLUMN:
        options = replace(options, image_column=picture_column(table))
    if (
        options.id_column == ID_COLUMN
        and ID_COLUMN not in columns
        and options.image_column in typed_picture_columns(table)
    ):
        _log.warning(
            "%s: has no column %r: its items are called after their rows. --id-column names "
            "another column.",
            table.address,
            ID_COLUMN,
        )
        options = replace(options, id_column=NO_COLUMN)
    return options


def _with_vectors(sources: list[str], pattern: str, options: TableOptions) -> list[TableSource]:
    """Tables, each with the vectors of its rows."""
    files = [addresses.absolute(address) for address in addresses.expand(pattern)]
    if len(files) != len(sources):
        raise SourceError(
            f"{len(sources)} tables and {len(files)} files of vectors; each table needs its own"
        )
    opened = []
    for address, file in zip(sources, files, strict=True):
        table = formats.open_table(address, options)
        if table is None:
            raise SourceError(
                f"{address}: --vectors needs a table (.csv, .tsv, .jsonl, .parquet), "
                "a row for each vector"
            )
        source = TableSource(table, options, open_vectors(file, options.width))
        source.check()
        opened.append(source)
    return opened


def _has_items(source: Source) -> bool:
    """Whether a source has anything; of a shard, which is read twice, only the start is."""
    if isinstance(source, ShardSource):
        return source.has_members()
    return next(iter(source), None) is not None


def _refuse_empty(source: ChainedSource) -> None:
    """Read up to the first item: a job without any would end as if all were well.

    Raises:
        SourceError: there is none.
    """
    if not any(map(_has_items, source.sources)):
        names = ", ".join(str(getattr(one, "address", "the table")) for one in source.sources)
        if all(isinstance(one, TableSource) for one in source.sources):
            only = len(source.sources) == 1
            raise SourceError(
                f"nothing to read in {names}: the table{' has' if only else 's have'} columns, but "
                f"no row below {'them' if only else 'their headers'}; check the file"
            )
        others = ", ".join(f"{count:,} {name}" for name, count in source.left_out.most_common(8))
        raise SourceError(
            f"nothing to read in {names}{f' (left out: {others})' if others else ''}; "
            f"supported are {SUPPORTED}"
        )
