"""Vectors on disk while a job needs them, in a file without a name: none is left after a kill."""

from __future__ import annotations

import mmap
import os
import tempfile
from pathlib import Path

import numpy as np

from indexer.core.durable import naming
from indexer.core.records import FloatArray


class ScratchVectors:
    """Vectors in a file that goes with the last array of them.

    Args:
        folder: on a disk with room for all of them.
        count: of the vectors, n.
        width: their dimension, d.

    Raises:
        OSError: the disk has too little room; nothing was written.
    """

    def __init__(self, folder: Path, *, count: int, width: int) -> None:
        self.vectors: FloatArray = np.empty((0, width), dtype=np.float32)
        """float32 (n, d): read and written in place."""
        self._map: mmap.mmap | None = None
        size = 4 * count * width
        if size:
            with naming(folder), tempfile.TemporaryFile(dir=folder) as file:
                _reserve(file.fileno(), size)
                self._map = mmap.mmap(file.fileno(), size)  # keeps the file open
            flat: FloatArray = np.frombuffer(self._map, np.float32)
            self.vectors = flat.reshape(count, width)

    def release(self) -> None:
        """Give back the memory of what was read: the system still has it, and takes it if needed.

        Arrays that were taken out of ``vectors`` stay valid.
        """
        if self._map is not None:
            self._map.madvise(mmap.MADV_DONTNEED)


def _reserve(file: int, size: int) -> None:
    """Make room: where a file has holes, a full disk ends the process when one is written to."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:  # macOS
        os.ftruncate(file, size)
