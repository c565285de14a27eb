"""Vectors of a ``.npy`` file, read block by block: local files and fsspec addresses alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from indexer.core import vectors
from indexer.core.errors import ItemError, SourceError
from indexer.core.reasons import Reason
from indexer.core.records import FloatArray
from indexer.sources import addresses

# Rows of a mapped file that are checked and copied at once.
_BLOCK_ROWS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorFile:
    """A matrix on disk; it is read block by block.

    Attributes:
        address: path or fsspec address.
        rows: number of vectors.
        width: their dimension.
        dtype: as stored: float16, float32 or float64.
        start: byte at which the first row begins.
    """

    address: str
    rows: int
    width: int
    dtype: np.dtype[Any]
    start: int

    def iterate(self) -> Iterator[tuple[FloatArray, str]]:
        """Each row as float32 (d,), not normalised, and why it can't be stored, or nothing."""
        with self._opened() as file:
            for start in range(0, self.rows, _BLOCK_ROWS):
                block = self._block(file, min(_BLOCK_ROWS, self.rows - start))
                problems = vectors.problems(block, self.width)
                for row, vector in enumerate(block):
                    yield vector, problems.get(row, "")

    def row(self, position: int) -> FloatArray:
        """One row as float32 (d,); ``position`` from 0, in range."""
        with self._opened() as file:
            file.seek(self.start + position * self.width * self.dtype.itemsize)
            row: FloatArray = self._block(file, 1)[0]
            return row

    def problem(self, vector: FloatArray) -> str:
        """Why a vector can't be stored; empty where it can."""
        return vectors.problems(vector[np.newaxis], self.width).get(0, "")

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        with addresses.open_binary(self.address) as file:
            file.seek(self.start)
            yield file

    def _block(self, file: IO[bytes], rows: int) -> FloatArray:
        content = file.read(rows * self.width * self.dtype.itemsize)
        stored: npt.NDArray[np.floating] = np.frombuffer(content, self.dtype)
        # A float64 beyond float32 becomes infinite here and is found by the check.
        with np.errstate(over="ignore"):
            return stored.reshape(rows, self.width).astype(np.float32)


def open_vectors(address: str, width: int | None = None) -> VectorFile:
    """Read the header of a ``.npy`` file.

    Args:
        address: path or fsspec address.
        width: the dimension that is expected; None takes any.

    Raises:
        SourceError: not a ``.npy`` file, not a matrix of floats, cut short, wrong width.
    """
    with addresses.open_binary(address) as file:
        shape, fortran_order, dtype = _header(file, address)
        start = file.tell()
        available = file.seek(0, 2) - start
    if len(shape) != 2 or dtype.kind != "f" or dtype.itemsize > 8:
        raise SourceError(
            f"{address}: holds {dtype} of shape {shape}; needed are float16, float32 or "
            "float64 of shape (rows, width)"
        )
    if fortran_order and min(shape) > 1:
        raise SourceError(
            f"{address}: is stored by columns; save it with "
            "numpy.save(file, numpy.ascontiguousarray(vectors))"
        )
    needed = shape[0] * shape[1] * dtype.itemsize
    if available < needed:
        raise SourceError(
            f"{address}: is cut short: {available:,} of {needed:,} bytes; write it again"
        )
    if width is not None and shape[1] != width:
        raise SourceError(
            f"{address}: its vectors have width {shape[1]}, the catalog has {width}; "
            "use the model that made the catalog, or another --catalog"
        )
    return VectorFile(address=address, rows=shape[0], width=shape[1], dtype=dtype, start=start)


def read_vector(source: str) -> FloatArray:
    """The vector that ``FILE.npy#ROW`` names: float32 (d,), not normalised.

    Raises:
        ItemError: MISSING: no such file or row. BAD_VECTOR: not finite, or all zero.
    """
    address, _, number = source.rpartition("#")
    try:
        file = open_vectors(address)
    except SourceError as error:
        raise ItemError(Reason.MISSING, str(error)) from error
    if not number.isdecimal() or int(number) >= file.rows:
        raise ItemError(Reason.MISSING, f"{source}: no such row, there are {file.rows:,}")
    vector = file.row(int(number))
    problem = file.problem(vector)
    if problem:
        raise ItemError(Reason.BAD_VECTOR, f"{source}: {problem}; embed the item again")
    return vector


def _header(file: IO[bytes], address: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(file)
        return np.lib.format.read_array_header_2_0(file)
    except (ValueError, EOFError) as error:
        raise SourceError(f"{address}: not a .npy file ({error}); use numpy.save") from error
