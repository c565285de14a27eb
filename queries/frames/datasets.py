"""Hugging Face's ``datasets``, in and out; the library is imported where one is at hand.

A dataset that is ingested is kept as Parquet files below the catalog's uploads: that is where its
items' pictures lie afterwards.
"""

from __future__ import annotations

import hashlib
import itertools
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from indexer.core.errors import UsageError
from indexer.sources.options import NO_COLUMN
from queries.frames.given import png_of

_ROWS = 256
"""Rows of a file of a stream: their pictures are in memory together."""

_ROW_GROUP = 64
"""Rows that are read to show one picture."""


def is_dataset(value: Any) -> bool:
    """Whether a value is a ``Dataset``, an ``IterableDataset``, or one of these a split."""
    return any(kind.__module__.partition(".")[0] == "datasets" for kind in type(value).__mro__)


def kept_dataset(dataset: Any, folder: Path, *, id_column: str) -> str:
    """Write a dataset as Parquet, where the same rows lie but once.

    Classes of a ``ClassLabel`` are written by their names. A dataset without the column of ids
    gets one: the split and the number of the row, such as ``train-12``.

    Args:
        dataset: a ``Dataset`` or an ``IterableDataset``, which is read to its end.
        folder: for the datasets of a catalog.

    Returns:
        The folder of the files.

    Raises:
        UsageError: it is a dictionary of splits, or it has no row.
    """
    if isinstance(dataset, Mapping):
        splits = ", ".join(map(repr, dataset))
        raise UsageError(f"these are several datasets: give one of its splits, {splits}.")
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder, prefix="writing-"))
    try:
        digest, rows = hashlib.sha256(), 0
        for number, table in enumerate(_tables(dataset)):
            table = _with_ids(table, dataset, id_column, rows)
            path = aside / f"part-{number:05d}.parquet"
            pq.write_table(table, path, row_group_size=_ROW_GROUP)
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
            rows += table.num_rows
        if not rows:
            raise UsageError("the dataset has no row: there is nothing to ingest.")
        target = folder / digest.hexdigest()[:32]
        if not target.exists():
            aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return str(target)


def _tables(dataset: Any) -> Iterator[pa.Table]:
    """The rows, some at a time, with the contents of their pictures in them."""
    from importlib import import_module

    # A stream's own Arrow tables have a type for each batch, and fail where two differ.
    if hasattr(dataset, "with_format") and hasattr(dataset, "num_rows"):
        embed = import_module("datasets.table").embed_table_storage
        features = dataset.features
        for table in dataset.with_format("arrow").iter(batch_size=_ROWS):
            yield _with_names(embed(table), features).replace_schema_metadata(None)
        return
    features = dataset.features or {}
    rows = iter(dataset.decode(False) if features else dataset)
    while batch := list(itertools.islice(rows, _ROWS)):
        yield _with_names(_arrow(batch), features)


def _plain(value: Any) -> Any:
    """A value as Arrow takes it; a picture as ``{bytes, path}``, as the library stores it."""
    if isinstance(value, Image.Image):
        return {"bytes": png_of(value), "path": None}
    if isinstance(value, Mapping) and value.keys() == {"bytes", "path"} and value["bytes"] is None:
        path = Path(value["path"] or "")
        if path.is_file():
            return {"bytes": path.read_bytes(), "path": path.name}
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value


def _arrow(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Some rows of a stream; one that lacks a column that others have is null there.

    Raises:
        UsageError: the values of a column are of several types, or of one that Arrow has not.
    """
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        try:
            columns[name] = pa.array([_plain(row.get(name)) for row in rows])
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise UsageError(
                f"column {name!r} of the dataset has no one type ({error}): convert it with map, "
                "or leave it out with remove_columns."
            ) from error
    return pa.table(columns)


def _with_names(table: pa.Table, features: Mapping[str, Any]) -> pa.Table:
    """The table with the names of classes in the place of their numbers, in lists and structs."""
    for place, name in enumerate(table.column_names):
        if _has_classes(features.get(name)):
            named = [_named(value, features[name]) for value in table[name].to_pylist()]
            table = table.set_column(place, name, pa.array(named))
    return table


def _has_classes(feature: Any) -> bool:
    """Whether a feature of a dataset is a ``ClassLabel``, or has one in it."""
    if isinstance(feature, Mapping):
        return any(map(_has_classes, feature.values()))
    if isinstance(feature, list):
        return any(map(_has_classes, feature))
    inner = getattr(feature, "feature", None)
    return hasattr(feature, "names") or (inner is not None and _has_classes(inner))


def _named(value: Any, feature: Any) -> Any:
    """A value with the names of its classes; -1 stands for none in datasets' test splits."""
    if isinstance(feature, Mapping) and isinstance(value, Mapping):
        return {name: _named(entry, feature.get(name)) for name, entry in value.items()}
    if isinstance(value, list):
        inner = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
        return [_named(entry, inner) for entry in value]
    names = getattr(feature, "names", None)
    if names is None or not isinstance(value, int):
        return value
    return names[value] if value >= 0 else None


def _with_ids(table: pa.Table, dataset: Any, id_column: str, first: int) -> pa.Table:
    """The table with a column of ids."""
    if id_column == NO_COLUMN or id_column in table.column_names:
        return table
    prefix = str(dataset.split or "row")
    ids = [f"{prefix}-{row}" for row in range(first, first + table.num_rows)]
    return table.add_column(0, id_column, pa.array(ids, pa.string()))


def opened_dataset(files: Iterable[Path]) -> Any:
    """A ``datasets.Dataset`` of the files of an export, in memory.

    Raises:
        UsageError: ``datasets`` is not installed.
    """
    library = required()
    table = pa.concat_tables([pq.read_table(file, memory_map=False) for file in files])
    return library.Dataset(library.table.InMemoryTable(table))


def required() -> Any:
    """The library.

    Raises:
        UsageError: it is not installed.
    """
    from importlib import import_module

    try:
        return import_module("datasets")
    except ImportError as error:
        raise UsageError("datasets is not installed: pip install 'zeroshelf[datasets]'") from error
