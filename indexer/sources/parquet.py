"""Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from indexer.errors import SourceError
from indexer.sources import addresses
from indexer.sources.tables import Row, cut_short


@dataclass(frozen=True)
class ParquetTable:
    """Parquet, read in small batches."""

    address: str
    batch_rows: int = 256

    def columns(self) -> list[str]:
        """Names of the top-level columns."""
        with self._file() as file:
            return list(file.schema_arrow.names)

    def row_count(self) -> int:
        """Rows, as the footer says."""
        with self._file() as file:
            return int(file.metadata.num_rows)

    def rows(self) -> Iterator[Row]:
        """Rows with Python values; damage found on the way is a row with a problem."""
        import pyarrow as pa

        number = 0
        with self._file() as file:
            try:
                for batch in file.iter_batches(batch_size=self.batch_rows):
                    yield from _parquet_rows(batch, number)
                    number += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                yield cut_short(number + 1, error)

    def metadata_value(self, value: Any) -> Any:
        """As it is."""
        return value

    @contextmanager
    def _file(self) -> Iterator[Any]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with addresses.open_binary(self.address) as content:
            try:
                # pre_buffer would hold whole row groups in memory.
                file = pq.ParquetFile(content, pre_buffer=False)
            except (pa.ArrowException, OSError) as error:
                raise SourceError(
                    f"{self.address}: not a readable Parquet file ({error}); write it again"
                ) from error
            yield file


def _parquet_rows(batch: Any, before: int) -> list[Row]:
    """Rows of one batch; a text that is not UTF-8 spoils only its own row."""
    try:
        values = batch.to_pylist()
    except UnicodeDecodeError:
        values = [_parquet_values(batch.slice(row, 1)) for row in range(batch.num_rows)]
    return [
        Row(number=number, values=value, problem="" if value else "a text is not UTF-8")
        for number, value in enumerate(values, before + 1)
    ]


def _parquet_values(row: Any) -> dict[str, Any] | None:
    try:
        return dict(row.to_pylist()[0])
    except UnicodeDecodeError:
        return None
