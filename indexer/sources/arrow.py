"""Arrow IPC files, as Hugging Face's datasets keep them: streams, and files with a footer."""

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
class ArrowTable(ColumnarTable):
    """An Arrow IPC file, one record batch at a time; local files are memory-mapped."""

    address: str

    def schema(self) -> Any:
        """The Arrow schema."""
        with self._batches() as (schema, _):
            return schema

    def row_count(self) -> int:
        """Rows, by the headers of the batches."""
        with self._batches() as (_, batches):
            return sum(batch.num_rows for batch in batches)

    def rows(self) -> Iterator[Row]:
        """Rows with Python values; damage met while reading is a row with a problem."""
        import pyarrow as pa

        number = 0
        with self._batches() as (schema, batches):
            classes = class_features(schema)
            try:
                for batch in batches:
                    for batch_slice in _parts(batch):
                        yield from row_values(batch_slice, number, classes)
                        number += batch_slice.num_rows
            except (pa.ArrowException, OSError) as error:
                yield cut_short(number + 1, error)

    def cells(self, column: str, first_row: int) -> Iterator[tuple[int, Any]]:
        """Row numbers and values of one column, from a row on."""
        rows_before = 0
        with self._batches() as (_, batches):
            for batch in batches:
                skipped = max(0, first_row - 1 - rows_before)
                if skipped < batch.num_rows:
                    cells = batch.column(column).slice(skipped)
                    for row, cell in enumerate(cells, rows_before + skipped + 1):
                        yield row, cell.as_py()
                rows_before += batch.num_rows

    @contextmanager
    def _batches(self) -> Iterator[tuple[Any, Iterator[Any]]]:
        """The schema, and the record batches in order."""
        import pyarrow as pa

        try:
            if addresses.is_remote(self.address):
                content = pa.PythonFile(addresses.open_binary(self.address), mode="r")
            else:
                content = pa.memory_map(self.address)
            with content:
                schema, batches = _opened(content)
                yield schema, batches
        except FileNotFoundError as error:
            raise SourceError(f"{self.address}: no such file; check the path") from error
        except (pa.ArrowException, OSError) as error:
            raise SourceError(
                f"{self.address}: not a readable Arrow file ({error}); write it again"
            ) from error


def _opened(content: Any) -> tuple[Any, Iterator[Any]]:
    import pyarrow as pa

    begins = content.read(6)
    content.seek(0)
    if begins == b"ARROW1":
        file = pa.ipc.open_file(content)
        return file.schema, map(file.get_batch, range(file.num_record_batches))
    stream = pa.ipc.open_stream(content)
    return stream.schema, iter(stream)


def _parts(batch: Any) -> Iterator[Any]:
    """Slices of a batch that need little memory: a batch of datasets may hold all rows."""
    size = rows_a_batch(batch.nbytes, batch.num_rows)
    for start in range(0, batch.num_rows, size):
        yield batch.slice(start, size)
