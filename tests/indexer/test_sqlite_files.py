"""Files that a catalog can do without are begun again where they are damaged, and only there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from indexer.catalog.measured_colours import MeasuredColours
from indexer.catalog.origins import Origins
from indexer.catalog.text_index import TextIndex
from indexer.core import sqlite_files
from indexer.core.errors import CatalogError
from indexer.sources.downloads import Downloads

FILES: dict[str, Callable[[Path], Any]] = {
    "origins": Origins,
    "downloads": lambda path: Downloads(path, ["shop.csv"]),
    "texts": TextIndex,
    "colours": MeasuredColours,
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_another_process_holds_is_not_thrown_away(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locked, without permission or on a full disk it is whole, and what it holds is needed."""
    make, path = FILES[name], tmp_path / f"{name}.sqlite"
    make(path).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("CREATE TABLE mark (number)")
    holder.execute("INSERT INTO mark VALUES (7)")
    monkeypatch.setattr(sqlite_files, "BUSY_TIMEOUT_S", 0.1)
    with pytest.raises(CatalogError, match=r"can't be opened: database is locked\. Check"):
        make(path)
    assert holder.execute("SELECT number FROM mark").fetchone() == (7,)
    holder.close()
    make(path).close()
    with sqlite3.connect(path) as reader:
        assert reader.execute("SELECT number FROM mark").fetchone() == (7,)
    reader.close()


@pytest.mark.parametrize("name", ["origins", "downloads", "texts"])
def test_a_damaged_file_is_told_and_begun_again(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With what that costs."""
    make, path = FILES[name], tmp_path / f"{name}.sqlite"
    path.write_bytes(b"no database at all, and long enough to be looked at" * 100)
    make(path).close()
    assert f"{str(path)!r} is damaged (file is not a database): " in caplog.text
    make(path).close()
