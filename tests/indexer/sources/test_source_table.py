"""Tables: columns, values, ids, formats."""

from __future__ import annotations

import gzip
import json
import math
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.records import Failure, Item, Kind
from indexer.sources import TableOptions, open_sources
from indexer.sources.text_columns import TextColumn, text_converter

TEXTS = TableOptions(image_column="none")


def read(path: Path, options: TableOptions | None = None) -> list[Item | Failure]:
    """Everything in one table."""
    return list(open_sources([str(path)], options))


def csv_of(folder: Path, *lines: str, name: str = "t.csv") -> Path:
    """A CSV file of lines."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def write(folder: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    """The same rows in each format."""
    path = folder / f"t.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path
    mark = "\t" if kind.startswith("tsv") else ","
    lines = [mark.join(rows[0]), *(mark.join(map(str, row.values())) for row in rows)]
    if kind.startswith("jsonl"):
        lines = [json.dumps(row) for row in rows]
    content = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(content) if kind.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet", "csv.gz", "tsv.gz", "jsonl.gz"])
def test_formats(tmp_path: Path, kind: str) -> None:
    """Every format gives the same items."""
    row = {"id": "1", "image": "a/1.jpg", "title": "Shoe", "price": 9.5, "year": 2010, "new": True}
    items = read(write(tmp_path, kind, [row, {**row, "id": "2"}]))
    assert items[0] == Item(
        item_id="1",
        kind=Kind.PICTURE,
        source=f"{tmp_path}/a/1.jpg",
        title="Shoe",
        metadata={"price": 9.5, "year": 2010, "new": True},
    )
    assert [item.item_id for item in items if isinstance(item, Item)] == ["1", "2"]


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("/abs/1.jpg", "/abs/1.jpg"),
        ("https://x.org/1.jpg?w=5", "https://x.org/1.jpg?w=5"),
        ("s3://bucket/1.jpg", "s3://bucket/1.jpg"),
    ],
)
def test_images_elsewhere(tmp_path: Path, value: str, source: str) -> None:
    """Absolute paths and addresses are kept as they are."""
    (item,) = read(csv_of(tmp_path, "id,image", f"1,{value}"))
    assert isinstance(item, Item)
    assert item.source == source


def test_texts(tmp_path: Path) -> None:
    """Without pictures the title is the content, and the row the source."""
    (item,) = read(csv_of(tmp_path, "id,title,image", "1,Red shoe,x.jpg"), TEXTS)
    assert isinstance(item, Item)
    assert (item.kind, item.title, item.source) == (Kind.TEXT, "Red shoe", f"{tmp_path}/t.csv#2")
    assert item.metadata == {"image": "x.jpg"}


def test_table_without_ids(tmp_path: Path) -> None:
    """``--id-column none`` names the rows by table and line."""
    options = TableOptions(id_column="none", image_column="none", text_column="text")
    items = read(csv_of(tmp_path, "text", '"two\nlines"', "next"), options)
    assert [item.item_id for item in items if isinstance(item, Item)] == ["t.csv#2", "t.csv#4"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("-3", -3),
        ("0", 0),
        ("19.90", 19.9),
        ("true", True),
        ("False", False),
        ("", None),
        ("007", "007"),
        ("-0", "-0"),
        ("+1", "+1"),
        ("1e5", "1e5"),
        ("1_000", "1_000"),
        ("nan", "nan"),
        ("1.", "1."),
        ("12345678901234567890", "12345678901234567890"),
        ("0.12345678901234567", "0.12345678901234567"),
        (" 7", " 7"),
        ("\u0667", "\u0667"),
    ],
)
def test_numbers_in_text_tables(text: str, value: object) -> None:
    """Plain numbers become JSON numbers; codes and what would lose digits stay text."""
    column = TextColumn("t.csv")
    column.add([2], [text])
    (kind,) = column.types() or [None]
    found = text_converter(kind, "c")(text)
    assert found == value
    assert type(found) is type(value)


@given(
    st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
def test_no_value_changes_its_meaning(value: float | str) -> None:
    """Whatever is written: read back it is equal as a number, or the same text."""
    column = TextColumn("t.csv")
    column.add([2], [str(value)])
    (kind,) = column.types() or [None]
    found = text_converter(kind, "c")(str(value))
    if isinstance(found, bool) or found is None:
        assert str(value).lower() in {"true", "false", "", "\\n", "null"}
    elif isinstance(found, str):
        assert found == str(value)
    else:
        assert Decimal(repr(found)) == Decimal(str(value))


def test_empty_values_are_left_out(tmp_path: Path) -> None:
    """An empty CSV value, a null and NaN are no metadata; NaN in a list is null."""
    path = tmp_path / "t.jsonl"
    path.write_text('{"id":1,"image":"a.jpg","a":null,"b":NaN,"c":[NaN,1],"d":""}\n')
    (item,) = read(path)
    assert isinstance(item, Item)
    assert item.metadata == {"c": [None, 1], "d": ""}


def test_parquet_types(tmp_path: Path) -> None:
    """Dates become text, decimals numbers, structures stay; ids of whole floats are whole."""
    row = {
        "id": 5.0,
        "image": "a.jpg",
        "day": date(2026, 1, 2),
        "tags": ["a"],
        "o": {"k": math.nan},
    }
    (item,) = read(write(tmp_path, "parquet", [row]))
    assert isinstance(item, Item)
    assert item.item_id == "5"
    assert item.metadata == {"day": "2026-01-02", "tags": ["a"], "o": {"k": None}}


def test_hostile_ids_are_kept(tmp_path: Path) -> None:
    """Quotes, backslashes, newlines, NUL, 4-byte characters and expressions are ids."""
    hostile = ["a'b\"c", "\\", "x\ny", "\0", "\U0001f45f", 'id in ["1"] or true', " "]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({"id": i, "image": "a.jpg"}) + "\n" for i in hostile))
    assert [item.item_id for item in read(path) if isinstance(item, Item)] == hostile


def test_byte_order_mark(tmp_path: Path) -> None:
    """What spreadsheets write before UTF-8 is not part of the first column's name."""
    path = tmp_path / "t.csv"
    path.write_text("id,image\n1,a.jpg\n", encoding="utf-8-sig")
    (item,) = read(path)
    assert item == Item(item_id="1", kind=Kind.PICTURE, source=f"{tmp_path}/a.jpg")


def test_count(tmp_path: Path) -> None:
    """Small tables are counted for the progress bar, bad rows included."""
    path = csv_of(tmp_path, "id,image", "1,a", "2", '3,"x\ny"')
    assert open_sources([str(path)]).count() == len(read(path)) == 3


def test_count_of_tables_elsewhere() -> None:
    """The pass that finds the types of a text table counts its rows; Parquet's footer says them."""
    files = fsspec.filesystem("memory")
    files.pipe("/table-source/t.csv", b"id,image\n1,a.jpg\n")
    with files.open("/table-source/t.parquet", "wb") as target:
        pq.write_table(pa.table({"id": ["1"], "image": ["a.jpg"]}), target)
    assert open_sources(["memory://table-source/t.csv"]).count() == 1
    assert open_sources(["memory://table-source/t.parquet"]).count() == 1


def test_images_beside_a_remote_table() -> None:
    """Relative images lie beside their table there too."""
    fsspec.filesystem("memory").pipe("/table-source/u.csv", b"id,image\n1,a.jpg\n")
    (item,) = open_sources(["memory://table-source/u.csv"])
    assert isinstance(item, Item)
    assert item.source == "memory://table-source/a.jpg"


def test_twice_the_same(tmp_path: Path) -> None:
    """A source can be iterated again and gives the same items."""
    source = open_sources([str(csv_of(tmp_path, "id,image", "1,a", "2,b"))])
    assert list(source) == list(source)


def test_real_table(data: Path) -> None:
    """The fashion table reads whole; its pictures are where the items say."""
    items = read(data / "fashion" / "products.csv")
    assert len(items) == 1000
    assert all(isinstance(item, Item) and Path(item.source).is_file() for item in items)
