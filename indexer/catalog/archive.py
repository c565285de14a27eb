"""Parquet shards of embedded items: the record that the database is rebuilt from.

Embedding is the costly step, so each finished batch becomes a durable shard before it is
stored in the database. A shard is never changed. The newest row of an id counts; a removal is
a row too (``removed``). Shards are numbered in the order they were written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.core.durable import written_aside
from indexer.core.errors import DamagedShardError, first_line
from indexer.core.records import EmbeddedItem, FloatArray, Kind

if TYPE_CHECKING:
    import pyarrow as pa

_PREFIX, _SUFFIX = "items-", ".parquet"
_SHARD = re.compile(r"items-(\d{8,})\.parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A row that removes an item, or a part of one, from the catalog.

    Attributes:
        parent_id: the item that it is a part of; empty for an item of its own.
    """

    item_id: str
    parent_id: str = ""


class Archive:
    """The shards of one catalog, in one folder.

    Args:
        folder: made when the first shard is written.
        width: dimension d of the vectors.
    """

    def __init__(self, folder: Path, *, width: int) -> None:
        self.folder = folder
        self.width = width

    def shards(self) -> list[int]:
        """Numbers of the finished shards, oldest first; other files are ignored."""
        matches = (_SHARD.fullmatch(file.name) for file in self.folder.glob(f"{_PREFIX}*{_SUFFIX}"))
        # As numbers: a name of nine digits sorts before one of eight.
        return sorted(int(match[1]) for match in matches if match)

    def write(self, rows: Sequence[EmbeddedItem | Removal]) -> int:
        """Make one durable shard of the rows.

        Returns:
            The new shard's number.
        """
        import pyarrow.parquet as pq

        self.folder.mkdir(parents=True, exist_ok=True)
        # No other process takes the same number: who writes to a generation holds its lock.
        number = (self.shards() or [0])[-1] + 1
        table = self._table(rows)
        vectors = [name for name in _VECTOR_COLUMNS if name in table.column_names]
        # Vectors do not compress: plain encoding is several times faster both ways.
        with written_aside(self._path(number)) as aside:
            pq.write_table(
                table,
                aside,
                compression=dict.fromkeys(vectors, "none") | dict.fromkeys(_TEXT_COLUMNS, "zstd"),
                use_dictionary=False,
                column_encoding={f"{name}.list.element": "PLAIN" for name in vectors},
                write_statistics=False,
                write_page_checksum=True,
            )
        return number

    def table(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """A shard's rows as an Arrow table.

        Args:
            columns: None is all but the vectors of titles.

        Raises:
            DamagedShardError: the shard is missing or damaged.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._path(number)
        names = list(_COLUMNS if columns is None else columns)
        try:
            # Without Arrow's own threads: the vectors are nearly all of a shard, and where shards
            # are read side by side, threads cost 7% of a run with 100 labels.
            with pq.ParquetFile(path, page_checksum_verification=True) as file:
                table = file.read(names, use_threads=False)
                for name in _PART_COLUMNS:
                    # A shard from before items had parts.
                    if name in names and name not in table.column_names:
                        none = pa.repeat(pa.scalar("", pa.string()), table.num_rows)
                        table = table.append_column(name, none)
                return table.select(names)
        # Reading skips a missing column, and selecting it raises.
        except (OSError, KeyError, pa.ArrowException) as error:
            raise DamagedShardError(
                f"archive shard {str(path)!r} can't be read: {first_line(error)}."
                f"{self._names_of(number)} Restore it from a backup. Without one run: zeroshelf "
                "rebuild --skip-damaged, which makes its items dead letters, and: zeroshelf retry"
            ) from error

    def _names_of(self, number: int) -> str:
        """The items of a damaged shard for the message, if their ids can be read."""
        ids = self.read_undamaged(number, ["item_id"]).get("item_id", [])
        return f" It holds {len(ids):,} rows, such as of item {ids[0]!r}." if ids else ""

    def read_undamaged(self, number: int, columns: Sequence[str]) -> dict[str, list[Any]]:
        """The columns of a damaged shard whose pages are undamaged, each in row order."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        values: dict[str, list[Any]] = {}
        for name in columns:
            try:
                with pq.ParquetFile(self._path(number), page_checksum_verification=True) as file:
                    values[name] = file.read([name], use_threads=False).column(name).to_pylist()
            except (OSError, KeyError, ValueError, pa.ArrowException):
                continue
        return values

    def set_aside(self, number: int) -> Path:
        """Take a damaged shard out of the archive by renaming its file.

        Returns:
            The new path.
        """
        target = self._path(number).with_suffix(".damaged")
        self._path(number).replace(target)
        return target

    def vectors(self, number: int, table: pa.Table | None = None) -> FloatArray:
        """float32 (n, d): the vectors of a shard, in row order; zeros where removed."""
        return self._block((table or self.table(number, ["vector"])).column("vector"))

    def title_vectors(self, number: int) -> FloatArray | None:
        """float32 (n, d): the vectors of a shard's titles, in row order; zeros where none.

        None where no row of the shard has one.
        """
        import pyarrow.parquet as pq

        if _TITLE_VECTOR not in pq.read_schema(self._path(number)).names:
            return None
        return self._block(self.table(number, [_TITLE_VECTOR]).column(_TITLE_VECTOR))

    def title(self, number: int, row: int) -> tuple[str, FloatArray | None]:
        """A row's title and its vector, float32 (d,); None where it has none."""
        titles, vectors = _cached_titles(self, number)
        vector = None if vectors is None or not vectors[row].any() else vectors[row]
        return titles[row], vector

    def rows(self, number: int) -> Iterator[EmbeddedItem | Removal]:
        """A shard's rows, in order."""
        table = self.table(number)
        vectors = self.vectors(number, table)
        for row, vector in zip(table.drop_columns(["vector"]).to_pylist(), vectors, strict=True):
            if row.pop("removed"):
                yield Removal(item_id=row["item_id"], parent_id=row["parent_id"])
            else:
                yield EmbeddedItem(vector=vector, **row | {"kind": Kind(row["kind"])})

    def removals(self, number: int) -> list[Removal]:
        """What a shard takes out of the catalog."""
        table = self.table(number, ["item_id", "parent_id", "removed"])
        removed = table.filter(table.column("removed")).drop_columns(["removed"])
        return [Removal(**row) for row in removed.to_pylist()]

    def vector(self, number: int, row: int) -> FloatArray:
        """float32 (d,): one vector; its shard is cached, since copies come in runs."""
        vector: FloatArray = _cached_vectors(self, number)[row]
        return vector

    def _block(self, column: pa.ChunkedArray) -> FloatArray:
        import pyarrow as pa

        blocks: list[FloatArray] = []
        for chunk in column.chunks:
            assert isinstance(chunk, pa.FixedSizeListArray)
            flat = np.asarray(chunk.flatten(), dtype=np.float32)
            blocks.append(flat.reshape(-1, self.width))
        empty = np.empty((0, self.width), dtype=np.float32)
        return blocks[0] if len(blocks) == 1 else np.concatenate([empty, *blocks])

    def _path(self, number: int) -> Path:
        return self.folder / f"{_PREFIX}{number:08d}{_SUFFIX}"

    def _table(self, rows: Sequence[EmbeddedItem | Removal]) -> pa.Table:
        import pyarrow as pa

        columns: dict[str, pa.Array] = {
            name: pa.array([getattr(row, name, "") for row in rows], pa.string())
            for name in _TEXT_COLUMNS
        }
        columns["removed"] = pa.array([isinstance(row, Removal) for row in rows], pa.bool_())
        columns["vector"] = self._column([getattr(row, "vector", None) for row in rows])
        titles = [getattr(row, _TITLE_VECTOR, None) for row in rows]
        if any(title is not None for title in titles):
            columns[_TITLE_VECTOR] = self._column(titles)
        # Columns without nulls are read in three quarters of the time.
        fields = [
            pa.field(name, column.type, nullable=name not in _VECTOR_COLUMNS)
            for name, column in columns.items()
        ]
        return pa.table(columns, schema=pa.schema(fields))

    def _column(self, vectors: Sequence[FloatArray | None]) -> pa.Array:
        import pyarrow as pa

        # Zeros stand for no vector: a stored one has length 1.
        zero = np.zeros(self.width, dtype=np.float32)
        block = np.stack([zero if vector is None else vector for vector in vectors]).astype(
            np.float32, copy=False
        )
        return pa.FixedSizeListArray.from_arrays(pa.array(block.ravel()), type=_vectors(self.width))


_PART_COLUMNS = ("parent_id", "part_json")
_TEXT_COLUMNS = (
    "item_id",
    "kind",
    "source",
    "title",
    "metadata_json",
    "content_hash",
    "row_hash",
    *_PART_COLUMNS,
)
_TITLE_VECTOR = "title_vector"
_VECTOR_COLUMNS = ("vector", _TITLE_VECTOR)
_COLUMNS = (*_TEXT_COLUMNS, "removed", "vector")


def _vectors(width: int) -> pa.DataType:
    import pyarrow as pa

    return pa.list_(pa.field("element", pa.float32(), nullable=False), width)


# By the archive itself: another catalog, or generation, has a shard of the same number.
@lru_cache(maxsize=4)
def _cached_vectors(archive: Archive, number: int) -> FloatArray:
    return archive.vectors(number)


@lru_cache(maxsize=2)
def _cached_titles(archive: Archive, number: int) -> tuple[list[str], FloatArray | None]:
    titles = archive.table(number, ["title"]).column("title").to_pylist()
    return titles, archive.title_vectors(number)
