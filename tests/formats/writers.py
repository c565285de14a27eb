"""Writes a small source of each format that docs/formats.md names, by a writer of its kind."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from formats import picture_writers, set_writers
from PIL import Image

Write = Callable[[Path], None]

ROWS = [
    {"id": f"0{number}", "image": f"pics/{number}.png", "title": title, "price": number + 0.5}
    for number, title in enumerate(['A 5" mug', "A lamp, blue", "A café chair"])
]
"""What each source says: three items, with their pictures in ``pics``."""

COUNT = len(ROWS)


def pictures(folder: Path) -> None:
    """The pictures of the rows."""
    (folder / "pics").mkdir()
    for number in range(COUNT):
        Image.new("RGB", (32, 32), (80 * number, 99, 99)).save(folder / "pics" / f"{number}.png")


def _csv(path: Path, encoding: str = "utf-8", **settings: Any) -> None:
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.DictWriter(stream, list(ROWS[0]), **settings)
        writer.writeheader()
        writer.writerows(ROWS)


def _descriptions(path: Path) -> None:
    lines = [",".join([*ROWS[0], "body"])]
    for row in ROWS:
        body = '"<p>Nice, ""really""\n1, 2, 3\n</p>"'
        lines.append(f"{row['id']},{row['image']},x,1,{body}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _excel_csv(path: Path) -> None:
    rows = [{**row, "price": str(row["price"]).replace(".", ",")} for row in ROWS]
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, list(ROWS[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


def _separator(path: Path) -> None:
    _csv(path, delimiter=";")
    path.write_text("sep=;\n" + path.read_text())


def _inches(path: Path) -> None:
    lines = ["\t".join(ROWS[0]), *("\t".join(map(str, row.values())) for row in ROWS)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _workbook(path: Path) -> None:
    from openpyxl import Workbook

    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    for row in [list(ROWS[0]), *(list(row.values()) for row in ROWS)]:
        sheet.append(row)
    workbook.save(path)


def _jsonl() -> bytes:
    return "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def _vectors(path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(COUNT, 64)).astype(np.float32)
    rows = [{"id": row["id"], "embedding": list(vector)} for row, vector in zip(ROWS, vectors)]  # noqa: B905
    pq.write_table(pa.Table.from_pylist(rows), path)


def _packed_tsv(path: Path) -> None:
    _csv(path, delimiter="\t")
    path.write_bytes(bz2.compress(path.read_bytes()))


def _packed_csv(path: Path) -> None:
    _csv(path)
    path.write_bytes(gzip.compress(path.read_bytes()))


def _packed_jsonl(path: Path) -> None:
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(_jsonl())


WRITERS: dict[str, Write] = {
    "products.csv": _csv,
    "descriptions.csv": _descriptions,
    "excel.csv": _excel_csv,
    "separator.csv": _separator,
    "latin.csv": lambda path: _csv(path, "cp1252"),
    "dump.csv": lambda path: _csv(path, escapechar="\\", doublequote=False, quoting=csv.QUOTE_ALL),
    "carets.csv": lambda path: _csv(path, delimiter="^"),
    "unicode.tsv": lambda path: _csv(path, "utf-16", delimiter="\t"),
    "inches.tsv": _inches,
    "products.xlsx": _workbook,
    "products.jsonl": lambda path: path.write_bytes(_jsonl()) and None,
    "products.parquet": lambda path: pq.write_table(pa.Table.from_pylist(ROWS), path),
    "products.csv.gz": _packed_csv,
    "products.jsonl.zst": _packed_jsonl,
    "products.tsv.bz2": _packed_tsv,
    "vectors.parquet": _vectors,
}
WRITERS |= {name: partial(write, rows=ROWS) for name, write in set_writers.WRITERS.items()}
WRITERS |= picture_writers.WRITERS
"""By the name of the source in the page: what writes it, ``COUNT`` items with ``pics`` beside."""
