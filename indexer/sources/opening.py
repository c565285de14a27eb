"""Opens the sources that a user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from indexer.core.delimited import text_of
from indexer.core.errors import SourceError
from indexer.core.protocols import Source
from indexer.core.table_formats import TableFormat
from indexer.sources import addresses, formats, globs, tables
from indexer.sources.chained import ChainedSource
from indexer.sources.delimited import DelimitedTable
from indexer.sources.feeds import google, plain_columns
from indexer.sources.fitting import table_source
from indexer.sources.folders import tables_of
from indexer.sources.media import PICTURE_SUFFIXES, SOUND_SUFFIXES, is_media, kind_of_file
from indexer.sources.npy import open_vectors
from indexer.sources.opening_folders import open_folder, open_tables
from indexer.sources.options import TableOptions
from indexer.sources.partitioned import files_below
from indexer.sources.shards import SHARD_SUFFIXES, ShardSource
from indexer.sources.table import TableSource
from indexer.sources.table_checks import match_columns
from indexer.sources.typed import assign_types
from indexer.sources.urls import ListSource, PictureSource

ZIP_SUFFIX = ".zip"
# A file without line breaks is not read to its end for its header.
_HEADER_CHARACTERS = 65_536
_NAMED = 8
"""Sources that a message names."""

_OTHER_SPREADSHEETS = (".xls", ".xlsb", ".ods", ".numbers")

SUPPORTED = (
    "a folder of pictures, of a table in many files, or that datasets, img2dataset or "
    "clip-retrieval wrote; a table: .csv, .tsv, .jsonl (also .gz, .zst, .bz2, .xz), .xlsx, "
    ".parquet, .arrow; a feed in .xml; .tar shards; a .zip file; a pattern such as "
    "'part-*.parquet'; "
    f"a .txt list of URLs; a picture ({', '.join(PICTURE_SUFFIXES)}), "
    f"a sound ({', '.join(SOUND_SUFFIXES)}) or their URLs; "
    "each also at an fsspec address such as s3://"
)


def open_sources(sources: Sequence[str], options: TableOptions | None = None) -> ChainedSource:
    """Open all sources that a user names; errors that fail every item are found at once.

    Args:
        sources: folders, tables, shards, lists, pictures, URLs; braces expand.
        options: the roles of columns, and precomputed vectors.

    Returns:
        One source over all of them, in order, with a part for each.

    Raises:
        SourceError: unknown kind, missing, empty, unreadable, missing columns, vectors
            that do not fit, a value of another type than its column has in the catalog.
    """
    options = options or TableOptions()
    if not sources:
        raise SourceError(f"no source is given; supported are {SUPPORTED}")
    names = [name for source in sources for name in addresses.expand(source)]
    expanded = [addresses.absolute(name) for name in names]
    opened: Sequence[Source]
    if options.vectors is not None:
        opened = _with_vectors(expanded, options.vectors, options)
    else:
        opened = [_open(address, options) for address in expanded]
    chained = ChainedSource(opened)
    _refuse_rules(chained, options)
    shards = (source for source in chained.leaves() if isinstance(source, ShardSource))
    # One of them tells a wrong kind of file; a damaged one among many becomes a dead letter.
    first_shard = next(shards, None)
    if first_shard is not None:
        first_shard.check()
    types = assign_types(chained, options)
    _refuse_empty(chained)
    return replace(chained, column_types=types)


def _open(address: str, options: TableOptions) -> Source:
    """The source of an address."""
    if globs.is_pattern(address):
        return _open_matches(address, options)
    if not addresses.is_remote(address) and not Path(address).exists():
        raise SourceError(f"{address}: no such file or folder; check the path")
    if not addresses.is_web(address) and addresses.is_folder(address):
        return open_folder(address.rstrip("/"), options)
    name = addresses.name(address).lower()
    if name.endswith(ZIP_SUFFIX) and not addresses.is_archive(address):
        return open_folder(f"zip://::{address}", options)
    return _open_file(address, options)


def _open_matches(pattern: str, options: TableOptions) -> Source:
    """The sources of a pattern's matches: tables are read as one, other files singly."""
    root = globs.root_of(pattern)
    paths = globs.matches(pattern)
    files = [
        file
        for path in paths
        for file in (files_below(root, path) if path.endswith("/") else [path])
    ]
    if any(map(formats.is_table, files)):
        return open_tables(tables_of(root, files), options)
    sources = [
        PictureSource(addresses.join(root, file), item_id=file)
        if is_media(file)
        else _open_file(addresses.join(root, file), options)
        for file in files
    ]
    if not sources:
        raise SourceError(f"{pattern}: the folders that match are empty; check the pattern")
    return ChainedSource(sources)


def _open_file(address: str, options: TableOptions) -> Source:
    """The source of one file, chosen by its extension."""
    table = formats.open_table(address, options)
    if table is not None:
        source = table_source(table, options)
        source.check()
        return source
    name = addresses.name(address).lower()
    if name.endswith(SHARD_SUFFIXES):
        return ShardSource(address, options)
    if name.endswith(".txt"):
        return _open_text(address, options)
    if is_media(name) or addresses.is_web(address) or kind_of_file(address):
        return PictureSource(address)
    if name.endswith(_OTHER_SPREADSHEETS):
        raise SourceError(f"{address}: this kind of spreadsheet is not read; save it as .xlsx")
    if addresses.is_remote(address) and not addresses.exists(address):
        raise SourceError(f"{address}: no such file or folder; check the bucket and the path")
    raise SourceError(f"{address}: not a source; supported are {SUPPORTED}")


def _open_text(address: str, options: TableOptions) -> Source:
    """A text file: Google's product data, which come as .txt too, else a list of pictures."""
    names = plain_columns(_first_line(address, options).rstrip("\r\n").split("\t"))
    if options.format == TableFormat.PLAIN or not google.FEED.recognises(names):
        return ListSource(address)
    source = table_source(DelimitedTable(address, "\t", encoding=options.encoding), options)
    source.check()
    return source


def _first_line(address: str, options: TableOptions) -> str:
    """A text's first line, or the start of a long one."""
    with tables.bytes_of(address) as content:
        try:
            with text_of(content, options.encoding) as text:
                return text.readline(_HEADER_CHARACTERS)
        except (LookupError, OSError, UnicodeError):
            return ""


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
        fitted = match_columns(table.columns(), options)
        source = TableSource(table, fitted, open_vectors(file, options.width))
        source.check()
        opened.append(source)
    return opened


def _refuse_rules(source: ChainedSource, options: TableOptions) -> None:
    """Refuse options for tables' rows if a source is no table.

    Raises:
        SourceError: a source is no table, or its rows must stay in step with vectors.
    """
    feed = options.format not in {TableFormat.AUTO, TableFormat.PLAIN}
    option = f"--format {options.format}" if feed else "--image-pattern"
    if not feed and not options.image_pattern:
        return
    if feed and options.vectors is not None:
        raise SourceError(
            f"{option} makes products of rows, and --vectors has one a row; leave one out"
        )
    for leaf in source.leaves():
        if not isinstance(leaf, TableSource):
            address = getattr(leaf, "address", "the source")
            raise SourceError(f"{address}: is no table, of which {option} speaks; leave it out")


def _has_items(source: Source) -> bool:
    """Whether a source has an item; of a shard only the start is read."""
    if isinstance(source, ShardSource):
        return source.has_members()
    return next(iter(source), None) is not None


def _refuse_empty(source: ChainedSource) -> None:
    """Refuse sources without any item, since the job would end as if successful.

    Raises:
        SourceError: there is none.
    """
    leaves = list(source.leaves())
    if not any(map(_has_items, leaves)):
        own_names = [str(getattr(leaf, "address", "the table")) for leaf in leaves]
        names = addresses.listed(own_names, most=_NAMED)
        if all(isinstance(leaf, TableSource) for leaf in leaves):
            only = len(leaves) == 1
            raise SourceError(
                f"nothing to read in {names}: the table{' has' if only else 's have'} columns, but "
                f"no row below {'them' if only else 'their headers'}; check the file"
            )
        others = ", ".join(f"{count:,} {name}" for name, count in source.left_out.most_common(8))
        raise SourceError(
            f"nothing to read in {names}{f' (left out: {others})' if others else ''}; "
            f"supported are {SUPPORTED}"
        )
