"""Files of labelled items: what several rows of one item do."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import pytest

from queries.teaching.labelled import _read_file


def test_the_last_row_of_an_item_counts_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Repeated rows are counted, and items that contradict themselves are named."""
    file = tmp_path / "labelled.csv"
    file.write_text("item_id,label_id\ni1,mug\ni2,bowl\ni1,mug\ni2,mug\ni3,mug\n")
    with caplog.at_level(logging.WARNING):
        assert _read_file(file) == {"i1": "mug", "i2": "mug", "i3": "mug"}
    (told,) = [record.getMessage() for record in caplog.records]
    assert told == (
        f"{file}: the last row of an item counts. Rows that a later one replaces: 2. Items whose "
        "rows have different labels: 1, such as 'i2'."
    )


def test_rows_cut_short(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A row without its later cells is one without a label, or without an item."""
    file = tmp_path / "labelled.csv"
    file.write_text("label_id,item_id\nmug,i1\nbowl\n")
    with caplog.at_level(logging.WARNING):
        assert _read_file(file) == {"i1": "mug", "": "bowl"}
    assert not caplog.records


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_of_spreadsheets(tmp_path: Path, delimiter: str) -> None:
    """As they are saved in different countries, with the mark of UTF-8 at the start."""
    file = tmp_path / "labelled.csv"
    rows = [["item_id", "label_id"], ["i,1", "mug"], ["i;2", "bowl"]]
    with file.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream, delimiter=delimiter).writerows(rows)
    assert _read_file(file) == {"i,1": "mug", "i;2": "bowl"}
