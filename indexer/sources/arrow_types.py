"""Types of Arrow columns: their type as metadata, and which can't be metadata."""

from __future__ import annotations

from typing import Any

from indexer.core.column_types import ColumnType

WIDE = 64
"""A list of so many numbers is a vector, not metadata."""

FLOAT_DIGITS = 15
"""Decimal digits that a float keeps."""


def column_type(kind: Any) -> ColumnType | None:
    """The metadata type of an Arrow type; None for the null type."""
    import pyarrow as pa

    is_of = pa.types
    kind = _storage(kind)
    if is_of.is_null(kind):
        return None
    if is_of.is_boolean(kind):
        return ColumnType.BOOLEAN
    if is_of.is_uint64(kind):
        return ColumnType.TEXT  # half of its range is beyond the database's
    if is_of.is_integer(kind) or is_of.is_floating(kind):
        return ColumnType.NUMBER
    if is_of.is_decimal(kind):
        return ColumnType.NUMBER if kind.precision <= FLOAT_DIGITS else ColumnType.TEXT
    return ColumnType.JSON if is_of.is_nested(kind) else ColumnType.TEXT


def why_not_metadata(kind: Any) -> str:
    """Why a column of an Arrow type can't be metadata; empty where it can."""
    import pyarrow as pa

    is_of = pa.types
    if is_uuid(kind):
        return ""
    kind = _storage(kind)
    if is_of.is_fixed_size_binary(kind):
        return "" if kind.byte_width == 16 else "binary"
    if is_of.is_binary(kind) or is_of.is_large_binary(kind) or is_of.is_binary_view(kind):
        return "binary"
    if is_of.is_interval(kind):
        return "an interval"
    if is_list(kind):
        if is_of.is_fixed_size_list(kind) and kind.list_size >= WIDE:
            return f"a list of {kind.list_size}"
        return why_not_metadata(kind.value_type)
    if is_of.is_map(kind):
        return why_not_metadata(kind.key_type) or why_not_metadata(kind.item_type)
    if is_of.is_struct(kind):
        fields = (kind.field(place).type for place in range(kind.num_fields))
        return next(filter(None, map(why_not_metadata, fields)), "")
    return ""


def why_no_id(kind: Any) -> str:
    """Why no value of an Arrow type can be an id; empty where some can."""
    import pyarrow as pa

    kind = _storage(kind)
    of_none = (pa.types.is_boolean, pa.types.is_temporal, pa.types.is_nested)
    return f"of the type {kind}" if any(is_one(kind) for is_one in of_none) else ""


def is_list(kind: Any) -> bool:
    """Whether an Arrow type is one of lists."""
    import pyarrow as pa

    lists = (
        *(pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list),
        *(pa.types.is_list_view, pa.types.is_large_list_view),
    )
    return any(is_one(kind) for is_one in lists)


def is_uuid(kind: Any) -> bool:
    """Whether an Arrow type is that of UUIDs."""
    import pyarrow as pa

    return isinstance(kind, pa.UuidType)


def plain(batch: Any) -> Any:
    """A record batch whose values have Python types.

    Nanoseconds become text, as Python's times end at microseconds; without pandas,
    pyarrow refuses to read them.
    """
    import pyarrow as pa

    arrays = [_without_nanoseconds(array) for array in batch.columns]
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _without_nanoseconds(array: Any) -> Any:
    import pyarrow as pa

    kind = array.type
    temporal = pa.types.is_timestamp(kind) or pa.types.is_duration(kind) or pa.types.is_time(kind)
    if not temporal or kind.unit != "ns":
        return array
    if pa.types.is_timestamp(kind):
        coarse = pa.timestamp("us", kind.tz)
    else:
        coarse = pa.duration("us") if pa.types.is_duration(kind) else pa.time64("us")
    try:
        return array.cast(coarse)
    except pa.ArrowInvalid:  # casting would lose nanoseconds
        if pa.types.is_duration(kind):
            return pa.array(map(_nanoseconds, array.cast(pa.int64()).to_pylist()), pa.string())
        texts = array.cast(pa.string()).to_pylist()
        return pa.array([text and text.replace(" ", "T") for text in texts], pa.string())


def _nanoseconds(value: int | None) -> str | None:
    """A duration by ISO 8601."""
    if value is None:
        return None
    seconds, nanoseconds = divmod(abs(value), 10**9)
    return f"{'-' if value < 0 else ''}PT{seconds}.{nanoseconds:09d}S"


def _storage(kind: Any) -> Any:
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return _storage(kind.storage_type)
    return _storage(kind.value_type) if pa.types.is_dictionary(kind) else kind
