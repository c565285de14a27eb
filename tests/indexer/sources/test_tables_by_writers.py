"""Tables by the writers that people use: read back equal, whatever is in the cells."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from indexer.core.delimited import Quoting
from indexer.core.records import Item
from indexer.sources import TableOptions, open_sources

# No lone "\r": Python's csv and pandas write it without quotation marks where lines end in "\n".
TITLES = st.text(alphabet="ab1,;|'\" \n\t\\é\U0001f45f", min_size=1, max_size=12)
CODES = st.sampled_from(["007", "38", "S", "4006381333931", "1.5", ""])
PRICES = st.one_of(st.integers(0, 10**6), st.floats(0.001, 10**6).map(lambda x: round(x, 3)))

ROWS = st.lists(st.tuples(TITLES, CODES, PRICES, st.booleans()), min_size=1, max_size=6)

Rows = list[dict[str, Any]]


def table(cells: list[tuple[Any, ...]]) -> Rows:
    """Rows with ids and pictures; a price and a truth value in each."""
    return [
        {"id": f"i{n}", "image": f"pics/{n}.jpg", "title": t, "code": c, "price": p, "new": b}
        for n, (t, c, p, b) in enumerate(cells)
    ]


def python_csv(rows: Rows, path: Path, quoting: int, delimiter: str) -> None:
    """By the csv module, with one of its quotings."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        escape = {"escapechar": "\\"} if quoting == csv.QUOTE_NONE else {}
        writer = csv.DictWriter(
            stream, list(rows[0]), quoting=quoting, delimiter=delimiter, **escape
        )  # type: ignore[arg-type]
        writer.writeheader()
        writer.writerows(rows)


def check(rows: Rows, path: Path, **options: Any) -> None:
    """All rows are items with the titles, codes and prices that were written."""
    items = list(open_sources([str(path)], TableOptions(**options)))
    assert [item.item_id for item in items if isinstance(item, Item)] == [r["id"] for r in rows]
    texts = any(not isinstance(code, str) for code in (r["code"] for r in rows))
    assert not texts
    for item, row in zip(items, rows, strict=True):
        assert isinstance(item, Item)
        assert item.title == row["title"]
        assert item.source.endswith(row["image"])
        assert item.metadata["price"] == pytest.approx(row["price"], rel=1e-9)
        assert item.metadata["new"] is row["new"]
        code = item.metadata.get("code", "")
        assert (str(code) == row["code"]) or float(code) == float(row["code"])
    assert (
        len(
            {
                type(item.metadata.get("code", ""))
                for item in items
                if item.metadata.get("code") is not None
                and not isinstance(item.metadata["code"], int | float)
            }
        )
        <= 1
    )


# The second line of the title has as many tabs as a record, and its first is less than one.
HALF_A_RECORD = [("a\n\t\t", "38", 0, False)]


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    cells=ROWS,
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    delimiter=st.sampled_from(",;|\t"),
)
@example(cells=HALF_A_RECORD, quoting=csv.QUOTE_MINIMAL, delimiter="\t")
@example(cells=HALF_A_RECORD, quoting=csv.QUOTE_ALL, delimiter="\t")
def test_python(cells: list[tuple[Any, ...]], quoting: int, delimiter: str) -> None:
    """The csv module, any quoting, any separator; the separator is found."""
    rows = table(cells)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        python_csv(rows, path, quoting, delimiter)
        check(rows, path)


@settings(max_examples=30)
@given(cells=ROWS)
def test_python_with_backslashes(cells: list[tuple[Any, ...]]) -> None:
    """The csv module without quotation marks, as said."""
    rows = table(cells)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        python_csv(rows, path, csv.QUOTE_NONE, ",")
        check(rows, path, quoting=Quoting.BACKSLASH, delimiter=",")


@settings(max_examples=25)
@given(cells=ROWS, kind=st.sampled_from(["csv", "tsv", "csv.gz", "csv.zst", "jsonl", "parquet"]))
def test_pandas(cells: list[tuple[Any, ...]], kind: str) -> None:
    """Data frames of pandas."""
    rows = table(cells)
    frame = pd.DataFrame(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t.{kind}"
        if kind == "jsonl":
            frame.to_json(path, orient="records", lines=True)
        elif kind == "parquet":
            frame.to_parquet(path)
        elif kind == "csv.zst":
            frame.to_csv(plain := Path(folder) / "plain", index=False)
            duckdb.sql(
                f"copy (select content from read_text('{plain}')) to '{path}' "
                "(format csv, compression zstd, header false, quote '', escape '', delim '\x01')"
            )
        else:
            frame.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
        check(rows, path)


@settings(max_examples=25)
@given(cells=ROWS, kind=st.sampled_from(["csv", "tsv", "ndjson", "parquet"]))
def test_polars(cells: list[tuple[Any, ...]], kind: str) -> None:
    """Data frames of polars."""
    rows = table(cells)
    frame = pl.DataFrame(rows, strict=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t.{kind}"
        if kind == "ndjson":
            frame.write_ndjson(path)
        elif kind == "parquet":
            frame.write_parquet(path)
        else:
            frame.write_csv(path, separator="\t" if kind == "tsv" else ",")
        check(rows, path)


@settings(max_examples=20)
@given(cells=ROWS, kind=st.sampled_from(["csv", "tsv", "jsonl", "parquet"]))
def test_duckdb(cells: list[tuple[Any, ...]], kind: str) -> None:
    """DuckDB's COPY."""
    rows = table(cells)
    frame = pd.DataFrame(rows)
    form = {"csv": "csv, header", "tsv": "csv, header, delim '\t'", "jsonl": "json"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t.{kind}"
        connection = duckdb.connect()
        connection.register("frame", frame)
        connection.execute(f"copy frame to '{path}' (format {form.get(kind, kind)})")
        connection.close()
        check(rows, path)


@settings(max_examples=20)
@given(cells=ROWS)
def test_openpyxl(cells: list[tuple[Any, ...]]) -> None:
    """A workbook; its texts are texts and its numbers numbers."""
    rows = table(cells)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.xlsx"
        workbook = openpyxl.Workbook()
        sheet = workbook.active
        assert sheet is not None
        for row in [list(rows[0]), *(list(row.values()) for row in rows)]:
            sheet.append(row)
        workbook.save(path)
        check(rows, path)
