"""Products with several pictures: their tables, pictures and rows."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from shell import Shell

COLUMNS = ("--image-column", "image,image_2,image_3")
LABELS = "id,name\nred,red\ngreen,green\nblue,blue\n"


def shop_of_three(folder: Path) -> Shell:
    """A folder with nine pictures: three of each of three products."""
    for product in range(3):
        for view in range(1, 4):
            save_picture(folder / f"{product}{view}.png", product, view)
    (folder / "labels.csv").write_text(LABELS)
    return Shell(folder, in_process=True, model="pocket")


def save_picture(path: Path, product: int, view: int) -> None:
    """A picture of one colour with noise, another for each view."""
    pixels = np.random.default_rng(10 * product + view).integers(0, 90, (32, 32, 3), dtype=np.uint8)
    pixels[..., product] += 150
    Image.fromarray(pixels).save(path)


def write(shell: Shell, rows: Sequence[Mapping[str, Any]], name: str = "products.csv") -> None:
    """A table with the columns of the first row."""
    with (shell.folder / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def products(views: Sequence[int] = (1, 2, 3)) -> list[dict[str, Any]]:
    """A row for each of three products, with pictures in three columns."""
    columns = ("image", "image_2", "image_3")
    return [
        {"id": f"p{product}", "title": f"product {product}", "price": product}
        | {
            column: f"{product}{view}.png" if view in views else ""
            for view, column in enumerate(columns, 1)
        }
        for product in range(3)
    ]


def ingest(shell: Shell, *arguments: str, table: str = "products.csv") -> dict[str, Any]:
    """Ingest a table; the report."""
    return dict(shell.json("ingest", table, *(arguments or COLUMNS))[0])


def rows_of(shell: Shell, item_id: str) -> list[str]:
    """Ids of an item's rows in the database, by a search that finds all of it."""
    hits = shell.json("search", "x", "--filter", f'parent_id == "{item_id}"')
    assert [hit["item_id"] for hit in hits] == [item_id][: len(hits)]
    return hits[0]["parts"] or [hits[0]["part_id"]] if hits else []
