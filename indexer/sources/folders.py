"""Recognises the kind of a folder: pictures, a table in many files, a saved dataset, shards."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from indexer.core.errors import SourceError
from indexer.sources import addresses, formats
from indexer.sources.chained import by_extension
from indexer.sources.globs import is_mark
from indexer.sources.media import is_media
from indexer.sources.partitioned import SPLIT_COLUMN, TableLocation, columns_of_paths, files_below
from indexer.sources.shards import SHARD_SUFFIXES

_COLUMNAR = (".parquet", ".pq", ".arrow")
_SAVED_DATASET = "state.json"
_SAVED_SPLITS = "dataset_dict.json"
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_STATISTICS = "_stats.json"
FILE_NAME = "file_name"
"""The column by which a table names the pictures beside it (Hugging Face's ImageFolder)."""


class FolderKind(StrEnum):
    """The kind of a folder."""

    PICTURES = "pictures"
    TABLES = "tables"
    SHARDS = "shards"
    SAVED_DATASET = "saved dataset"
    IMAGE_FOLDER = "image folder"
    SIDECARS = "pictures with files of their texts"
    EMBEDDINGS = "embeddings"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderTables:
    """The tables of a folder, and what lies beside them.

    Attributes:
        locations: the place of each table, in order.
        empty: tables of 0 bytes, which some writers leave.
        others: files that are neither tables nor media; rows may name pictures.
    """

    locations: Sequence[TableLocation]
    empty: Sequence[str] = ()
    others: Sequence[str] = ()


def kind_of(folder: str) -> FolderKind:
    """The kind of a folder, by the names in it.

    The level nearest to its top that has pictures (or sounds, or videos), tables or shards
    decides: pictures before shards before tables, so that a list beside pictures leaves a folder
    one of pictures. A text table decides only where no pictures lie below.

    Raises:
        SourceError: it can't be listed.
    """
    names = _names(folder)
    if names & {_SAVED_DATASET, _SAVED_SPLITS}:
        return FolderKind.SAVED_DATASET
    if _are_vectors(names):
        return FolderKind.EMBEDDINGS
    statistics = min((name for name in names if name.endswith(_STATISTICS)), default=None)
    if statistics is not None:
        return _kind_of_download(folder, names, statistics.removesuffix(_STATISTICS))
    return _kind_below(folder, names)


def holds_vectors(folder: str) -> bool:
    """Whether a folder is one of vectors that clip-retrieval wrote."""
    return _are_vectors(_names(folder))


def _are_vectors(names: set[str]) -> bool:
    return "metadata/" in names and bool(names & {"img_emb/", "text_emb/"})


def _kind_of_download(folder: str, names: set[str], shard: str) -> FolderKind:
    """Which of img2dataset's formats a folder has; beside each shard lie its statistics."""
    for name, kind in (
        (f"{shard}.tar", FolderKind.SHARDS),
        (f"{shard}/", FolderKind.SIDECARS),
        (f"{shard}.parquet", FolderKind.TABLES),
    ):
        if name in names and f"{shard}.tfrecord" not in names:
            return kind
    raise SourceError(
        f"{folder}: is a download of img2dataset in a format that is not read; run it with "
        "--output_format webdataset, files or parquet"
    )


def _kind_below(folder: str, names: set[str]) -> FolderKind:
    marked = "_SUCCESS" in names
    has_text_table = False
    seen = {addresses.real(folder)}
    waiting = deque([(folder, names)])
    while waiting:
        place, names = waiting.popleft()
        files = [name for name in names if not name.endswith("/") and not is_mark(name)]
        if any(_names_files(addresses.join(place, name)) for name in files if name in METADATA):
            return FolderKind.IMAGE_FOLDER
        if any(map(is_media, files)):
            return FolderKind.PICTURES
        if any(name.lower().endswith(SHARD_SUFFIXES) for name in files):
            return FolderKind.SHARDS
        if any(name.lower().endswith(_COLUMNAR) for name in files):
            return FolderKind.TABLES
        has_text_table |= any(map(is_table, files))
        if (marked or "=" in addresses.name(place)) and any(map(formats.is_table, files)):
            return FolderKind.TABLES
        deeper = sorted(name for name in names if name.endswith("/") and not is_mark(name))
        subfolders = [addresses.join(place, name.rstrip("/")) for name in deeper]
        for subfolder in subfolders:
            if addresses.real(subfolder) not in seen:  # a link may lead back
                seen.add(addresses.real(subfolder))
                waiting.append((subfolder, _names(subfolder)))
    return FolderKind.TABLES if has_text_table else FolderKind.PICTURES


def is_table(name: str) -> bool:
    """Whether a file in a folder is a table; a .json mostly describes the other files."""
    return formats.is_table(name) and not name.lower().endswith(".json")


def tables_of(folder: str, files: Sequence[str] | None = None) -> FolderTables:
    """The tables below a folder.

    Args:
        files: paths of files below it that a pattern matched; None for all.

    Raises:
        SourceError: the folder can't be listed, or there is no table.
    """
    paths = list(files_below(folder)) if files is None else list(files)
    tables = [path for path in paths if is_table(path)]
    if not tables or files is not None:
        tables = [path for path in paths if formats.is_table(path)]
    # A remote file's size would be a request for each.
    empty = [path for path in tables if addresses.size(addresses.join(folder, path)) == 0]
    filled = [path for path in tables if path not in set(empty)]
    if not filled:
        others = ", ".join(f"{count:,} {name}" for name, count in by_extension(paths).items())
        raise SourceError(
            f"nothing to read in {folder}: no table there has a byte (left out: {others}); check "
            "the folder"
        )
    columns = columns_of_paths(filled)
    return FolderTables(
        locations=[
            TableLocation(root=folder, path=path, columns=path_columns)
            for path, path_columns in zip(filled, columns, strict=True)
        ],
        empty=empty,
        others=[path for path in paths if path not in set(tables) and not is_media(path)],
    )


def saved_dataset(folder: str) -> FolderTables:
    """The files of what ``datasets`` wrote by ``save_to_disk``: a dataset, or one for each split.

    Only the files that its state names count: caches of its computations lie beside them.

    Raises:
        SourceError: the state is missing or broken.
    """
    if _SAVED_SPLITS in _names(folder):
        splits = _json(addresses.join(folder, _SAVED_SPLITS)).get("splits", [])
        locations = [
            TableLocation(root=folder, path=f"{split}/{file}", columns={SPLIT_COLUMN: split})
            for split in splits
            for file in _data_files(addresses.join(folder, split))
        ]
    else:
        locations = [
            TableLocation(root=folder, path=file, columns={}) for file in _data_files(folder)
        ]
    return FolderTables(locations=locations)


def metadata_tables(folder: str) -> list[str]:
    """Paths, below a folder, of the tables that name the pictures beside them."""
    return [
        path
        for path in files_below(folder)
        if addresses.name(path) in METADATA and _names_files(addresses.join(folder, path))
    ]


def _names_files(address: str) -> bool:
    table = formats.open_table(address)
    try:
        return table is not None and FILE_NAME in table.columns()
    except SourceError:
        return False


def _data_files(folder: str) -> list[str]:
    state = addresses.join(folder, _SAVED_DATASET)
    try:
        return [str(entry["filename"]) for entry in _json(state)["_data_files"]]
    except (KeyError, TypeError) as error:
        raise SourceError(f"{state}: names no data files; save the dataset again") from error


def _json(address: str) -> dict[str, Any]:
    with addresses.open_binary(address) as file:
        try:
            value = json.loads(file.read())
        except ValueError as error:
            raise SourceError(f"{address}: not valid JSON ({error}); write it again") from error
    if not isinstance(value, dict):
        raise SourceError(f"{address}: a JSON object is needed; write it again")
    return value


def _names(folder: str) -> set[str]:
    """Names in a folder; those of folders end with a slash."""
    try:
        return {f"{name}/" if deeper else name for name, deeper in addresses.children(folder)}
    except OSError as error:
        raise SourceError(f"{folder}: can't be listed ({error}); check it") from error
