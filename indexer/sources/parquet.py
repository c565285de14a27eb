"""Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from indexer.core.errors import SourceError
from indexer.sources import addresses
from indexer.sources.class_labels import class_features
from indexer.sources.columnar import ColumnarTable, row_values, rows_a_batch
from indexer.sources.tables import Row, cut_short


@dataclass(frozen=True)
class ParquetTable(ColumnarTable):
    """Parquet, read in small batches."""

    address: str

    def schema(self) -> Any:
        """The Arrow schema."""
        with self._file() as file:
            return file.schema_arrow

    def row_count(self) -> int:
        """Rows, as the footer says."""
        with self._file() as file:
            return int(file.metadata.num_rows)

    def rows(self) -> Iterator[Row]:
        """Rows with Python values; damage found on the way is a row with a problem."""
        import pyarrow as pa

        number = 0
        with self._file() as file:
            classes = class_features(file.schema_arrow)
            try:
                for batch in file.iter_batches(batch_size=_batch_rows(file)):
                    yield from row_values(batch, number, classes)
                    number += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                yield cut_short(number + 1, error)

    def cells(self, column: str, first_row: int) -> Iterator[tuple[int, Any]]:
        """Row numbers and values of one column, from the row group of a row on."""
        import pyarrow as pa

        with self._file() as file:
            groups = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
            group = rows_before = 0
            while group < len(groups) and rows_before + groups[group] < first_row:
                rows_before += groups[group]
                group += 1
            try:
                for batch in file.iter_batches(
                    batch_size=_batch_rows(file),
                    row_groups=range(group, len(groups)),
                    columns=[column],
                ):
                    for number, cell in enumerate(batch.column(0), rows_before + 1):
                        yield number, cell.as_py()
                    rows_before += batch.num_rows
            except (pa.ArrowException, OSError) as error:
                raise SourceError(
                    f"{self.address}: damaged from row {rows_before + 1:,} on ({error}); "
                    "fetch it again"
                ) from error

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


def _batch_rows(file: Any) -> int:
    groups = map(file.metadata.row_group, range(file.num_row_groups))
    return rows_a_batch(sum(group.total_byte_size for group in groups), file.metadata.num_rows)
