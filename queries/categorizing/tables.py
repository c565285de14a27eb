"""Writes result tables as Parquet, CSV or JSON lines, by the ending of the file's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from indexer.core.cells import FORMULA
from indexer.core.durable import aside_of, naming, replace_durably
from indexer.core.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = (".parquet", ".csv", ".jsonl")


class _Writer(Protocol):
    def write_table(self, table: pa.Table) -> None: ...
    def close(self) -> None: ...


class TableWriter:
    """Streams Arrow tables of one schema into a file that appears when it is complete.

    Args:
        path: ends in one of ``FORMATS``.
        csv_raw: texts of CSV as they are; else those that a spreadsheet would compute are made
            texts for it, see ``cells``.

    Raises:
        UsageError: another ending, or a folder that does not exist.
    """

    def __init__(self, path: Path, *, csv_raw: bool = False) -> None:
        if path.suffix.lower() not in FORMATS:
            raise UsageError(f"{str(path)!r}: the file must end in {', '.join(FORMATS)}.")
        if not path.parent.is_dir():
            raise UsageError(f"folder {str(path.parent)!r} does not exist: make it first.")
        self._path = path
        self._aside = aside_of(path)
        self._writer: _Writer | None = None
        self._csv_raw = csv_raw

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
        if kind is not None:
            self._aside.unlink(missing_ok=True)
        elif self._writer is not None:
            replace_durably(self._aside, self._path)

    def write(self, table: pa.Table) -> None:
        """Append a table; the first one says what the columns are."""
        with naming(self._path):
            if self._writer is None:
                self._writer = self._opened(table.schema)
            self._writer.write_table(table)

    def _opened(self, schema: pa.Schema) -> _Writer:
        suffix = self._path.suffix.lower()
        if suffix == ".parquet":
            return _parquet(self._aside, schema)
        if suffix == ".csv":
            return _Csv(self._aside, schema, raw=self._csv_raw)
        return _JsonLines(self._aside)


class _Csv:
    """pyarrow's CSV, with cells that no spreadsheet computes."""

    def __init__(self, path: Path, schema: pa.Schema, *, raw: bool) -> None:
        from pyarrow.csv import CSVWriter

        self._writer = CSVWriter(path, schema)
        self._texts = [] if raw else [column.name for column in schema if _is_text(column.type)]

    def write_table(self, table: pa.Table) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        for name in self._texts:
            place, column = table.column_names.index(name), table.column(name)
            cells = pc.replace_substring_regex(
                column.cast(pa.string()), pattern=f"^({FORMULA})", replacement=r"'\1"
            )
            table = table.set_column(place, name, cells.cast(column.type))
        self._writer.write_table(table)

    def close(self) -> None:
        self._writer.close()


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))


def _parquet(path: Path, schema: pa.Schema) -> _Writer:
    """Dictionaries where the table has some, read back as plain strings.

    Numbers and ids, which differ from row to row, are not looked up in a dictionary: it would
    take longer than all else. Nor do numbers get smaller by compression.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    dictionaries = [column.name for column in schema if pa.types.is_dictionary(column.type)]
    texts = [column.name for column in schema if pa.types.is_string(column.type)]
    writer: _Writer = ParquetWriter(
        path,
        schema,
        use_dictionary=dictionaries,
        compression={
            column.name: "snappy" if column.name in texts else "none" for column in schema
        },
        write_statistics=texts,
        store_schema=False,
    )
    return writer


class _JsonLines:
    """pyarrow reads JSON lines and does not write them."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("w", encoding="utf-8")

    def write_table(self, table: pa.Table) -> None:
        rows: list[dict[str, Any]] = table.to_pylist()
        self._stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)

    def close(self) -> None:
        self._stream.close()
