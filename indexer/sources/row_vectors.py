"""Vectors that lie in the rows of a table, and those of ``.npy`` files, by their addresses."""

from __future__ import annotations

from typing import Any

import numpy as np

from indexer import vectors
from indexer.errors import ItemError, SourceError
from indexer.reasons import Reason
from indexer.records import FloatArray
from indexer.sources import formats, npy
from indexer.sources.embedded import row_picture


def vector_of(cell: Any, width: int) -> tuple[FloatArray, str]:
    """A cell as float32 (d,), not normalised, and why it can't be stored, or nothing."""
    try:
        with np.errstate(over="ignore"):
            vector: FloatArray = np.asarray(cell, dtype=np.float32)
    except (ValueError, TypeError):
        vector = np.empty(0, dtype=np.float32)
    if vector.ndim != 1 or not isinstance(cell, list):
        return vector, "is no list of numbers"
    return vector, vectors.problems(vector[np.newaxis], width).get(0, "")


def read_vector(source: str) -> FloatArray:
    """The vector that ``FILE.npy#ROW`` or ``TABLE#ROW&column=NAME`` names: float32 (d,).

    Raises:
        ItemError: MISSING: no such file or row. BAD_VECTOR: not finite, or all zero.
    """
    place = row_picture(source)
    if place is None or not place.column:
        return npy.read_vector(source)
    table = formats.open_table(place.table)
    try:
        cells = formats.cells(table, place.column, place.row) if table is not None else iter(())
        number, cell = next((one for one in cells if one[0] >= place.row), (0, None))
    except SourceError as error:
        raise ItemError(Reason.MISSING, str(error)) from error
    if number != place.row:
        raise ItemError(Reason.MISSING, f"{source}: no such row; ingest {place.table} again")
    vector, problem = vector_of(cell, len(cell) if isinstance(cell, list) else 0)
    if problem:
        raise ItemError(Reason.BAD_VECTOR, f"{source}: {problem}; embed the item again")
    return vector
