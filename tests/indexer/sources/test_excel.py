"""Excel workbooks: what cells are, and what is told of them."""

from __future__ import annotations

import datetime as dt
import logging
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from indexer.core.errors import SourceError
from indexer.core.records import Failure, Item
from indexer.sources import open_sources


def workbook(path: Path, *rows: list[Any], more: tuple[str, ...] = ()) -> Path:
    """A file with rows in its first sheet and a cell in each further one."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    for title in more:
        book.create_sheet(title).append(["x"])
    for cell in sheet["C"]:
        if isinstance(cell.value, int):
            cell.number_format = "0000000"
    book.save(path)
    return path


def test_cells(tmp_path: Path) -> None:
    """Codes shown with zeros keep them, dates are dates, empty rows are none, lines count."""
    day, moment = dt.datetime(2026, 1, 2), dt.datetime(2026, 1, 2, 3, 4)  # noqa: DTZ001
    path = workbook(
        tmp_path / "t.xlsx",
        [],
        ["ID", "Image", "gtin", "price", "day", "moment", None],
        [1, "a.jpg", 42, 9.5, day, moment],
        [],
        [2.0, "b.jpg", None, 3, None, None],
        [3, "c.jpg", None, None, None, None, "stray"],
    )
    first, second, dead = open_sources([str(path)])
    assert isinstance(first, Item)
    assert first.item_id == "1"
    assert first.metadata["gtin"] == "0000042"
    assert (first.metadata["price"], first.metadata["moment"]) == (9.5, "2026-01-02T03:04:00")
    assert isinstance(second, Item)
    assert (second.item_id, second.metadata) == ("2", {"price": 3})
    assert isinstance(dead, Failure)
    assert "t.xlsx#6: has a value beyond the 6 columns of the header" in dead.message


def test_what_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Other sheets, and formulas that nobody has computed."""
    rows = [["id", "image", "n"], ["1", "a.jpg", "=1+1"]]
    path = workbook(tmp_path / "t.xlsx", *rows, more=("Prices",))
    with caplog.at_level(logging.WARNING):
        list(open_sources([str(path)]))
    assert "the sheet 'Sheet' is read, and these are not: 'Prices'" in caplog.text
    assert "1 cells, C2 the first, hold formulas without results" in caplog.text


def test_no_workbook(tmp_path: Path) -> None:
    """An empty one and one that is none are errors that name the file."""
    (tmp_path / "bad.xlsx").write_bytes(b"PK not a zip")
    for path, says in (
        (workbook(tmp_path / "empty.xlsx"), "is empty"),
        (tmp_path / "bad.xlsx", "not a readable Excel file"),
    ):
        with pytest.raises(SourceError, match=rf"{path.name}: {says}"):
            open_sources([str(path)])


def rewritten(path: Path, change: Callable[[bytes], bytes]) -> Path:
    """The file with its first sheet changed, as another program may have written it."""
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    parts[sheet] = change(parts[sheet])
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return path


@pytest.mark.parametrize("size", ["A1", "A1:B3", "A1:XFD1048576"])
def test_a_size_that_the_file_states_wrongly_cuts_nothing_off(tmp_path: Path, size: str) -> None:
    """Some programs state the size of an empty sheet."""
    rows = [[number, "a.jpg", f"mug {number}"] for number in range(5)]
    path = workbook(tmp_path / "t.xlsx", ["id", "image", "title"], *rows)
    stated = f'<dimension ref="{size}"'.encode()
    rewritten(path, lambda sheet: re.sub(rb'<dimension ref="[^"]*"', stated, sheet))
    items = list(open_sources([str(path)]))
    assert [item.title for item in items if isinstance(item, Item)] == [
        f"mug {number}" for number in range(5)
    ]


def test_a_sheet_that_is_cut_short_ends_in_a_dead_letter(tmp_path: Path) -> None:
    """What lies before is read; of a damaged header nothing is."""
    rows = [[number, "a.jpg"] for number in range(100)]
    path = workbook(tmp_path / "t.xlsx", ["id", "image"], *rows)
    *items, dead = open_sources([str(rewritten(path, lambda sheet: sheet[: len(sheet) // 2]))])
    assert items
    assert all(isinstance(item, Item) for item in items)
    assert isinstance(dead, Failure)
    assert "cut short or damaged" in dead.message
    with pytest.raises(SourceError, match=r"t.xlsx: not a readable Excel file"):
        open_sources([str(rewritten(path, lambda sheet: sheet[:300]))])


def test_a_hidden_sheet_is_not_the_table(tmp_path: Path) -> None:
    """Lists of drop-down cells often come first."""
    book = openpyxl.Workbook()
    lists = book.active
    assert lists is not None
    lists.append(["S"])
    lists.sheet_state = "hidden"
    products = book.create_sheet("Products")
    products.append(["id", "image"])
    products.append(["a", "a.jpg"])
    book.active = 1
    book.save(tmp_path / "t.xlsx")
    (item,) = open_sources([str(tmp_path / "t.xlsx")])
    assert isinstance(item, Item)
    assert item.item_id == "a"


def test_without_openpyxl(tmp_path: Path) -> None:
    """Without the extra, the message names it."""
    path = workbook(tmp_path / "t.xlsx", ["id", "image"], ["1", "a.jpg"])
    code = (
        "import sys; sys.modules['openpyxl'] = None\n"
        "from indexer.sources import open_sources\n"
        f"open_sources([{str(path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'zeroshelf[excel]'" in done.stderr
