"""Pictures inside tables: read from any writer's cells, and found again by their addresses."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import datasets
import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from indexer.core.errors import ItemError
from indexer.core.reasons import Reason
from indexer.core.records import FURTHER_PICTURES, Failure, Item
from indexer.sources import Fetcher, TableOptions, open_sources
from indexer.sources.embedded import RowPicture, pictures_in, row_picture


def picture_of(number: int, kind: str = "PNG") -> bytes:
    """A small picture, another for each number."""
    target = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, number // 256, 7)).save(target, kind)
    return target.getvalue()


def items_of(path: Path, options: TableOptions | None = None) -> list[Item]:
    """The items of a table without a bad row."""
    items = list(open_sources([str(path)], options))
    assert not [item for item in items if isinstance(item, Failure)]
    return [item for item in items if isinstance(item, Item)]


def assert_found_again(items: list[Item]) -> None:
    """Each item's source gives the bytes that reading the table gave."""
    with Fetcher() as fetcher:
        for item in items:
            assert item.content is not None
            assert fetcher.read(item.source) == item.content


PICTURES = [picture_of(number) for number in range(5)]


@pytest.mark.parametrize(
    "encode",
    [
        lambda content: base64.b64encode(content).decode(),
        lambda content: base64.urlsafe_b64encode(content).decode().rstrip("="),
        lambda content: base64.encodebytes(content).decode(),
        lambda content: "data:image/png;base64," + base64.b64encode(content).decode(),
        lambda content: {"bytes": base64.b64encode(content).decode(), "path": None},
        lambda content: [base64.b64encode(content).decode()],
    ],
    ids=["base64", "url-safe", "lines", "data-uri", "object", "list"],
)
def test_text_in_jsonl(tmp_path: Path, encode: Any) -> None:
    """Every way to write bytes as text gives the bytes, and the row's address finds them."""
    path = tmp_path / "t.jsonl"
    rows = [{"id": n, "image": encode(content), "n": n} for n, content in enumerate(PICTURES)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    items = items_of(path)
    assert [item.content for item in items] == PICTURES
    assert items[1].source == f"{path}#2"
    assert items[1].metadata == {"n": 1}
    assert_found_again(items[::-1])


def test_data_uris_in_csv(tmp_path: Path) -> None:
    """A data: URI has a comma, so the field is quoted; its address is the line's."""
    path = tmp_path / "t.csv"
    lines = [
        f'{n},"data:image/png;base64,{base64.b64encode(content).decode()}"'
        for n, content in enumerate(PICTURES)
    ]
    path.write_text("\n".join(["id,image", *lines]) + "\n")
    items = items_of(path)
    assert [item.content for item in items] == PICTURES
    assert items[0].source == f"{path}#2"
    assert_found_again(items)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_base64_is_told_by_its_beginning(kind: str) -> None:
    """Base64 of every format that is read is bytes, not a path."""
    content = picture_of(3, kind)
    assert pictures_in(base64.b64encode(content).decode(), "image") == [content]


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("iVBORw0KGgo.png", ["iVBORw0KGgo.png"]),
        ("a, b.jpg", ["a, b.jpg"]),
        ("http://x/1.jpg|http://x/2.jpg", ["http://x/1.jpg", "http://x/2.jpg"]),
        ("http://x/1.jpg, https://x/2.jpg", ["http://x/1.jpg", "https://x/2.jpg"]),
        ("http://x/w_3,h_4/1.jpg", ["http://x/w_3,h_4/1.jpg"]),
        ('["http://x/1.jpg", "2.jpg"]', ["http://x/1.jpg", "2.jpg"]),
        ("['http://x/1.jpg']", ["http://x/1.jpg"]),
        ("[1].jpg", ["[1].jpg"]),
        ("[draft]", ["[draft]"]),
    ],
)
def test_addresses_in_a_text(text: str, addresses: list[str]) -> None:
    """Lists of addresses are taken apart; a name with commas or brackets stays one name."""
    assert pictures_in(text, "image") == addresses


@given(st.recursive(st.none() | st.text() | st.binary() | st.integers() | st.floats(), st.lists))
def test_any_cell_gives_pictures_or_an_item_error(value: Any) -> None:
    """Whatever a cell holds, the outcome is a list of pictures or a told error."""
    with contextlib.suppress(ItemError):
        assert all(isinstance(picture, str | bytes) for picture in pictures_in(value, "image"))


@given(
    table=st.text(min_size=1).filter(lambda text: "#" not in text),
    row=st.integers(0, 2**40),
    column=st.text(st.characters(exclude_categories=["Cs"])),
    place=st.integers(1, 99),
)
def test_addresses_are_read_as_written(table: str, row: int, column: str, place: int) -> None:
    """A row's address says the same row, column and place again."""
    written = RowPicture(table=table, row=row, column=column, place=place)
    assert row_picture(str(written)) == written


def dataset_of(count: int) -> Any:
    """A dataset with pictures in it, as Hugging Face's library makes it."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    rows = [
        {"image": {"bytes": picture_of(n), "path": f"{n}.png"}, "label": n} for n in range(count)
    ]
    return datasets.Dataset.from_list(rows, features=features)


def test_a_dataset_as_parquet(tmp_path: Path) -> None:
    """What Dataset.to_parquet writes is read without naming a column; ids are the rows'."""
    path = tmp_path / "train.parquet"
    dataset_of(700).to_parquet(str(path), batch_size=100)
    items = items_of(path)
    assert [item.content for item in items] == [picture_of(n) for n in range(700)]
    assert items[41].item_id == "train.parquet#42"
    assert items[41].source == f"{path}#42"
    assert items[41].metadata == {"label": 41}
    assert_found_again(items[::-97])


def test_many_threads_find_their_rows(tmp_path: Path) -> None:
    """Threads that ask out of order get each its own picture."""
    path = tmp_path / "t.parquet"
    rows = [{"id": n, "image": picture_of(n)} for n in range(600)]
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=50)
    with Fetcher() as fetcher, ThreadPoolExecutor(8) as pool:
        order = [(n * 37) % 600 for n in range(600)]
        found = list(pool.map(lambda n: fetcher.read(f"{path}#{n + 1}"), order))
    assert found == [picture_of(n) for n in order]


def test_another_column_is_in_the_address(tmp_path: Path) -> None:
    """Where a table has several columns of bytes, the address says which one was read."""
    path = tmp_path / "t.parquet"
    empty = pa.array([None], pa.binary())
    pq.write_table(pa.table({"id": ["1"], "image": empty, "back side": [PICTURES[2]]}), path)
    (item,) = items_of(path, TableOptions(image_column="back side", columns=()))
    assert item.source == f"{path}#1&column=back%20side"
    assert item.content == PICTURES[2]
    assert_found_again([item])


def test_lists_are_further_pictures(tmp_path: Path) -> None:
    """The first picture of a list is the item's, the others are kept in their order."""
    path = tmp_path / "t.parquet"
    rows = [
        {"id": "1", "image": ["a.jpg", "https://x.org/b.jpg", "/c.jpg"]},
        {"id": "2", "image": ["d.jpg"]},
        {"id": "3", "image": []},
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    first, second, third = open_sources([str(path)])
    assert isinstance(first, Item)
    assert first.source == f"{tmp_path}/a.jpg"
    assert first.metadata == {FURTHER_PICTURES: ["https://x.org/b.jpg", "/c.jpg"]}
    assert isinstance(second, Item)
    assert second.metadata == {}
    assert isinstance(third, Failure)
    assert third.reason is Reason.MISSING


def test_lists_of_bytes_have_addresses_of_their_own(tmp_path: Path) -> None:
    """A further picture that lies in the row is found by its address."""
    path = tmp_path / "t.parquet"
    rows = [{"id": "1", "image": [{"bytes": PICTURES[n], "path": None} for n in range(3)]}]
    pq.write_table(pa.Table.from_pylist(rows), path)
    (item,) = items_of(path)
    assert item.content == PICTURES[0]
    with Fetcher() as fetcher:
        further = item.metadata[FURTHER_PICTURES]
        assert [fetcher.read(one) for one in further] == PICTURES[1:3]


def test_a_row_away_is_missing(tmp_path: Path) -> None:
    """A row beyond the end, a table that is gone, a cell that is empty: missing, by name."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"id": ["1", "2"], "image": [picture_of(1), None]}), path)
    with Fetcher() as fetcher:
        for source in (f"{path}#9", f"{path}x.parquet#1", f"{path}#2"):
            with pytest.raises(ItemError, match="#") as caught:
                fetcher.read(source)
            assert caught.value.reason is Reason.MISSING


def test_a_broken_row_is_not_stored_in_half(tmp_path: Path) -> None:
    """A row whose title is unusable needs its table, though its picture could be read."""
    path = tmp_path / "t.jsonl"
    content = base64.b64encode(PICTURES[0]).decode()
    path.write_text(json.dumps({"id": 1, "image": content, "title": ["a"]}) + "\n")
    (letter,) = open_sources([str(path)])
    assert isinstance(letter, Failure)
    assert letter.reason is Reason.BAD_METADATA


def _by_pandas(path: Path, rows: list[dict[str, Any]]) -> None:
    pd.DataFrame(rows).to_parquet(path, index=False)


def _by_polars(path: Path, rows: list[dict[str, Any]]) -> None:
    pl.DataFrame(rows).write_parquet(path)


def _by_polars_as_arrow(path: Path, rows: list[dict[str, Any]]) -> None:
    pl.DataFrame(rows).write_ipc(path.with_suffix(".arrow"), compression="zstd")


def _by_polars_as_stream(path: Path, rows: list[dict[str, Any]]) -> None:
    pl.DataFrame(rows).write_ipc_stream(path.with_suffix(".arrow"))


def _by_duckdb(path: Path, rows: list[dict[str, Any]]) -> None:
    connection = duckdb.connect()
    connection.register("rows", pa.Table.from_pylist(rows))
    connection.execute(f"COPY (SELECT id, image::BLOB AS image FROM rows) TO '{path}'")


def _as_views(path: Path, rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows)
    images = table["image"].cast(pa.binary_view())
    pq.write_table(table.set_column(1, "image", images), path, row_group_size=3)


def _in_lists(path: Path, rows: list[dict[str, Any]]) -> None:
    kind = pa.large_list(pa.struct({"bytes": pa.large_binary(), "path": pa.string()}))
    lists = [[{"bytes": row["image"], "path": None}] for row in rows]
    table = pa.table({"id": [row["id"] for row in rows], "image": pa.array(lists, kind)})
    pq.write_table(table, path)


@pytest.mark.parametrize(
    "write",
    [
        _by_pandas,
        _by_polars,
        _by_polars_as_arrow,
        _by_polars_as_stream,
        _by_duckdb,
        _as_views,
        _in_lists,
    ],
)
def test_bytes_by_every_writer(tmp_path: Path, write: Any) -> None:
    """Whoever wrote the bytes, they are read, and found again."""
    write(tmp_path / "t.parquet", [{"id": f"i{n}", "image": picture_of(n)} for n in range(20)])
    (path,) = tmp_path.iterdir()
    items = items_of(path)
    assert [item.item_id for item in items] == [f"i{n}" for n in range(20)]
    assert [item.content for item in items] == [picture_of(n) for n in range(20)]
    assert_found_again(items[::-1])
