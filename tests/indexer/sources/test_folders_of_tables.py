"""Folders and patterns of tables, saved datasets and archives, as their true writers make them."""

from __future__ import annotations

import base64
import csv
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import datasets
import duckdb
import fsspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
import webdataset
from PIL import Image

from indexer.core.errors import ItemError, SourceError
from indexer.core.reasons import Reason
from indexer.core.records import Failure, Item
from indexer.sources import Fetcher, TableOptions, open_sources

ROWS = [
    {"id": str(n), "image": f"pics/{n}.png", "shop": "uk" if n % 2 else "d e", "year": 2020 + n % 3}
    for n in range(12)
]


def picture_of(number: int) -> bytes:
    """A small picture, another for each number."""
    target = io.BytesIO()
    Image.new("RGB", (8, 8), (number, 3, 7)).save(target, "PNG")
    return target.getvalue()


def items_of(*sources: object, options: TableOptions | None = None) -> list[Item]:
    """The items of sources without a bad row."""
    items = list(open_sources([str(source) for source in sources], options))
    bad = [item for item in items if isinstance(item, Failure)]
    assert not bad, bad
    return [item for item in items if isinstance(item, Item)]


def ids_of(items: list[Item]) -> list[str]:
    """Their ids, sorted."""
    return sorted(item.item_id for item in items)


def assert_readable(items: list[Item]) -> None:
    """Each source gives a picture."""
    with Fetcher() as fetcher:
        for item in items:
            assert fetcher.read(item.source).startswith(b"\x89PNG")


def by_pyarrow(folder: Path) -> None:
    """A hive folder of Parquet, as pyarrow writes it."""
    schema = pa.schema([("shop", pa.string()), ("year", pa.int64())])
    pa.dataset.write_dataset(
        pa.Table.from_pylist(ROWS),
        folder,
        format="parquet",
        partitioning=pa.dataset.partitioning(schema, flavor="hive"),
    )


def by_pyarrow_as_csv(folder: Path) -> None:
    """A hive folder of CSV."""
    schema = pa.schema([("shop", pa.string()), ("year", pa.int64())])
    pa.dataset.write_dataset(
        pa.Table.from_pylist(ROWS),
        folder,
        format="csv",
        partitioning=pa.dataset.partitioning(schema, flavor="hive"),
    )


def by_duckdb(folder: Path) -> None:
    """A hive folder, as DuckDB's COPY writes it."""
    connection = duckdb.connect()
    connection.register("rows", pa.Table.from_pylist(ROWS))
    connection.execute(f"COPY rows TO '{folder}' (FORMAT parquet, PARTITION_BY (shop, year))")


def by_polars(folder: Path) -> None:
    """A hive folder, as polars writes it."""
    pl.DataFrame(ROWS).write_parquet(folder, partition_by=["shop", "year"], mkdir=True)


@pytest.mark.parametrize("write", [by_pyarrow, by_pyarrow_as_csv, by_duckdb, by_polars])
def test_hive_partitions_are_columns(tmp_path: Path, write: Any) -> None:
    """Whoever wrote the folder, its rows are there with the columns that it is divided by."""
    write(tmp_path / "out")
    (tmp_path / "out" / "_SUCCESS").touch()
    items = items_of(tmp_path / "out")
    assert ids_of(items) == ids_of_rows()
    for item in items:
        row = ROWS[int(item.item_id)]
        assert item.metadata == {"shop": row["shop"], "year": row["year"]}
        assert item.source == f"{tmp_path}/out/pics/{item.item_id}.png"


def ids_of_rows() -> list[str]:
    """The ids that all the writers wrote."""
    return sorted(str(row["id"]) for row in ROWS)


def test_a_spark_folder(tmp_path: Path) -> None:
    """Marks, checksums and parts without rows are left out; relative paths begin at the folder."""
    folder = tmp_path / "out"
    folder.mkdir()
    for part in range(2):
        table = pa.Table.from_pylist(ROWS[part::2])
        pq.write_table(table, folder / f"part-0000{part}-abc-c000.snappy.parquet")
        (folder / f".part-0000{part}-abc-c000.snappy.parquet.crc").write_bytes(b"crc")
    (folder / "_SUCCESS").touch()
    (folder / "_committed_17").write_text("{}")
    (folder / "_temporary").mkdir()
    (folder / "_temporary" / "part-9.parquet").write_bytes(b"half")
    assert ids_of(items_of(folder)) == ids_of_rows()
    assert ids_of(items_of(f"{folder}/part-*.parquet")) == ids_of_rows()
    assert ids_of(items_of(f"{folder}/*")) == ids_of_rows()


def test_parts_of_text(tmp_path: Path) -> None:
    """CSV parts, one of no bytes, are one table."""
    folder = tmp_path / "out"
    folder.mkdir()
    for part in range(3):
        with (folder / f"part-{part}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(ROWS[0]))
            writer.writeheader()
            writer.writerows(ROWS[part::3])
    (folder / "part-3.csv").touch()
    (folder / "_SUCCESS").touch()
    assert ids_of(items_of(folder)) == ids_of_rows()


def test_missing_partition_values(tmp_path: Path) -> None:
    """Hive's name for no value is no value; whole numbers with zeros before them are text."""
    for value in ("007", "12", "__HIVE_DEFAULT_PARTITION__"):
        folder = tmp_path / f"gtin={value}"
        folder.mkdir()
        pq.write_table(pa.table({"id": [value], "image": ["a.png"]}), folder / "x.parquet")
    metadata = {item.item_id: item.metadata for item in items_of(tmp_path)}
    assert metadata == {
        "007": {"gtin": "007"},
        "12": {"gtin": "12"},
        "__HIVE_DEFAULT_PARTITION__": {},
    }


def test_patterns_of_folders(tmp_path: Path) -> None:
    """A wildcard in a folder's name keeps the columns that the folders give."""
    by_pyarrow(tmp_path / "out")
    items = items_of(f"{tmp_path}/out/shop=uk/year=*/*.parquet")
    assert {item.metadata["year"] for item in items} == {2020, 2021, 2022}
    items = items_of(f"{tmp_path}/out/shop=*")
    assert {item.metadata["shop"] for item in items} == {"uk", "d e"}


def test_patterns_at_an_address(tmp_path: Path) -> None:
    """A bucket's files are found by a pattern, and their paths are relative to its folder."""
    memory = fsspec.filesystem("memory")
    with fsspec.open(f"memory://{tmp_path.name}/part-0.parquet", "wb") as file:
        pq.write_table(pa.table({"id": ["1"], "image": ["pics/1.png"]}), file)
    with fsspec.open(f"memory://{tmp_path.name}/pics/1.png", "wb") as file:
        file.write(picture_of(1))
    (item,) = items_of(f"memory://{tmp_path.name}/part-*.parquet")
    assert item.source == f"memory://{tmp_path.name}/pics/1.png"
    assert_readable([item])
    (same,) = items_of(f"memory://{tmp_path.name}/part-*")
    assert same == item
    memory.rm(f"/{tmp_path.name}", recursive=True)


def test_patterns_of_pictures(tmp_path: Path) -> None:
    """Pictures are called by their paths below the part without wildcards."""
    for name in ("a/1.png", "b/1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(picture_of(1))
    assert ids_of(items_of(f"{tmp_path}/*/1.png")) == ["a/1.png", "b/1.png"]


def test_a_name_that_looks_like_a_pattern(tmp_path: Path) -> None:
    """A file whose very name holds brackets is that file."""
    (tmp_path / "a[1].png").write_bytes(picture_of(1))
    assert ids_of(items_of(tmp_path / "a[1].png")) == ["a[1].png"]


def test_nothing_matches(tmp_path: Path) -> None:
    """A pattern without matches is an error that says so."""
    with pytest.raises(SourceError, match="no file matches"):
        open_sources([f"{tmp_path}/*.parquet"])


def test_a_delta_table_is_refused(tmp_path: Path) -> None:
    """Files that only a log tells apart are not read as if all of them counted."""
    (tmp_path / "_delta_log").mkdir()
    pq.write_table(pa.table({"id": ["1"], "image": ["a.png"]}), tmp_path / "part-0.parquet")
    with pytest.raises(SourceError, match="Delta Lake"):
        open_sources([str(tmp_path)])


def dataset_of(count: int) -> Any:
    """A dataset with pictures in it, as Hugging Face's library makes it."""
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    rows = [
        {"image": {"bytes": picture_of(n), "path": f"{n}.png"}, "label": n} for n in range(count)
    ]
    return datasets.Dataset.from_list(rows, features=features)


def test_a_saved_dataset(tmp_path: Path) -> None:
    """What save_to_disk wrote is read by its folder's name, caches beside it are not."""
    folder = tmp_path / "saved"
    dataset_of(40).save_to_disk(folder, num_shards=3)
    (folder / "cache-0123.arrow").write_bytes((folder / "data-00000-of-00003.arrow").read_bytes())
    items = items_of(folder)
    assert [item.metadata["label"] for item in items] == list(range(40))
    assert items[0].item_id == "data-00000-of-00003.arrow#1"
    assert items[0].source == f"{folder}/data-00000-of-00003.arrow#1"
    with Fetcher() as fetcher:
        assert [fetcher.read(item.source) for item in items[::-1]] == [
            item.content for item in items[::-1]
        ]


def test_classes_of_datasets_are_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As ``datasets`` shows them, in lists and structs too; -1 is none; that is told once."""
    kind = datasets.ClassLabel(names=["mug", "shoe"])
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "kind": kind,
            "tags": datasets.Sequence(kind),
            "seen": {"best": kind, "sure": datasets.Value("bool")},
            "count": datasets.Value("int64"),
        }
    )
    rows = [
        {"kind": 1, "tags": [0, 1], "seen": {"best": 0, "sure": True}, "count": 1},
        {"kind": -1, "tags": [], "seen": None, "count": 0},
        {"kind": None, "tags": [-1], "seen": {"best": None, "sure": None}, "count": None},
    ]
    pictures = [{"image": {"bytes": picture_of(n), "path": None}} for n in range(3)]
    made = datasets.Dataset.from_list(
        [picture | row for picture, row in zip(pictures, rows, strict=True)], features=features
    )
    made.save_to_disk(tmp_path / "saved", num_shards=2)
    made.to_parquet(str(tmp_path / "made.parquet"))
    for source in (tmp_path / "saved", tmp_path / "made.parquet"):
        caplog.clear()
        found = [item.metadata for item in items_of(source)]
        assert [row.get("kind") for row in found] == ["shoe", None, None]
        assert [row["tags"] for row in found] == [["mug", "shoe"], [], [None]]
        assert found[0]["seen"] == {"best": "mug", "sure": True}
        assert [row.get("count") for row in found] == [1, 0, None]
        told = [record.getMessage() for record in caplog.records]
        assert sum("'kind' stand for 2 classes" in message for message in told) == 1


def test_a_number_without_a_class_is_a_dead_letter(tmp_path: Path) -> None:
    """The other rows are read; the names are right in a catalog's type, too."""
    features = {"image": {"_type": "Image"}, "kind": {"names": ["mug"], "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pa.table({"image": [picture_of(0), picture_of(1)], "kind": [0, 7]})
    pq.write_table(table.replace_schema_metadata(metadata), tmp_path / "t.parquet")
    source = open_sources([str(tmp_path / "t.parquet")])
    assert source.column_types["kind"] == "text"
    first, second = source
    assert isinstance(first, Item)
    assert first.metadata["kind"] == "mug"
    assert isinstance(second, Failure)
    assert "the column 'kind' has class 7 of 1, and no name for it" in second.message


def test_a_saved_dataset_of_splits(tmp_path: Path) -> None:
    """A DatasetDict gives each split's rows its name, and ids of their own."""
    folder = tmp_path / "saved"
    made = dataset_of(6)
    datasets.DatasetDict({"train": made, "test": made.select([1, 4])}).save_to_disk(folder)
    items = items_of(folder)
    assert [(item.metadata["split"], item.metadata["label"]) for item in items] == [
        *(("train", n) for n in range(6)),
        ("test", 1),
        ("test", 4),
    ]
    assert len(set(ids_of(items))) == 8
    assert_readable(items)


def test_a_dataset_of_the_hub(tmp_path: Path) -> None:
    """A repository's layout: a card, and Parquet files called after their splits."""
    (tmp_path / "README.md").write_text("# A dataset")
    data = tmp_path / "data"
    data.mkdir()
    for part, split in enumerate(("train", "train", "validation")):
        dataset_of(4).to_parquet(str(data / f"{split}-0000{part % 2}-of-00002.parquet"))
    items = items_of(tmp_path)
    assert sorted(item.metadata["split"] for item in items) == ["train"] * 8 + ["validation"] * 4
    assert len(set(ids_of(items))) == 12
    assert_readable(items)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_an_image_folder(tmp_path: Path, suffix: str) -> None:
    """A table of file names describes the pictures beside it; none is lost that it lacks."""
    for split in ("train", "test"):
        folder = tmp_path / split
        folder.mkdir()
        for n in range(3):
            (folder / f"{n}.png").write_bytes(picture_of(n))
        rows = [{"file_name": f"{n}.png", "text": f"picture {n}", "label": n} for n in range(2)]
        table = pl.DataFrame(rows)
        path = folder / f"metadata.{suffix}"
        {"csv": table.write_csv, "jsonl": table.write_ndjson, "parquet": table.write_parquet}[
            suffix
        ](path)
    items = {item.item_id: item for item in items_of(tmp_path)}
    assert sorted(items) == [f"{split}/{n}.png" for split in ("test", "train") for n in range(3)]
    assert items["train/1.png"].title == "picture 1"
    assert items["train/1.png"].metadata == {"label": 1, "split": "train"}
    assert items["train/2.png"].metadata == {"folder": "train"}
    assert_readable(list(items.values()))


def img2dataset(folder: Path, output_format: str) -> None:
    """A download as img2dataset's writers lay it out: a shard, its rows, its statistics."""
    rows: list[dict[str, Any]] = []
    for n in range(4):
        row = {"key": f"00000000{n}", "url": f"https://x/{n}", "caption": f"c {n}"}
        row |= {"status": "success", "error_message": None}
        rows.append(row if n != 2 else row | {"status": "failed", "error_message": "HTTP 404"})
    (folder / "00000_stats.json").write_text("{}")
    good = [row for row in rows if row["status"] == "success"]
    table = pa.Table.from_pylist(rows)
    if output_format == "webdataset":
        with webdataset.TarWriter(str(folder / "00000.tar")) as writer:
            for row in good:
                writer.write(
                    {
                        "__key__": row["key"],
                        "png": picture_of(1),
                        "txt": row["caption"],
                        "json": row,
                    }
                )
    elif output_format == "files":
        (folder / "00000").mkdir()
        for row in good:
            stem = folder / "00000" / str(row["key"])
            stem.with_suffix(".png").write_bytes(picture_of(1))
            stem.with_suffix(".txt").write_text(str(row["caption"]))
            stem.with_suffix(".json").write_text(json.dumps(row))
    else:
        pictures = [picture_of(1) if row["status"] == "success" else None for row in rows]
        table = table.append_column("jpg", pa.array(pictures, pa.binary()))
        table = table.append_column("txt", table["caption"])
    pq.write_table(table, folder / "00000.parquet")


@pytest.mark.parametrize("output_format", ["webdataset", "files", "parquet"])
def test_downloads_of_img2dataset(tmp_path: Path, output_format: str) -> None:
    """Each format gives the pictures with their captions, by the folder's name."""
    img2dataset(tmp_path, output_format)
    items = [item for item in open_sources([str(tmp_path)]) if isinstance(item, Item)]
    assert [item.title for item in items] == ["c 0", "c 1", "c 3"]
    assert [item.metadata["url"] for item in items] == [f"https://x/{n}" for n in (0, 1, 3)]
    assert_readable(items)
    bad = [item for item in open_sources([str(tmp_path)]) if isinstance(item, Failure)]
    assert len(bad) == (output_format == "parquet")


def test_archives(tmp_path: Path) -> None:
    """A zip file is a folder: its pictures, and a table with paths into it, open again."""
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for n in range(3):
            packed.writestr(f"products/sub {n}/{n}.png", picture_of(n))
        packed.writestr("table.csv", "id,image\n7,products/sub 1/1.png\n")
    items = items_of(f"zip://products::{archive}")
    assert ids_of(items) == ["sub 0/0.png", "sub 1/1.png", "sub 2/2.png"]
    assert items[0].source == f"zip://products/sub 0/0.png::{archive}"
    assert_readable(items)
    (row,) = items_of(f"zip://table.csv::{archive}")
    assert row.source == f"zip://products/sub 1/1.png::{archive}"
    assert_readable([row])
    assert len(items_of(archive)) == 3
    assert len(items_of(f"zip://products/*/*.png::{archive}")) == 3


def test_members_with_odd_names(tmp_path: Path) -> None:
    """From the root, from the working folder, and twice: the last of one name counts."""
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for n, name in enumerate(("/root.png", "./here.png", "twice.png")):
            packed.writestr(name, picture_of(n))
        with pytest.warns(UserWarning, match="Duplicate"):
            packed.writestr("twice.png", picture_of(3))
    items = items_of(archive)
    assert ids_of(items) == ["here.png", "root.png", "twice.png"]
    assert_readable(items)


def test_a_chain_with_a_relative_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive in the working folder is remembered by its whole path."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        packed.writestr("products/1.png", picture_of(1))
    monkeypatch.chdir(tmp_path)
    (item,) = items_of("zip://products::all.zip")
    assert item.source == f"zip://products/1.png::{tmp_path}/all.zip"


def test_tar_chains(tmp_path: Path) -> None:
    """A folder in a tar file lists its members with addresses that open."""
    with tarfile.open(tmp_path / "all.tar", "w") as packed:
        for n in range(3):
            info = tarfile.TarInfo(f"./products/{n}.png")
            info.size = len(picture_of(n))
            packed.addfile(info, io.BytesIO(picture_of(n)))
    items = items_of(f"tar://products::{tmp_path}/all.tar")
    assert ids_of(items) == ["0.png", "1.png", "2.png"]
    assert_readable(items)


def test_pictures_beside_a_list_stay_a_folder_of_pictures(tmp_path: Path) -> None:
    """A table beside pictures does not turn a folder of pictures into one of tables."""
    (tmp_path / "products.csv").write_text("id,image\n1,a.png\n")
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "a.png").write_bytes(picture_of(1))
    assert ids_of(items_of(tmp_path)) == ["pics/a.png"]


def test_base64_parts_are_found_again(tmp_path: Path) -> None:
    """Pictures inside the parts of a folder have addresses of their own part's rows."""
    for part in range(2):
        rows = [
            {"id": f"{part}-{n}", "image": base64.b64encode(picture_of(10 * part + n)).decode()}
            for n in range(3)
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / f"part-{part}.jsonl").write_text(text)
    items = items_of(tmp_path)
    with Fetcher() as fetcher:
        assert [fetcher.read(item.source) for item in items] == [item.content for item in items]
    assert len({item.content for item in items}) == 6


def test_vectors_of_clip_retrieval(tmp_path: Path) -> None:
    """Its folder is read as tables with their vectors."""
    from indexer.sources.embeddings import with_vectors

    for name in ("img_emb", "metadata"):
        (tmp_path / name).mkdir()
    generator = np.random.default_rng(1)
    for part in range(12):
        vectors = generator.normal(size=(2, 4)).astype(np.float16)
        np.save(tmp_path / "img_emb" / f"img_emb_{part:02}.npy", vectors)
        rows = [{"image_path": f"{part}/{n}", "caption": f"c {n}"} for n in range(2)]
        pl.DataFrame(rows).write_parquet(tmp_path / "metadata" / f"metadata_{part:02}.parquet")
    sources, options = with_vectors([str(tmp_path)], TableOptions())
    items = list(open_sources(sources, options))
    assert [item.item_id for item in items if isinstance(item, Item)] == [
        f"{part}/{n}" for part in range(12) for n in range(2)
    ]
    assert all(isinstance(item, Item) and item.vector is not None for item in items)


def test_json_lines_called_json(tmp_path: Path) -> None:
    """Spark and DuckDB call their lines .json; beside Parquet such files describe the rest."""
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "part-0.json").write_text(lines)
    (folder / "_SUCCESS").touch()
    assert ids_of(items_of(folder)) == ids_of_rows()
    assert ids_of(items_of(f"{folder}/part-*.json")) == ids_of_rows()
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    (tmp_path / "dataset_infos.json").write_text("{}")
    (tmp_path / "out" / "part-0.json").unlink()
    assert ids_of(items_of(tmp_path)) == ids_of_rows()


def test_a_link_back_is_no_endless_folder(tmp_path: Path) -> None:
    """A link to a folder above is an error that names it, in a folder of tables too."""
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "back").symlink_to(tmp_path)
    with pytest.raises(SourceError, match="links back to"):
        open_sources([str(tmp_path)])


def test_a_value_of_the_row_comes_before_the_path(tmp_path: Path) -> None:
    """A column that both have is the row's, where the row has a value."""
    folder = tmp_path / "shop=uk"
    folder.mkdir()
    (folder / "a.csv").write_text("id,image,shop\n1,a.png,de\n2,a.png,\n")
    assert [item.metadata["shop"] for item in items_of(tmp_path)] == ["de", "uk"]


def test_an_empty_metadata_table_leaves_pictures(tmp_path: Path) -> None:
    """A file that only has the name of a describing table does not spoil a folder of pictures."""
    (tmp_path / "a.png").write_bytes(picture_of(1))
    (tmp_path / "metadata.csv").touch()
    assert ids_of(items_of(tmp_path)) == ["a.png"]


@pytest.mark.parametrize(
    ("empty", "told"),
    [
        (["b.csv"], "a table is empty, without even a header: b.csv"),
        (["b.csv", "c.csv"], "2 tables are empty, without even a header: b.csv, c.csv"),
    ],
)
def test_empty_tables_are_named(
    tmp_path: Path, empty: list[str], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Writers leave parts of no bytes; which ones is told."""
    (tmp_path / "a.csv").write_text("id,image\n1,a.png\n")
    for name in empty:
        (tmp_path / name).touch()
    assert ids_of(items_of(tmp_path)) == ["1"]
    assert caplog.messages == [f"{tmp_path}: {told}"]


@pytest.mark.parametrize("mode", ["cut", "encrypted", "missing"])
def test_damaged_archives(tmp_path: Path, mode: str) -> None:
    """Each fault of an archive is an error or a dead letter with its name."""
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("products/1.png", picture_of(1))
    if mode == "cut":
        archive.write_bytes(archive.read_bytes()[:-30])
        with pytest.raises(SourceError, match=r"all\.zip"):
            open_sources([f"zip://products::{archive}"])
        return
    (item,) = items_of(f"zip://products::{archive}")
    if mode == "encrypted":
        content = bytearray(archive.read_bytes())
        for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            content[content.index(mark) + place] |= 1
        archive.write_bytes(bytes(content))
    else:
        archive.unlink()
    with Fetcher() as fetcher, pytest.raises(ItemError, match=r"all\.zip") as caught:
        fetcher.read(item.source)
    assert caught.value.reason is (Reason.UNREADABLE if mode == "encrypted" else Reason.MISSING)
