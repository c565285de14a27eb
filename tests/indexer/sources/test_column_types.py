"""One type for each column: found, said, remembered."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import tarfile
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.core.column_types import ColumnType
from indexer.core.errors import SourceError
from indexer.core.reasons import Reason
from indexer.core.records import Failure, Item
from indexer.sources import TableOptions, open_sources, read_vector
from indexer.sources.columns import text_form
from indexer.sources.text_columns import TextColumn, text_converter


def csv_of(folder: Path, *lines: str, name: str = "t.csv") -> Path:
    """A CSV file of lines."""
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def metadata(*paths: Path, **options: Any) -> list[dict[str, Any]]:
    """The metadata of all items; there are no failures."""
    items = list(open_sources(list(map(str, paths)), TableOptions(**options)))
    assert all(isinstance(item, Item) for item in items), items
    return [dict(item.metadata) for item in items if isinstance(item, Item)]


def test_text_where_any_value_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A size beside a letter is text, with the digits that it has; a mixture is told."""
    path = csv_of(tmp_path, "id,image,size,gtin", "1,a,38,7", "2,b,S,007", "3,c,38.0,", "4,d,,12")
    with caplog.at_level(logging.WARNING):
        found = metadata(path)
    assert found == [
        {"size": "38", "gtin": "7"},
        {"size": "S", "gtin": "007"},
        {"size": "38.0"},
        {"gtin": "12"},
    ]
    assert "t.csv#3 says 'S'" in caplog.text
    assert "--column-type size:number" in caplog.text


def test_types_hold_for_all_tables(tmp_path: Path) -> None:
    """A column that is text in one table is text in those beside it, whatever their format."""
    one = csv_of(tmp_path, "id,image,code", "1,a,7")
    two = tmp_path / "t.jsonl"
    two.write_text('{"id":2,"image":"a","code":8.5}\n{"id":3,"image":"a","code":true}\n')
    three = tmp_path / "t.parquet"
    pq.write_table(pa.table({"id": ["4"], "image": ["a"], "code": ["x"]}), three)
    codes = [row["code"] for row in metadata(one, two, three)]
    assert codes == ["7", "8.5", "true", "x"]


def test_what_the_user_says(tmp_path: Path) -> None:
    """A type that is said comes first; a value that is not of it is a dead letter."""
    path = csv_of(tmp_path, "id,image,gtin,price", "1,a,4006,9", "2,b,4007,n/a")
    said = {"gtin": ColumnType.TEXT, "price": ColumnType.NUMBER}
    item, dead = open_sources([str(path)], TableOptions(column_types=said))
    assert isinstance(item, Item)
    assert item.metadata == {"gtin": "4006", "price": 9}
    assert isinstance(dead, Failure)
    assert dead.reason is Reason.BAD_METADATA
    assert "t.csv#3: the column 'price' is of the type number, and 'n/a' is not" in dead.message


@pytest.mark.parametrize(
    ("kept", "value", "fits"),
    [
        ("number", "7", True),
        ("number", "007", False),
        ("text", "7", True),
        ("boolean", "true", True),
        ("boolean", "1", False),
        ("json", "x", True),
    ],
)
def test_next_week(tmp_path: Path, *, kept: str, value: str, fits: bool) -> None:
    """The catalog's type stays; a value that does not fit is an error with column, row, value."""
    path = csv_of(tmp_path, "id,image,code", "1,a,", f"2,b,{value}")
    known = {"code": ColumnType(kept)}
    if fits:
        assert str(metadata(path, known_types=known)[1]["code"]).lower() == value
        return
    with pytest.raises(SourceError, match=f"'code' is of the type {kept} .*t.csv#3 says '{value}'"):
        open_sources([str(path)], TableOptions(known_types=known))
    said = metadata(path, known_types=known, column_types={"code": ColumnType.TEXT})
    assert said[1] == {"code": value}


def test_lists_are_no_text(tmp_path: Path) -> None:
    """A column with a list has values as they are; one that was text can't become one."""
    path = tmp_path / "t.jsonl"
    path.write_text('{"id":1,"image":"a","tags":["x"]}\n{"id":2,"image":"a","tags":"y"}\n')
    assert [row["tags"] for row in metadata(path)] == [["x"], "y"]
    with pytest.raises(SourceError, match="'tags' is of the type text in the catalog"):
        open_sources([str(path)], TableOptions(known_types={"tags": ColumnType.TEXT}))


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "1e999", "[1, Infinity]"])
def test_infinity(tmp_path: Path, value: str) -> None:
    """Infinity is a dead letter with the option that leaves the column out; NaN is no value."""
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"id":1,"image":"a","price":{value},"w":NaN}}\n')
    (dead,) = open_sources([str(path)])
    assert isinstance(dead, Failure)
    assert "'price' holds" in dead.message
    assert "--exclude-columns price" in dead.message
    assert metadata(path, exclude_columns=("price",)) == [{}]


def test_a_key_twice(tmp_path: Path) -> None:
    """Of two values under one key, one would vanish."""
    path = tmp_path / "t.jsonl"
    path.write_text('{"id":0,"image":"a"}\n{"id":1,"image":"a","p":1,"p":2}\n')
    _, dead = open_sources([str(path)])
    assert isinstance(dead, Failure)
    assert "the key 'p' is there twice" in dead.message


def test_columns_twice(tmp_path: Path) -> None:
    """Two columns of one name are an error, unless both are left out."""
    columns = [pa.array(["1"]), pa.array(["a"]), pa.array([1]), pa.array([2])]
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_arrays(columns, names=["id", "image", "price", "price"]), path)
    with pytest.raises(SourceError, match=r"several columns called price.*--exclude-columns price"):
        open_sources([str(path)])
    assert metadata(path, exclude_columns=("price",)) == [{}]


def test_columns_that_are_chosen(tmp_path: Path) -> None:
    """``--columns`` and ``--exclude-columns``; a name that is not there is an error."""
    path = csv_of(tmp_path, "id,image,a,b,c", "1,x,1,2,3")
    assert metadata(path, columns=("a", "c")) == [{"a": 1, "c": 3}]
    assert metadata(path, exclude_columns=("a",)) == [{"b": 2, "c": 3}]
    for option in ("columns", "exclude_columns"):
        with pytest.raises(SourceError, match="names 'd'; the columns of what is read are 'a'"):
            open_sources([str(path)], TableOptions(**{option: ("d",)}))


def test_text_forms(tmp_path: Path) -> None:
    """UUIDs, decimals, dates and durations have a text form; long decimals keep their digits."""
    one = uuid.UUID(int=7)
    table = pa.table(
        {
            "id": pa.array([Decimal("12.50")], pa.decimal128(10, 2)),
            "image": ["a"],
            "u": pa.array([one.bytes], pa.uuid()),
            "b": pa.array([one.bytes], pa.binary(16)),
            "d": pa.array([Decimal("1.5")], pa.decimal128(10, 2)),
            "long": pa.array([Decimal("123456789012345678.90")], pa.decimal128(30, 2)),
            "day": [dt.date(2026, 1, 2)],
            "took": pa.array([dt.timedelta(days=1, seconds=3661, microseconds=500_000)]),
            "ns": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")),
            "word": pa.array(["x"]).dictionary_encode(),
            "hash": pa.array([2**64 - 1], pa.uint64()),
        }
    )
    path = tmp_path / "t.parquet"
    pq.write_table(table, path)
    (item,) = open_sources([str(path)])
    assert isinstance(item, Item)
    assert item.item_id == "12.50"
    assert item.metadata == {
        "u": str(one),
        "b": str(one),
        "d": 1.5,
        "long": "123456789012345678.90",
        "day": "2026-01-02",
        "took": "P1DT1H1M1.5S",
        "ns": "2023-11-14T22:13:20.123456789",
        "word": "x",
        "hash": str(2**64 - 1),
    }


@pytest.mark.parametrize("kind", [pa.uuid(), pa.binary(16), pa.decimal128(10, 0)])
def test_ids(tmp_path: Path, kind: Any) -> None:
    """UUIDs and decimals are ids."""
    value = Decimal(7) if pa.types.is_decimal(kind) else uuid.UUID(int=7).bytes
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"id": pa.array([value], kind), "image": ["a"]}), path)
    (item,) = open_sources([str(path)])
    assert isinstance(item, Item)
    assert item.item_id == ("7" if isinstance(value, Decimal) else str(uuid.UUID(int=7)))


def test_wide_lists(tmp_path: Path) -> None:
    """A list of 512 numbers is a vector: an error that says how it is used, or left out."""
    for kind in (pa.list_(pa.float32()), pa.list_(pa.float32(), 512)):
        path = tmp_path / "t.parquet"
        rows = pa.array([[0.5] * 512], kind)
        pq.write_table(pa.table({"id": ["1"], "image": ["a"], "v": rows}), path)
        with pytest.raises(SourceError, match=r"--exclude-columns v, or use it: --vector-column v"):
            open_sources([str(path)])
        assert metadata(path, exclude_columns=("v",)) == [{}]


@pytest.mark.parametrize(
    ("lines", "values"),
    [
        (["19,90", "5"], [19.9, 5]),
        (["1.234,50", "7,5"], [1234.5, 7.5]),
        (["1,234", "2,500"], ["1,234", "2,500"]),
        (["19,90", "1.5"], ["19,90", "1.5"]),
        (["38,40", "S"], ["38,40", "S"]),
    ],
)
def test_decimal_commas(tmp_path: Path, lines: list[str], values: list[object]) -> None:
    """Beside semicolons a comma is a decimal one, where it can't be one of thousands."""
    rows = [f"{number};a;{line}" for number, line in enumerate(lines)]
    path = csv_of(tmp_path, "id;image;p", *rows)
    assert [row["p"] for row in metadata(path)] == values


def test_case_of_columns(tmp_path: Path) -> None:
    """A column that is named but for its case is taken."""
    path = csv_of(tmp_path, "ID,Image,Title,size", "1,a.jpg,Red shoe,38")
    (item,) = open_sources([str(path)])
    assert isinstance(item, Item)
    assert (item.item_id, item.title, item.metadata) == ("1", "Red shoe", {"size": 38})
    assert metadata(path, text_column="Size") == [{"Title": "Red shoe"}]


def test_floats_of_programs(tmp_path: Path) -> None:
    """Floats with all digits and with exponents are numbers; NaN among them is no value."""
    written = ["1.2753451286971085", "1e-05", "1.5e-7", "1e+20", "NaN", "3"]
    path = csv_of(tmp_path, "id,image,p", *(f"{n},a,{text}" for n, text in enumerate(written)))
    found = [row.get("p") for row in metadata(path)]
    assert found == [1.2753451286971085, 1e-05, 1.5e-7, 1e20, None, 3]
    path = csv_of(tmp_path, "id,image,p", "1,a,1.5", "2,a,inf")
    _, dead = open_sources([str(path)])
    assert isinstance(dead, Failure)
    assert "'p' holds inf" in dead.message


PLAIN = st.one_of(
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.booleans(),
    st.text(alphabet="01.,-aé ", max_size=6),
)


@given(st.lists(PLAIN, min_size=1, max_size=8))
def test_a_column_has_one_type(values: list[object]) -> None:
    """Whatever stands in a column: all of it becomes one type, and no digit is lost."""
    texts = [text_form(value) for value in values]
    column = TextColumn("t.csv")
    column.add(range(len(texts)), texts)
    kinds = set(column.types())
    kind = next(iter(kinds)) if len(kinds) == 1 else ColumnType.TEXT
    found = [text_converter(kind, "c")(text) for text in texts]
    seen = {
        bool if isinstance(one, bool) else str if isinstance(one, str) else float
        for one in found
        if one is not None
    }
    assert len(seen) <= 1
    for text, one in zip(texts, found, strict=True):
        if isinstance(one, int | float) and not isinstance(one, bool):
            assert Decimal(json.dumps(one)) == Decimal(text)
        else:
            assert (one if one is not None else "") == text or isinstance(one, bool)


def test_shards_go_by_what_is_known(tmp_path: Path, picture: bytes) -> None:
    """Metadata of shards is chosen as that of tables is, and has the types that are known."""
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w") as tar:
        for name, content in (("1.png", picture), ("1.json", b'{"code": 7, "html": "x"}')):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    known = {"code": ColumnType.TEXT}
    assert metadata(path, known_types=known, exclude_columns=("html",)) == [{"code": "7"}]
    (dead,) = open_sources([str(path)], TableOptions(known_types={"code": ColumnType.BOOLEAN}))
    assert isinstance(dead, Failure)
    assert "'code' is of the type boolean, and '7' is not" in dead.message


def test_whole_numbers_beyond_64_bits(tmp_path: Path) -> None:
    """They are text, and so is their column: a number would lose digits."""
    path = tmp_path / "t.jsonl"
    big = 2**70
    path.write_text(f'{{"id":1,"image":"a","n":{big}}}\n{{"id":2,"image":"a","n":7}}\n')
    assert metadata(path) == [{"n": str(big)}, {"n": "7"}]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "list", "fixed"])
def test_vectors_in_a_column(tmp_path: Path, kind: str) -> None:
    """Lists of numbers, also as JSON in CSV, are the items' vectors."""
    values = [[0.5, 0.25], [1.0, 0.0]]
    path = tmp_path / f"t.{kind if kind in ('csv', 'jsonl') else 'parquet'}"
    if kind == "csv":
        path.write_text("id,v\n" + "".join(f'{n},"{v}"\n' for n, v in enumerate(values)))
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"id": n, "v": v}) + "\n" for n, v in enumerate(values)))
    else:
        lists = pa.list_(pa.float32()) if kind == "list" else pa.list_(pa.float32(), 2)
        pq.write_table(pa.table({"id": ["0", "1"], "v": pa.array(values, lists)}), path)
    items = list(open_sources([str(path)], TableOptions(vector_column="v")))
    found = [
        item.vector.tolist() for item in items if isinstance(item, Item) and item.vector is not None
    ]
    assert found == values
    again = read_vector(items[1].source) if isinstance(items[1], Item) else None
    assert again is not None
    assert again.tolist() == values[1]


def test_null_of_a_database(tmp_path: Path) -> None:
    """``NULL`` is no value among numbers or truth values, and where nothing else is; else text."""
    lines = ["id,image,price,new,name,none", "1,a,NULL,null,NULL,NULL", "2,b,3,true,Jo,NULL"]
    assert metadata(csv_of(tmp_path, *lines)) == [
        {"name": "NULL"},
        {"price": 3, "new": True, "name": "Jo"},
    ]
    typed = TableOptions(column_types={"price": ColumnType.NUMBER})
    table = csv_of(tmp_path, "id,image,price", "1,a,NULL", name="week2.csv")
    (item,) = open_sources([str(table)], typed)
    assert isinstance(item, Item)
    assert not item.metadata
