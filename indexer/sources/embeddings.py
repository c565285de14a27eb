"""Folders of vectors as clip-retrieval writes them: ``img_emb``, ``text_emb``, ``metadata``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from indexer.core.errors import SourceError
from indexer.sources import addresses, formats
from indexer.sources.folders import holds_vectors
from indexer.sources.options import (
    ID_COLUMN,
    IMAGE_COLUMN,
    NO_COLUMN,
    TEXT_COLUMN,
    TableOptions,
)
from indexer.sources.partitioned import files_below

_log = logging.getLogger(__name__)


def with_vectors(
    sources: Sequence[str], options: TableOptions
) -> tuple[Sequence[str], TableOptions]:
    """Sources and options, unchanged or those of a folder of vectors.

    Ids of its items are in ``image_path``, titles in ``caption``, and addresses of pictures in
    ``url``, if there is one.

    Raises:
        SourceError: metadata and vectors are not in step, or other sources are named beside.
    """
    if options.vectors is not None:
        return sources, options
    folders = [source for source in sources if _is_folder_of_vectors(source)]
    if not folders:
        return sources, options
    if len(sources) > 1:
        raise SourceError(
            f"{folders[0]}: holds vectors, and other sources are named beside it; ingest it by "
            "itself"
        )
    folder = addresses.absolute(folders[0]).rstrip("/")
    tables = _files(folder, "metadata", ".parquet")
    vectors = _files(folder, "img_emb", ".npy")
    if not vectors:
        vectors = _files(folder, "text_emb", ".npy")
    elif _files(folder, "text_emb", ".npy"):
        _log.warning("%s: the vectors in text_emb are left out; those in img_emb are read.", folder)
    if not tables or len(tables) != len(vectors):
        raise SourceError(
            f"{folder}: has {len(tables)} files of metadata and {len(vectors)} of vectors; they "
            "must be in step. Write them again with clip-retrieval inference"
        )
    return tables, _with_default_columns(tables[0], replace(options, vectors=_choice(vectors)))


def _is_folder_of_vectors(source: str) -> bool:
    if addresses.is_web(source) or formats.open_table(source) is not None:
        return False
    address = addresses.absolute(source)
    return addresses.is_folder(address) and holds_vectors(address.rstrip("/"))


def _files(folder: str, name: str, suffix: str) -> list[str]:
    """Files of one kind, in the order of their numbers."""
    below = addresses.join(folder, name)
    if not addresses.is_folder(below):
        return []
    files = [path for path in files_below(below) if path.endswith(suffix)]
    files.sort(key=lambda file: (len(file), file))
    return [addresses.join(below, file) for file in files]


def _choice(files: Sequence[str]) -> str:
    """A brace pattern that stands for the files."""
    return files[0] if len(files) == 1 else f"{{{','.join(files)}}}"


def _with_default_columns(table: str, options: TableOptions) -> TableOptions:
    opened = formats.open_table(table)
    columns = opened.columns() if opened is not None else []
    if options.id_column == ID_COLUMN and ID_COLUMN not in columns:
        options = replace(options, id_column="image_path" if "image_path" in columns else NO_COLUMN)
    if options.image_column == IMAGE_COLUMN and "url" in columns:
        options = replace(options, image_column="url")
    if options.text_column == TEXT_COLUMN and TEXT_COLUMN not in columns and "caption" in columns:
        options = replace(options, text_column="caption")
    return options
