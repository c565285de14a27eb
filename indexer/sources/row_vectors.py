"""Vectors in the rows of a table or in ``.npy`` files, by their addresses."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from indexer.core import vectors
from indexer.core.errors import ItemError, SourceError
from indexer.core.reasons import Reason
from indexer.core.records import FloatArray
from indexer.sources import formats, npy
from indexer.sources.embedded import row_picture


def numbers_in(cell: Any) -> list[Any] | None:
    """A cell's list, also as JSON text in CSV; None for other cells."""
    if isinstance(cell, str) and cell.lstrip()[:1] == "[":
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return None
    return cell if isinstance(cell, list) else None


def vector_of(cell: Any, width: int) -> tuple[FloatArray, str]:
    """A cell as float32 (d,), not normalised, and why it can't be stored, or nothing."""
    numbers = numbers_in(cell)
    try:
        with np.errstate(over="ignore"):
            vector: FloatArray = np.asarray(numbers, dtype=np.float32)
    except (ValueError, TypeError):
        vector = np.empty(0, dtype=np.float32)
    if vector.ndim != 1 or numbers is None or not numbers:
        return vector, "no list of numbers lies there"
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
        number, cell = next(
            (numbered_cell for numbered_cell in cells if numbered_cell[0] >= place.row), (0, None)
        )
    except SourceError as error:
        raise ItemError(Reason.MISSING, str(error)) from error
    if number != place.row:
        raise ItemError(Reason.MISSING, f"{source}: no such row; ingest {place.table} again")
    vector, problem = vector_of(cell, len(numbers_in(cell) or ()))
    if problem:
        raise ItemError(Reason.BAD_VECTOR, f"{source}: {problem}; embed the item again")
    return vector
