"""The colours that were measured of pictures, by the hash of their content.

All generations of a catalog share the file, and a changed model measures nothing again. Losing it
loses no item: ``zeroshelf labels pixels`` measures again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from indexer.core.errors import CatalogError
from indexer.core.records import FloatArray
from indexer.core.sqlite_files import connect, select_in, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS colours (
    content_hash TEXT PRIMARY KEY, cells BLOB NOT NULL) WITHOUT ROWID;
"""


class MeasuredColours:
    """The measured colours of one catalog's pictures; a context manager.

    Args:
        path: the SQLite file; made when it is not there.

    Raises:
        CatalogError: the file is damaged, or can't be opened.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = connect(path, _SCHEMA, table="colours")
        except sqlite3.OperationalError as error:
            raise CatalogError(
                f"the measured colours {str(path)!r} can't be opened: {error}. Check the folder's "
                "permissions and free space."
            ) from error
        except sqlite3.DatabaseError as error:
            raise CatalogError(
                f"{str(path)!r} is damaged ({error}). Delete it, and measure again: zeroshelf "
                "labels pixels --set NAME"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    def add(self, measured: Iterable[tuple[str, FloatArray]]) -> None:
        """Store colours by content hash; float32 (k,) each."""
        rows = [(name, np.asarray(cells, np.float16).tobytes()) for name, cells in measured]
        with transaction(self._connection):
            self._connection.executemany("INSERT OR REPLACE INTO colours VALUES (?, ?)", rows)

    def find(self, hashes: Sequence[str]) -> dict[str, FloatArray]:
        """Colours by content hash, float32 (k,); hashes that were not measured are left out."""
        query, names = "SELECT content_hash, cells FROM colours", list(dict.fromkeys(hashes))
        return {
            name: np.frombuffer(cells, np.float16).astype(np.float32)
            for name, cells in select_in(self._connection, query, "content_hash", names)
        }
