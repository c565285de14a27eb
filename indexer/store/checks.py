"""Checks of rows before they are written: Milvus Lite accepts bad ones in silence; pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from indexer.core.errors import StoreError
from indexer.core.records import FloatArray
from indexer.core.vectors import problems, unit_rows

Row = Mapping[str, Any]

MAX_BATCH_BYTES = 32 * 1024 * 1024
"""Half of what a server takes in one message (64 MB)."""


def stack(
    vectors: Sequence[FloatArray], names: Sequence[str], width: int, *, unit: bool = True
) -> FloatArray:
    """Vectors as one block, each finite, of length 1 and of the collection's width.

    Two rows of widths d-1 and d+1 in one insert end a 2.3 server; NaN and zero vectors
    are stored by Milvus Lite and spoil every search.

    Args:
        vectors: float32 (d,) each.
        names: of the items or labels, for messages: "item 'a.jpg'".
        width: the d that the collection has.
        unit: whether they must be of length 1; a label with its bias need not.

    Returns:
        float32 (n, d).

    Raises:
        StoreError: a vector is not; the message names the first.
    """
    for vector, name in zip(vectors, names, strict=True):
        if np.shape(vector) != (width,):
            raise StoreError(
                f"{name}: its vector has shape {np.shape(vector)}, the catalog's have ({width},); "
                "embed it with the catalog's model"
            )
    block = np.asarray(vectors, dtype=np.float32).reshape(len(vectors), width)
    faults = problems(block, width)
    row_valid = unit_rows(block) if unit else np.ones(len(block), dtype=bool)
    for row, is_valid in enumerate(row_valid):
        if row in faults or not is_valid:
            cause = faults.get(
                row, f"length {np.linalg.norm(block[row].astype(np.float64)):.4g}, not 1"
            )
            raise StoreError(f"{names[row]}: bad vector: {cause}; it must be normalised before")
    return block


def check_unique(identifiers: Sequence[str], kind: str) -> None:
    """Raise ``StoreError`` if an id repeats: which row would stay is undefined."""
    counts = Counter(identifiers)
    if len(counts) < len(identifiers):
        repeated = next(name for name, count in counts.items() if count > 1)
        raise StoreError(
            f"{kind} {repeated!r} occurs {counts[repeated]} times in one batch; give each id once"
        )


def check_bytes(name: str, field: str, value: str, limit: int) -> str:
    """The value, if it fits its field; servers count bytes, Milvus Lite characters.

    Raises:
        StoreError: it is too long, or has a lone surrogate, which UTF-8 can't hold.
    """
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise StoreError(
            f"{name}: its {field} is not valid text ({error.reason}); correct it in the source"
        ) from error
    if size > limit:
        raise StoreError(
            f"{name}: its {field} has {size} bytes, the limit is {limit}; shorten it in the source"
        )
    return value


def check_json(name: str, field: str, text: str, limit: int) -> str:
    """The text, if it is a JSON object that Milvus takes.

    Raises:
        StoreError: it is too long, not an object, or has NaN, Infinity or a lone surrogate.
    """
    check_bytes(name, field, text, limit)
    try:
        value = json.loads(text, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"{name}: its {field} is not valid JSON: {error}; correct it in the source"
        ) from error
    if not isinstance(value, dict):
        raise StoreError(f"{name}: its {field} is not a JSON object; correct it in the source")
    return text


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON value")


def cut(text: str, limit: int) -> str:
    """The text's first ``limit`` bytes in UTF-8, cut on a character's border."""
    encoded = text.encode(errors="replace")
    return text if len(encoded) <= limit else encoded[:limit].decode(errors="ignore")


def batches(rows: Sequence[Row], max_rows: int) -> Iterator[list[Row]]:
    """Rows in order, in lists of at most ``max_rows`` and about ``MAX_BATCH_BYTES``."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        row_bytes = _row_bytes(row)
        if batch and (len(batch) >= max_rows or size + row_bytes > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += row_bytes
    if batch:
        yield batch


def _row_bytes(row: Row) -> int:
    """An upper bound of a row's size on the wire; 4 bytes are the longest character."""
    return sum(
        value.nbytes if isinstance(value, np.ndarray) else 4 * len(value)
        for value in row.values()
        if isinstance(value, np.ndarray | str)
    )
