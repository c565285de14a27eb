"""Pictures inside tables, feeds and folders of vectors, as a user names them."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file
from shell import Shell

from indexer.encoder import PACKAGED_MODELS


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder of its own."""
    return Shell(tmp_path, in_process=True)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged model with every second dimension of its vectors turned round."""
    folder = tmp_path_factory.mktemp("models") / "turned"
    shutil.copytree(PACKAGED_MODELS["pocket"], folder)
    (file,) = folder.rglob("*.safetensors")
    weights = load_file(file)
    for name in [name for name in weights if name.endswith("_projection.weight")]:
        weights[name][::2] *= -1
    save_file(weights, file, metadata={"format": "pt"})
    return folder


def picture_of(number: int) -> bytes:
    """A picture, another for each number."""
    target = io.BytesIO()
    generator = np.random.default_rng(number)
    pixels = generator.integers(0, 255, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(target, "PNG")
    return target.getvalue()


def write_table(path: Path, *, broken: int | None = None) -> None:
    """Ten rows with their pictures; one may be damaged."""
    rows = [
        {"id": f"i{n}", "image": b"damaged" if n == broken else picture_of(n), "title": f"t {n}"}
        for n in range(10)
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)


def test_pictures_inside_a_table_are_found_again(shell: Shell, other: Path, tmp_path: Path) -> None:
    """A second run changes nothing; another model embeds all of them from the table."""
    write_table(tmp_path / "t.parquet")
    assert shell.json("ingest", "t.parquet", "--model", "pocket")[0]["stored"] == 10
    assert shell.json("ingest", "t.parquet")[0]["unchanged"] == 10
    (tmp_path / "labels.csv").write_text("id,name\na,shirt\nb,shoe\n")
    shell("labels", "add", "labels.csv")
    page = shell("explain", "--item", "i3", "--output", "html").stdout
    assert "data:image/jpeg;base64," in page
    shell("reembed", "--model", other)
    status = shell.json("status")[0]
    assert (status["items"], status["dead_letters"]) == (10, 0)


def test_a_damaged_picture_in_a_table_is_tried_again(shell: Shell, tmp_path: Path) -> None:
    """Its dead letter has the row's address, title and metadata, so that retry stores it whole."""
    write_table(tmp_path / "t.parquet", broken=4)
    report = shell.json("ingest", "t.parquet", "--model", "pocket")[0]
    assert (report["stored"], report["dead_letters"]) == (9, 1)
    letter = json.loads((shell.catalog / "dead_letters.jsonl").read_text())
    assert letter["source"] == f"{tmp_path}/t.parquet#5"
    write_table(tmp_path / "t.parquet")
    report = shell.json("retry")[0]
    assert (report["stored"], report["dead_letters"]) == (1, 0)
    assert shell.json("ingest", "t.parquet")[0]["unchanged"] == 10


def test_what_a_feed_merges_is_told(shell: Shell, tmp_path: Path) -> None:
    """The summary counts the rows that became part of another, and their pictures."""
    (tmp_path / "1.png").write_bytes(picture_of(1))
    columns = ["Handle", "Title", "Image Src", "Image Position"]
    rows = [["tee", "Tee", "1.png", 1], ["tee", "", "2.png", 2], ["tee", "", "", ""]]
    with (tmp_path / "shop.csv").open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    report = shell.json("ingest", "shop.csv", "--model", "pocket")[0]
    assert (report["items"], report["read"], report["stored"]) == (1, 2, 1), report
    assert report["dead_letters"] == 1  # 2.png is not there
    assert report["merged"] == {"pictures": 1, "variants": 1}
    told = " ".join(shell("ingest", "shop.csv").stdout.split())
    assert "merged into others 2 (1 pictures, 1 variants)" in told
    told = " ".join(shell("ingest", "shop.csv").stderr.split())
    assert "is read as Shopify's product export" in told


def test_pictures_named_twice_are_counted(shell: Shell, tmp_path: Path) -> None:
    """A feed that repeats its first picture among the others, and a list of its own."""
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(picture_of(int(name[0])))
    rows = [
        ["id", "title", "image_link", "additional_image_link"],
        ["t", "Tee", "1.png", "1.png,2.png"],
    ]
    with (tmp_path / "feed.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (tmp_path / "t.jsonl").write_text('{"id": "u", "image": ["2.png", "1.png", "2.png"]}\n')
    report = shell.json("ingest", "feed.csv", "t.jsonl", "--model", "pocket")[0]
    assert (report["items"], report["stored"]) == (2, 4)
    assert report["merged"] == {"pictures that a product names twice": 2}


def test_rows_of_one_id_are_told(shell: Shell, tmp_path: Path) -> None:
    """Amazon lists one item in several marketplaces: how many, and what becomes of them."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "m1.jpg").write_bytes(picture_of(1))
    lines = [
        {"item_id": item, "item_name": [{"value": "Tee"}], "main_image_id": "m1", "domain_name": at}
        for item, at in (("B1", "amazon.com"), ("B1", "amazon.de"), ("B2", "amazon.de"))
    ]
    (tmp_path / "listings.json").write_text("".join(json.dumps(one) + "\n" for one in lines))
    told = shell(
        *("ingest", "listings.json", "--model", "pocket", "--format", "abo"),
        *("--image-pattern", "images/{image_id}.jpg"),
    )
    assert "1 duplicate_id" in told.stdout
    assert "1 row had an id that came before, in this job or" in (" ".join(told.stderr.split()))


def test_vectors_of_clip_retrieval(shell: Shell, tmp_path: Path) -> None:
    """Naming the folder stores its vectors under the names of its pictures."""
    for name in ("img_emb", "text_emb", "metadata"):
        (tmp_path / "out" / name).mkdir(parents=True)
    generator = np.random.default_rng(1)
    for part in range(2):
        for name in ("img_emb", "text_emb"):
            vectors = generator.normal(size=(5, 64)).astype(np.float16)
            np.save(tmp_path / "out" / name / f"{name}_{part}.npy", vectors)
        rows = [{"image_path": f"{part}{n}", "caption": f"c {n}"} for n in range(5)]
        pl.DataFrame(rows).write_parquet(tmp_path / "out" / "metadata" / f"metadata_{part}.parquet")
    done = shell("ingest", "out")
    assert "text_emb are left out" in done.stderr
    assert shell.json("status")[0]["items"] == 10
    assert shell.json("ingest", "out")[0]["unchanged"] == 10


def test_a_corrected_table_leaves_no_dead_letters(shell: Shell, tmp_path: Path) -> None:
    """Rows of one id are counted as they are told; what names another picture now is forgotten."""
    table = tmp_path / "t.csv"
    for name, colour in (("one.png", "red"), ("two.png", "blue"), ("three.png", "green")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / name)
    table.write_text("id,image\na,gone.png\nb,one.png\nb,two.png\nb,one.png\n")
    assert "dead letters 3" in " ".join(shell("ingest", table, "--model", "pocket").stdout.split())
    (facts,) = shell.json("status")
    assert facts["dead_letters"] == 3
    table.write_text("id,image\na,three.png\nb,one.png\nc,two.png\n")
    shell("ingest", table)
    (facts,) = shell.json("status")
    assert facts["dead_letters"] == 0
