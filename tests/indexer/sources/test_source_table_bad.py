"""Tables: every way a row or a whole table can be bad."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexer.core.errors import SourceError
from indexer.core.reasons import Reason, Stage
from indexer.core.records import Failure, Item
from indexer.sources import TableOptions, open_sources

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


def one_bad(path: Path, options: TableOptions | None = None) -> Failure:
    """The failure among the items; there is just one."""
    (found,) = (item for item in read(path, options) if isinstance(item, Failure))
    assert found.stage == Stage.READ
    assert json.dumps(found.item.item_id, ensure_ascii=False).encode()
    return found


@pytest.mark.parametrize(
    ("row", "reason", "says"),
    [
        ({"id": None, "image": "a"}, Reason.BAD_ID, "no id in the column 'id'"),
        ({"image": "a"}, Reason.BAD_ID, "no id"),
        ({"id": "", "image": "a"}, Reason.BAD_ID, "no id"),
        ({"id": [1], "image": "a"}, Reason.BAD_ID, "must be text"),
        ({"id": True, "image": "a"}, Reason.BAD_ID, "must be text"),
        ({"id": "\u00e9" * 1025, "image": "a"}, Reason.BAD_ID, "2,050 bytes, the limit is 2,048"),
        ({"id": "\ud800", "image": "a"}, Reason.BAD_ID, "not valid Unicode"),
        ({"id": "1", "image": "a", "title": "\udfff"}, Reason.UNREADABLE, "not valid Unicode"),
        ({"id": "1", "image": "a", "title": ["x"]}, Reason.UNREADABLE, "holds a list"),
        ({"id": "1", "image": "a", "k": "\ud800"}, Reason.BAD_METADATA, "not valid Unicode"),
        ({"id": "1", "image": "a", "\ud800": 1}, Reason.BAD_METADATA, "not valid Unicode"),
        ({"id": "1", "image": "a", "k": "x" * 65536}, Reason.BAD_METADATA, "limit is 65,536"),
        ({"id": "1", "image": None}, Reason.MISSING, "'image' is empty"),
        ({"id": "1"}, Reason.MISSING, "'image' is empty"),
        ({"id": "1", "image": 5}, Reason.MISSING, "holds int"),
        ({"id": "1", "image": "\ud800"}, Reason.UNREADABLE, "not valid Unicode"),
    ],
)
def test_bad_rows(tmp_path: Path, row: dict[str, Any], reason: Reason, says: str) -> None:
    """A bad row is one dead letter with its cause; the row after it is read."""
    path = tmp_path / "t.jsonl"
    rows = [{"id": "0", "image": "0.jpg"}, row, {"id": "2", "image": "2.jpg"}]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    failure = one_bad(path)
    assert failure.reason == reason
    assert says in failure.message
    assert f"{path}#2" in failure.message
    assert len(read(path)) == 3


def test_longest_id(tmp_path: Path) -> None:
    """An id of exactly the limit is fine."""
    (item,) = read(csv_of(tmp_path, "id,image", f"{'x' * 2048},a.jpg"))
    assert isinstance(item, Item)


@pytest.mark.parametrize("text", ["", "  ", "\u3000"])
def test_empty_text(tmp_path: Path, text: str) -> None:
    """A text that is only space can't be embedded."""
    assert one_bad(csv_of(tmp_path, "id,title", f"1,{text}"), TEXTS).reason == Reason.EMPTY_TEXT


@pytest.mark.parametrize("line", ["{", "[1]", "null", "[" * 100_000, '{"id": 1'])
def test_malformed_json_line(tmp_path: Path, line: str) -> None:
    """A line that is no JSON object is a dead letter named by its line."""
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"id":1,"image":"a"}}\n\n{line}\n{{"id":2,"image":"a"}}\n')
    failure = one_bad(path)
    assert failure.item.item_id == f"{path}#3"
    assert failure.reason == Reason.UNREADABLE
    assert len(read(path)) == 3


def test_ragged_row(tmp_path: Path) -> None:
    """A row with too few or too many fields says how many."""
    failure = one_bad(csv_of(tmp_path, "id,image", "1,a.jpg", "2", "3,a.jpg"))
    assert "has 1 fields, the header names 2; write a separator" in failure.message
    failure = one_bad(csv_of(tmp_path, "id,image", "1,a.jpg", "2,b.jpg,c", "3,a.jpg"))
    assert "has 3 fields, the header names 2; put a field" in failure.message


def test_open_quote(tmp_path: Path) -> None:
    """A quote that is never closed is a dead letter, not a swallowed table."""
    assert "marks do not match" in one_bad(csv_of(tmp_path, "id,image", "1,a", '2,"b')).message


def test_latin_1_row(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 spoil their own row only, and the message says what to do."""
    path = tmp_path / "t.csv"
    path.write_bytes("id,image,title\n1,a.jpg,caf\u00e9\n2,b.jpg,ok\n".encode("latin-1"))
    failure = one_bad(path)
    assert "'title' is not UTF-8; save the table as UTF-8" in failure.message
    assert len(read(path)) == 2


def test_cut_short_gzip(tmp_path: Path) -> None:
    """A packed table that is cut short gives its beginning and one dead letter."""
    rows = [{"id": str(n), "image": f"{n * 7919}.jpg"} for n in range(5000)]
    for kind in ("csv.gz", "jsonl.gz"):
        path = write(tmp_path, kind, rows)
        path.write_bytes(path.read_bytes()[:-2000])
        assert len(read(path)) > 1000
        assert "cut short" in one_bad(path).message


@pytest.mark.parametrize(
    ("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
)
def test_what_follows_a_packed_stream_is_not_lost_in_silence(
    tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    """Parallel packers write many streams, and zeros may fill up the file; damage is told."""
    lines = [f"{number},{number}.jpg\n".encode() for number in range(5001)]
    first, second = pack(b"id,image\n" + b"".join(lines[:5000])), pack(lines[5000])
    path = tmp_path / f"t.csv{ending}"
    path.write_bytes(first + second + b"\0" * 512)
    assert [item.item_id for item in read(path) if isinstance(item, Item)][4999:] == [
        "4999",
        "5000",
    ]
    for rest in (b"\xff" + second[1:], second[:-4]):
        path.write_bytes(first + rest)
        assert "cut short or damaged" in one_bad(path).message
        assert len(read(path)) > 1000


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["name,image", "1,a"], "no column 'id'; its columns are 'name', 'image'.*--id-column"),
        (["id,picture", "1,a"], "no column 'image'.*--image-column"),
        (["id,image,id", "1,a,b"], "several columns called id"),
        (["id,image"], "nothing to read in .*t.csv: the table has columns, but no row"),
        ([""], "is empty"),
    ],
)
def test_unusable_tables(tmp_path: Path, lines: list[str], says: str) -> None:
    """What spoils every row is an error before the first one, with the option to change."""
    with pytest.raises(SourceError, match=says):
        read(csv_of(tmp_path, *lines))


def test_missing_text_column(tmp_path: Path) -> None:
    """A catalog of texts needs its text column."""
    with pytest.raises(SourceError, match=r"no column 'title'.*--text-column"):
        read(csv_of(tmp_path, "id,text", "1,a"), TEXTS)


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl", "t.csv.gz", "t.jsonl.gz"])
def test_unreadable(tmp_path: Path, name: str) -> None:
    """A file that is not of its kind is an error that names it."""
    (tmp_path / name).write_bytes(b"PAR1 is not enough\n")
    with pytest.raises(SourceError, match=name):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.jsonl", "t.parquet"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    """A file of no bytes is an error."""
    (tmp_path / name).touch()
    with pytest.raises(SourceError, match=name):
        read(tmp_path / name)


def test_parquet_text_that_is_not_unicode(tmp_path: Path) -> None:
    """Parquet does not check its texts; a bad one spoils only its row."""
    names = pa.array([b"a", b"\xff", b"c"], pa.binary()).view(pa.utf8())
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"id": ["1", "2", "3"], "image": ["a"] * 3, "k": names}), path)
    assert "not UTF-8" in one_bad(path).message
    assert len(read(path)) == 3


def test_damaged_parquet(tmp_path: Path) -> None:
    """Damage inside the file is a dead letter for the rest."""
    path = tmp_path / "t.parquet"
    table = pa.table({"id": [str(n) for n in range(4000)], "image": ["a.jpg"] * 4000})
    pq.write_table(table, path, row_group_size=1000, compression="gzip")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 2000] = b"\xff" * 2000
    path.write_bytes(content)
    assert 1000 <= len(read(path)) < 4000
    assert "cut short or damaged" in one_bad(path).message


def test_binary_column(tmp_path: Path) -> None:
    """A column of bytes is no metadata, which is told before the first row; it can be left out."""
    row = {"id": "1", "image": "a.jpg", "thumbnail": b"\x00"}
    path = write(tmp_path, "parquet", [row])
    with pytest.raises(SourceError, match=r"'thumbnail' is binary.*--exclude-columns thumbnail"):
        read(path)
    (item,) = read(path, TableOptions(exclude_columns=("thumbnail",)))
    assert isinstance(item, Item)
    assert not item.metadata


def test_quoted_newlines(tmp_path: Path) -> None:
    """Quoted fields hold newlines and delimiters; line numbers stay right."""
    path = csv_of(tmp_path, "id,image,title", '1,a.jpg,"two\nlines, ""quoted"""', "2,b.jpg")
    item, failure = read(path)
    assert isinstance(item, Item)
    assert item.title == 'two\nlines, "quoted"'
    assert isinstance(failure, Failure)
    assert failure.item.source == f"{path}#4"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (gzip.compress(b"id,image\n1,a.jpg\n", mtime=0), r"\.gz.* right ending"),
        (b"PK\x03\x04\xff\xfe", r"\.xlsx.* right ending"),
        (b"PAR1\x15\x04\x15", r"\.parquet.* right ending"),
        (b'{"id":"a","image":"a.jpg"}\n', r"\.jsonl.* right ending"),
        (b'{"id": "a", "image": "a.jpg"}\n', r"\.jsonl.* right ending"),
        (b"\n<!doctype html><html>404", "HTML.* fetch it again"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_another_kind_of_file(tmp_path: Path, content: bytes, says: str, packed: bool) -> None:
    """A file that is no table says what it is, not that it has another encoding or column."""
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(SourceError, match=f"{path.name}: is .*{says}"):
        read(path)


def test_rows_in_a_list_of_one_object(tmp_path: Path) -> None:
    """As shops' programs answer: the list is named, with what makes lines of it."""
    rows = [{"id": "a", "image": "a.jpg"}]
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"count": 1, "products": rows}))
    with pytest.raises(SourceError, match=r"the list 'products'; .* jq -c '\.products\[\]'"):
        read(path)
    path.write_text(json.dumps({"id": "a", "image": "a.jpg", "variants": rows}))
    (item,) = read(path)
    assert isinstance(item, Item)


def test_a_table_of_one_column_is_one(tmp_path: Path) -> None:
    """Packed or not; its rows have no id then."""
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"image\na.jpg\n"))
    (item,) = read(path, TableOptions(id_column="none"))
    assert isinstance(item, Item)


def test_a_parquet_file_without_columns(tmp_path: Path) -> None:
    """It is named."""
    pq.write_table(pa.table({}), tmp_path / "t.parquet")
    with pytest.raises(SourceError, match=r"t\.parquet: has no columns"):
        read(tmp_path / "t.parquet")


MARKS = {"utf-8-sig": "utf8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}


@pytest.mark.parametrize("written", MARKS)
def test_a_named_encoding_and_the_mark_of_the_file(tmp_path: Path, written: str) -> None:
    """The mark is no part of the first column's name; one of another encoding is an error."""
    path = tmp_path / "t.csv"
    path.write_bytes("id,image,title\na,a.jpg,caf\u00e9\n".encode(written))
    (item,) = read(path, TableOptions(encoding=MARKS[written]))
    assert isinstance(item, Item)
    assert (item.item_id, item.title) == ("a", "caf\u00e9")
    with pytest.raises(SourceError, match=r"first bytes say utf-.*, not cp1252; leave --encoding"):
        read(path, TableOptions(encoding="cp1252"))


def test_two_marks(tmp_path: Path) -> None:
    """A program that adds one to a text that has one."""
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" * 2 + b"id,image\na,a.jpg\n")
    (item,) = read(tmp_path / "t.csv")
    assert isinstance(item, Item)
    assert item.item_id == "a"


@pytest.mark.parametrize(
    "value", [datetime(2024, 1, 2, tzinfo=UTC), True, ["a"], {"a": 1}], ids=repr
)
def test_column_of_no_ids(tmp_path: Path, value: object) -> None:
    """A column whose type has no ids is told before the first row, not once for each row."""
    path = write(tmp_path, "parquet", [{"id": value, "image": "a.jpg"}])
    with pytest.raises(SourceError, match=r"'id' is of the type .*--id-column, or 'none'"):
        read(path)
    (item,) = read(path, TableOptions(id_column="none", exclude_columns=("id",)))
    assert isinstance(item, Item)


@pytest.mark.parametrize("pattern", ["pics/{id", "pics/a.jpg"])
def test_a_pattern_without_columns(tmp_path: Path, pattern: str) -> None:
    """A pattern that gives all rows one picture is refused."""
    path = csv_of(tmp_path, "id,image", "1,a.jpg")
    with pytest.raises(SourceError, match=r"names no column.*images/\{id\}\.jpg"):
        read(path, TableOptions(image_pattern=pattern))
