"""What Parquet and Arrow files have in common: typed columns, rows out of record batches."""

from __future__ import annotations

from typing import Any

from indexer.sources.tables import Row

BATCH_ROWS = 256
BATCH_BYTES = 16 * 2**20
"""Rows are read so few at a time that their cells take about this much memory."""


def picture_columns(schema: Any) -> list[str]:
    """Columns of an Arrow schema whose type can hold pictures: bytes, alone or with a path."""
    return [field.name for field in schema if _holds_bytes(field.type)]


def row_values(batch: Any, before: int) -> list[Row]:
    """Rows of one record batch; a text that is not UTF-8 spoils only its own row.

    Args:
        before: rows before the batch.
    """
    try:
        values = batch.to_pylist()
    except UnicodeDecodeError:
        values = [_values(batch.slice(row, 1)) for row in range(batch.num_rows)]
    return [
        Row(number=number, values=value, problem="" if value else "a text is not UTF-8")
        for number, value in enumerate(values, before + 1)
    ]


def _values(row: Any) -> dict[str, Any] | None:
    try:
        return dict(row.to_pylist()[0])
    except UnicodeDecodeError:
        return None


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return _holds_bytes(kind.storage_type)
    if pa.types.is_struct(kind):
        names = [kind.field(place).name for place in range(kind.num_fields)]
        return "bytes" in names and _holds_bytes(kind.field("bytes").type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _holds_bytes(kind.value_type)
    binary = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return any(is_of(kind) for is_of in binary)
