"""Exports a catalog as a data set that Hugging Face's ``datasets`` opens with its pictures."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.catalog.opening import CatalogOptions, OpenCatalog, open_catalog
from indexer.core.column_types import ColumnType
from indexer.core.errors import ItemError, UsageError
from indexer.core.label_sets import column_prefix
from indexer.core.object_stores import StoredFolder
from indexer.core.parts import BOX, START
from indexer.core.records import Kind
from indexer.core.watch import Watch
from indexer.jobs.export_folder import export_folder, refusal
from indexer.sources import Fetcher, addresses

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

_ROWS = 64
"""Rows whose pictures are in memory together, and a row group of the files."""

_READERS = 8

_KIND = "a data set"
_FILES = re.compile(r"train-\d{8}\.parquet")

_DECISIONS = {"label_id": "string", "label": "string", "score": "float32", "status": "string"}
_OWN = ("id", "image", "title", "kind", "part")
_DTYPES = {ColumnType.NUMBER: "float64", ColumnType.BOOLEAN: "bool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetReport:
    """What was written.

    Attributes:
        rows: of the data set.
        pictures: rows with a picture.
        unread: rows whose picture can't be read any more; the first of them in ``examples``.
        parts: windows, shots and boxes, which are no rows.
    """

    rows: int
    pictures: int
    unread: int
    parts: int
    examples: tuple[str, ...] = ()


class _Counts:
    """What a job has counted so far."""

    def __init__(self) -> None:
        self.rows = self.pictures = self.parts = 0
        self.unread: list[str] = []


def export_dataset(
    options: CatalogOptions,
    to: str | Path,
    *,
    partition: str | None = None,
    replace: bool = False,
    watch: Watch = Watch(),
) -> DatasetReport:
    """Write items with pictures, columns and labels as ``data/train-*.parquet``.

    A row is an item, or one of the pictures of an item that has several. The files' schema says
    which column is a picture, so ``datasets.load_dataset`` opens them as such.

    Args:
        to: the folder, a path or an address such as ``s3://bucket/folder``.
        partition: only the items of one partition.
        replace: an earlier export there.

    Raises:
        UsageError: the folder holds a data set already, or can't be written to; the catalog is
            not divided, or has no such partition.
    """
    import pyarrow.parquet as pq

    # Locked, so that all files are of one state of the catalog.
    with open_catalog(options, write=True) as catalog, Fetcher() as fetcher:
        rows_of, size = catalog.ledger.live_rows, catalog.ledger.size()
        if partition is not None:
            catalog.require_partition(partition)
            catalog.ledger.select_partition(partition)
            rows_of, size = catalog.ledger.selected_rows, catalog.ledger.selected_size()
        schema, counts = _schema(catalog), _Counts()
        with (
            _data_folder(str(to).rstrip("/"), replace=replace) as folder,
            ThreadPoolExecutor(_READERS) as readers,
        ):
            watch.begin("Exporting", size.rows)
            for shard in catalog.archive.shards():
                rows = _chosen_rows(catalog, shard, rows_of(shard), counts, watch)
                if not rows:
                    continue
                with (
                    folder.writing(f"train-{shard:08d}.parquet") as aside,
                    pq.ParquetWriter(aside, schema) as writer,
                ):
                    for start in range(0, len(rows), _ROWS):
                        row_chunk = rows[start : start + _ROWS]
                        _add_pictures(row_chunk, fetcher, readers, counts)
                        writer.write_table(_table(row_chunk, schema))
                        watch.advance(len(row_chunk))
    return DatasetReport(
        rows=counts.rows,
        pictures=counts.pictures,
        unread=len(counts.unread),
        parts=counts.parts,
        examples=tuple(counts.unread[:3]),
    )


@contextmanager
def _data_folder(to: str, *, replace: bool) -> Iterator[StoredFolder]:
    """Where the files are written to.

    On a disk that is a hidden folder, which ``datasets`` does not look into, and which becomes
    ``data`` when all is written: half a data set is never taken for a whole one. In a bucket
    files have no other name before.

    Raises:
        UsageError: there is a data set already, or there are Parquet files of others, which
            ``datasets`` would read as rows of this one.
    """
    present = [name for name in StoredFolder(f"{to}/data").names() if name.endswith(".parquet")]
    if others := [name for name in present if not _FILES.fullmatch(name)]:
        raise UsageError(
            f"{to!r} holds Parquet files that no export wrote, such as data/{min(others)}: choose "
            "another folder."
        )
    if "://" in to:
        with export_folder(f"{to}/data", _FILES, kind=_KIND, replace=replace) as folder:
            yield folder
        return
    if present and not replace:
        raise UsageError(refusal(to, _KIND, unfinished=False))
    hidden = Path(to) / ".data.writing"
    shutil.rmtree(hidden, ignore_errors=True)  # of an export that was killed
    try:
        yield StoredFolder(str(hidden))
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        raise
    for file in sorted((Path(to) / "data").iterdir()):
        if _FILES.fullmatch(file.name):
            file.unlink()  # of the export that is replaced
        else:
            file.rename(hidden / file.name)
    (Path(to) / "data").rmdir()
    hidden.rename(Path(to) / "data")


def _schema(catalog: OpenCatalog) -> pa.Schema:
    """Columns with their types, and which of them is a picture, as ``datasets`` writes it."""
    import pyarrow as pa

    picture = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    types = dict.fromkeys(_OWN, pa.string()) | {"image": picture}
    decided = {
        f"{column_prefix(set_name)}{name}": pa.type_for_alias(kind)
        for set_name in catalog.folder.set_names()
        for name, kind in _DECISIONS.items()
    }
    for name, column in _metadata_names(catalog, {*types, *decided}).items():
        kind = _DTYPES.get(catalog.folder.column_types().get(name, ColumnType.TEXT), "string")
        types[column] = pa.type_for_alias(kind)
    types |= decided
    features = {
        name: {"_type": "Image"} if name == "image" else {"dtype": _dtype(kind), "_type": "Value"}
        for name, kind in types.items()
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(types.items(), metadata=metadata)


def _dtype(kind: pa.DataType) -> str:
    return {"double": "float64", "float": "float32"}.get(str(kind), str(kind))


def _metadata_names(catalog: OpenCatalog, taken: set[str]) -> dict[str, str]:
    """Columns of the data set by those of the metadata; a taken name gets "_given" behind it."""
    names = sorted(catalog.metadata_columns())
    free_names = {name: name for name in names if name not in taken}
    for name in sorted(taken.intersection(names)):
        column = f"{name}_given"
        while column in taken or column in free_names.values():
            column += "_given"
        free_names[name] = column
    return dict(sorted(free_names.items()))


def _chosen_rows(
    catalog: OpenCatalog,
    shard: int,
    rows: npt.NDArray[np.int64],
    counts: _Counts,
    watch: Watch,
) -> list[dict[str, Any]]:
    """The rows of a shard as values, without windows, shots and boxes beyond an item's first."""
    import pyarrow as pa

    names = ["item_id", "parent_id", "kind", "source", "title", "metadata_json", "part_json"]
    stored = catalog.archive.table(shard)
    table = stored.select([name for name in names if name in stored.column_names])
    decisions = {
        column_prefix(set_name): files.read(shard)
        for set_name, files in catalog.decisions.files.items()
    }
    taken = {*_OWN, *(f"{prefix}{name}" for prefix in decisions for name in _DECISIONS)}
    columns = _metadata_names(catalog, taken)
    chosen_rows = []
    for row, values in zip(rows.tolist(), table.take(pa.array(rows)).to_pylist(), strict=True):
        part = json.loads(values.get("part_json") or "{}")
        if values.get("parent_id") and (START in part or BOX in part):
            counts.parts += 1
            watch.advance(1)
            continue
        metadata = json.loads(values["metadata_json"] or "{}")
        chosen_rows.append(
            {
                "id": values["item_id"],
                "title": values["title"],
                "kind": values["kind"],
                "part": json.dumps(part) if part else None,
                "source": values["source"],
                **{column: metadata.get(name) for name, column in columns.items()},
                **{
                    f"{prefix}{name}": getattr(decided[row], name, None)
                    for prefix, decided in decisions.items()
                    if decided is not None
                    for name in _DECISIONS
                },
            }
        )
    counts.rows += len(chosen_rows)
    return chosen_rows


def _add_pictures(
    rows: Sequence[dict[str, Any]],
    fetcher: Fetcher,
    readers: ThreadPoolExecutor,
    counts: _Counts,
) -> None:
    """Read the pictures of some rows, as they lie there."""

    def read(row: dict[str, Any]) -> bytes | None:
        if row["kind"] != Kind.PICTURE:
            return None
        try:
            return fetcher.read(row["source"])
        except ItemError:
            return b""

    for row, content in zip(rows, readers.map(read, rows), strict=True):
        if content:
            row["image"] = {"bytes": content, "path": addresses.name(row["source"])}
            counts.pictures += 1
        elif content is not None:
            counts.unread.append(row["id"])


def _table(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    import pyarrow as pa

    columns = [
        pa.array(list(_values(rows, field.name, field.type)), field.type) for field in schema
    ]
    return pa.table(columns, schema=schema)


def _values(rows: Sequence[dict[str, Any]], name: str, kind: pa.DataType) -> Iterator[Any]:
    """The values of a column; what a text column holds beside texts as JSON."""
    is_text = str(kind) == "string"
    for row in rows:
        value = row.get(name)
        if is_text and value is not None and not isinstance(value, str):
            value = json.dumps(value, ensure_ascii=False)
        yield value
