"""Cells of CSV that a spreadsheet does not compute, and that read back as they were."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.cells import inert, restored
from queries.categorizing.tables import TableWriter
from queries.evaluation.result_table import _read_csv

HOSTILE = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "'=1", "''-1", "a=1", "", "'a", "-")


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_cells_are_texts(text: str) -> None:
    """A spreadsheet takes what begins with an apostrophe as a text; all read back."""
    assert inert(text)[:1] not in {"=", "+", "-", "@", "\t", "\r"}
    assert restored(inert(text)) == text


@given(st.text(alphabet="'=+-@\t\ra "))
def test_every_text_reads_back(text: str) -> None:
    """Also one that has an apostrophe of its own."""
    assert restored(inert(text)) == text


def test_tables_are_inert_unless_asked_for_raw(tmp_path: Path) -> None:
    """Plain texts and dictionaries alike; what evaluate reads is what was written."""
    texts = [one for one in HOSTILE if "\t" not in one]
    table = pa.table(
        {"item_id": texts, "label": pa.array(texts).dictionary_encode(), "n": range(len(texts))}
    )
    for raw in (False, True):
        path = tmp_path / f"{raw}.csv"
        with TableWriter(path, csv_raw=raw) as writer:
            writer.write(table)
        first = path.read_text().splitlines()[1]
        assert first == ('"=1+1","=1+1",0' if raw else '"\'=1+1","\'=1+1",0')
    assert _read_csv(tmp_path / "False.csv").column("item_id").to_pylist() == texts
