"""Writes the sources of docs/formats.md that are more than one table, or a table by other rules."""

from __future__ import annotations

import base64
import csv
import gzip
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import webdataset

Rows = list[dict[str, Any]]
Write = Callable[[Path, Rows], None]
"""Writes the source of a name; the rows have their pictures in ``pics`` beside it."""


def _bytes(path: Path, row: dict[str, Any]) -> bytes:
    """The picture of a row, which lies beside the source."""
    return (path.parent / str(row["image"])).read_bytes()


def _picture_bytes(path: Path, rows: Rows) -> None:
    pq.write_table(
        pa.Table.from_pylist([{**row, "image": _bytes(path, row)} for row in rows]), path
    )


def _base64(path: Path, rows: Rows) -> None:
    lines = [{**row, "image": base64.b64encode(_bytes(path, row)).decode()} for row in rows]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _lists(path: Path, rows: Rows) -> None:
    lists = [{**row, "image": [row["image"], rows[0]["image"]]} for row in rows]
    pq.write_table(pa.Table.from_pylist(lists), path)


def _dataset(path: Path, rows: Rows) -> Any:
    features = datasets.Features({"image": datasets.Image(), "title": datasets.Value("string")})
    made = [
        {"image": {"bytes": _bytes(path, row), "path": None}, "title": row["title"]} for row in rows
    ]
    return datasets.Dataset.from_list(made, features=features)


def _hub(path: Path, rows: Rows) -> None:
    (path / "data").mkdir(parents=True)
    _dataset(path, rows).to_parquet(str(path / "data" / "train-00000-of-00001.parquet"))


def _image_folder(path: Path, rows: Rows) -> None:
    path.mkdir()
    for row in rows:
        (path / f"{row['id']}.png").write_bytes(_bytes(path, row))
    named = [{"file_name": f"{row['id']}.png", "text": row["title"]} for row in rows]
    pl.DataFrame(named).write_ndjson(path / "metadata.jsonl")


def _spark(path: Path, rows: Rows) -> None:
    (path / "pics").mkdir(parents=True)
    for number, row in enumerate(rows):
        (path / str(row["image"])).write_bytes(_bytes(path, row))
        table = pa.Table.from_pylist([row])
        pq.write_table(table, path / f"part-0000{number}-c000.snappy.parquet")
    (path / "_SUCCESS").touch()


def _hive(path: Path, rows: Rows) -> None:
    (path / "pics").mkdir(parents=True)
    for row in rows:
        (path / str(row["image"])).write_bytes(_bytes(path, row))
    connection = duckdb.connect()
    connection.register("rows", pa.Table.from_pylist([{**row, "shop": "uk"} for row in rows]))
    connection.execute(
        f"COPY rows TO '{path}' (FORMAT parquet, PARTITION_BY (shop), OVERWRITE_OR_IGNORE)"
    )


def _pattern(path: Path, rows: Rows) -> None:
    for number, row in enumerate(rows):
        pq.write_table(pa.Table.from_pylist([row]), path.parent / f"part-{number}.parquet")


def _zip(path: Path, rows: Rows) -> None:
    folder = path.parents[1]  # of zip://products::all.zip
    with zipfile.ZipFile(folder / "all.zip", "w") as packed:
        for row in rows:
            packed.write(folder / str(row["image"]), f"products/{row['id']}.png")


def _tar(path: Path, rows: Rows) -> None:
    folder = path.parents[1]
    with tarfile.open(folder / "all.tar", "w") as packed:
        for row in rows:
            packed.add(folder / str(row["image"]), f"products/{row['id']}.png")


def _img2dataset(path: Path, rows: Rows) -> None:
    path.mkdir()
    with webdataset.TarWriter(str(path / "00000.tar")) as writer:
        for row in rows:
            writer.write({"__key__": row["id"], "png": _bytes(path, row), "txt": row["title"]})
    pq.write_table(
        pa.Table.from_pylist([{"key": row["id"]} for row in rows]), path / "00000.parquet"
    )
    (path / "00000_stats.json").write_text("{}")


def _clip_retrieval(path: Path, rows: Rows) -> None:
    (path / "img_emb").mkdir(parents=True)
    (path / "metadata").mkdir()
    vectors = np.random.default_rng(0).normal(size=(len(rows), 64)).astype(np.float16)
    np.save(path / "img_emb" / "img_emb_0.npy", vectors)
    named = [{"image_path": row["id"], "caption": row["title"]} for row in rows]
    pl.DataFrame(named).write_parquet(path / "metadata" / "metadata_0.parquet")


def _table(path: Path, columns: list[str], rows: list[list[Any]], delimiter: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([columns, *rows])


def _shopify(path: Path, rows: Rows) -> None:
    columns = ["Handle", "Title", "Image Src", "Image Position", "Variant SKU"]
    lines = []
    for row in rows:
        lines.append([row["id"], row["title"], row["image"], 1, "S"])
        lines.append([row["id"], "", rows[0]["image"], 2, "M"])
    _table(path, columns, lines)


def _woocommerce(path: Path, rows: Rows) -> None:
    columns = ["ID", "Type", "SKU", "Name", "Images", "Parent"]
    lines = [
        [row["id"], "simple", "", row["title"], f"{row['image']}, {rows[0]['image']}", ""]
        for row in rows
    ]
    _table(path, columns, [*lines, ["9", "variation", "", "S", "", f"id:{rows[0]['id']}"]])


def _google(path: Path, rows: Rows) -> None:
    lines = ["id\ttitle\timage link\tadditional image link"]
    lines += [f"{row['id']}\t{row['title']}\t{row['image']}\t{rows[0]['image']}" for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _google_xml(path: Path, rows: Rows) -> None:
    items = "".join(
        f"<item><g:id>{row['id']}</g:id><g:title>{row['title']}</g:title>"
        f"<g:image_link>{row['image']}</g:image_link></item>"
        for row in rows
    )
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><rss xmlns:g="http://base.google.com/ns/1.0" '
        f'version="2.0"><channel><title>Shop</title>{items}</channel></rss>',
        encoding="utf-8",
    )


def _kaggle(path: Path, rows: Rows) -> None:
    lines = ["id,articleType,productDisplayName"]
    for number, row in enumerate(rows):
        lines.append(f"{number},Mugs,{row['title']}, Pack of 2")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _amazon(path: Path, rows: Rows) -> None:
    lines = [
        {"parent_asin": row["id"], "title": row["title"], "images": [{"large": row["image"]}]}
        for row in rows
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _abo(path: Path, rows: Rows) -> None:
    root = path.parents[2]
    table = root / "images" / "metadata" / "images.csv.gz"
    small = root / "images" / "small"
    for folder in (path.parent, table.parent, small):
        folder.mkdir(parents=True)
    images = []
    lines = []
    for row in rows:
        (small / f"{row['id']}.png").write_bytes((root / str(row["image"])).read_bytes())
        images.append({"image_id": f"i{row['id']}", "path": f"{row['id']}.png"})
        name = [{"language_tag": "en_US", "value": row["title"]}]
        lines.append({"item_id": row["id"], "item_name": name, "main_image_id": f"i{row['id']}"})
    path.write_bytes(gzip.compress("".join(json.dumps(line) + "\n" for line in lines).encode()))
    table.write_bytes(gzip.compress(pl.DataFrame(images).write_csv().encode()))


WRITERS: dict[str, Write] = {
    "bytes.parquet": _picture_bytes,
    "base64.jsonl": _base64,
    "lists.parquet": _lists,
    "hf.parquet": lambda path, rows: _dataset(path, rows).to_parquet(str(path)),
    "saved/": lambda path, rows: _dataset(path, rows).save_to_disk(path),
    "hub/": _hub,
    "imagefolder/": _image_folder,
    "spark/": _spark,
    "lake/": _hive,
    "part-*.parquet": _pattern,
    "zip://products::all.zip": _zip,
    "tar://products::all.tar": _tar,
    "laion/": _img2dataset,
    "embeddings/": _clip_retrieval,
    "shopify.csv": _shopify,
    "woocommerce.csv": _woocommerce,
    "google.txt": _google,
    "google.xml": _google_xml,
    "styles.csv": _kaggle,
    "meta_Home.jsonl": _amazon,
    "listings/metadata/listings_0.json.gz": _abo,
}
"""By the name of the source in the page: what writes it, an item for each of the rows."""
