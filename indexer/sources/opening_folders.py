"""Opens folders: tables in many files, saved datasets, downloads, pictures."""

from __future__ import annotations

import logging

from indexer.core.errors import SourceError
from indexer.core.protocols import Source
from indexer.sources import addresses, folders, formats
from indexer.sources.chained import ChainedSource, by_extension
from indexer.sources.described import ImageFolderSource, SidecarSource
from indexer.sources.fitting import table_source
from indexer.sources.folder import FolderSource
from indexer.sources.folders import FolderKind, FolderTables
from indexer.sources.options import TableOptions
from indexer.sources.partitioned import TableLocation, columns_of_paths, files_below
from indexer.sources.shards import SHARD_SUFFIXES, ShardSource
from indexer.sources.table import TableSource

_log = logging.getLogger(__name__)


def open_folder(folder: str, options: TableOptions) -> Source:
    """The source of a folder, by its contents.

    Raises:
        SourceError: it can't be listed, or its tables lack a column.
    """
    kind = folders.kind_of(folder)
    if kind is FolderKind.TABLES:
        return open_tables(folders.tables_of(folder), options)
    if kind is FolderKind.SAVED_DATASET:
        return open_tables(folders.saved_dataset(folder), options)
    if kind is FolderKind.SHARDS:
        return _open_shards(folder, options)
    if kind is FolderKind.IMAGE_FOLDER:
        return _image_folder(folder, options)
    if kind is FolderKind.SIDECARS:
        return SidecarSource(folder, options)
    if kind is FolderKind.EMBEDDINGS:
        raise SourceError(
            f"{folder}: holds vectors of clip-retrieval, which are a source by themselves: name it "
            "alone, without --vectors"
        )
    return FolderSource(folder, is_table=folders.is_table)


def open_tables(tables: FolderTables, options: TableOptions) -> ChainedSource:
    """The tables of a folder as one source.

    Raises:
        SourceError: a table lacks a column.
    """
    sources: list[TableSource] = []
    for location in tables.locations:
        table = formats.open_table(addresses.join(location.root, location.path), options)
        assert table is not None
        # The files are one table: the columns that were found in the first one are those of all.
        source = table_source(table, sources[0].options if sources else options, location)
        # Checking each remote file beforehand would take longer than reading them.
        if not sources or not addresses.is_remote(location.root):
            source.check()
        sources.append(source)
    if tables.empty:
        _log.warning(
            "%s: %s empty, without even a header: %s",
            tables.locations[0].root,
            "a table is" if len(tables.empty) == 1 else f"{len(tables.empty)} tables are",
            addresses.listed(tables.empty),
        )
    return ChainedSource(sources, beside=by_extension(tables.others))


def _open_shards(folder: str, options: TableOptions) -> ChainedSource:
    shards: list[str] = []
    others: list[str] = []
    for path in files_below(folder):
        (shards if path.lower().endswith(SHARD_SUFFIXES) else others).append(path)
    sources = [ShardSource(addresses.join(folder, path), options) for path in shards]
    return ChainedSource(sources, beside=by_extension(others))


def _image_folder(folder: str, options: TableOptions) -> ImageFolderSource:
    sources: list[TableSource] = []
    for path in folders.metadata_tables(folder):
        table = formats.open_table(addresses.join(folder, path), options)
        assert table is not None
        folder_path = path.rpartition("/")[0]
        location = TableLocation(
            root=addresses.join(folder, folder_path), path=path, columns=columns_of_paths([path])[0]
        )
        source = table_source(table, options, location)
        source.check()
        sources.append(source)
    return ImageFolderSource(folder, sources)
