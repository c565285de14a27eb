"""Hugging Face's datasets, in and out, by Python and by the command line."""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest
from PIL import Image
from shell import Shell

from indexer.core.errors import UsageError
from pocket.drawing import draw, product_type
from queries import Catalog
from queries.frames.datasets import kept_dataset

NAMES = ("mug", "sneaker", "laptop")
FEATURES = datasets.Features(
    {
        "photo": datasets.Image(),
        "type": datasets.ClassLabel(names=list(NAMES)),
        "caption": datasets.Value("string"),
        "price": datasets.Value("float32"),
        "stocked": datasets.Value("bool"),
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of three products."""
    folder = tmp_path_factory.mktemp("datasets")
    rng = random.Random(5)
    for name in NAMES:
        for colour in ("red", "blue"):
            draw(product_type(name), colour=colour, size=96, rng=rng).save(
                folder / f"{name}-{colour}.png"
            )
    return folder


def opened(file: Path) -> Image.Image:
    """A picture in memory, and no file that stays open."""
    with Image.open(file) as picture:
        return picture.convert("RGB")


def rows(folder: Path) -> list[dict[str, Any]]:
    """The first half of the pictures by their paths, the others as Pillow has them."""
    files = sorted(folder.glob("*.png"))
    return [
        {
            "photo": str(file) if place < 3 else opened(file),
            "type": NAMES.index(file.stem.partition("-")[0]),
            "caption": file.stem.replace("-", " "),
            "price": None if place == 0 else float(place),
            "stocked": place % 2 == 0,
        }
        for place, file in enumerate(files)
    ]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Runs commands in a folder."""
    return Shell(tmp_path, in_process=True)


@pytest.fixture(scope="module")
def dataset(folder: Path) -> datasets.Dataset:
    """A dataset in memory, of the split train."""
    return datasets.Dataset.from_list(rows(folder), features=FEATURES, split="train")


@pytest.fixture(scope="module")
def catalog(folder: Path, dataset: datasets.Dataset) -> Catalog:
    """A catalog of it, with labels written back."""
    catalog = Catalog("hub", model="pocket", data_dir=folder / "data")
    (counts,) = catalog.ingest(dataset).table.to_pylist()
    assert (counts["read"], counts["stored"], counts["dead"]) == (6, 6, 0)
    (folder / "labels.txt").write_text("\n".join(NAMES))
    catalog.add_labels(folder / "labels.txt")
    catalog.categorize(write_back=True)
    return catalog


def test_items_have_the_rows_of_the_dataset(catalog: Catalog) -> None:
    """Pictures by path and in memory, captions as titles, classes by their names."""
    found = catalog.search("mug", limit=10, columns=["type", "price", "stocked"])
    by_id = {row["item_id"]: row for row in found.table.to_pylist()}
    assert by_id.keys() == {f"train-{row}" for row in range(6)}
    assert {row["type"] for row in by_id.values()} == set(NAMES)
    assert all(row["label"] == row["type"] for row in by_id.values())
    assert by_id["train-1"]["title"] == "laptop red"
    assert (by_id["train-0"]["price"], by_id["train-0"]["stocked"]) == (None, True)
    assert found._repr_html_().count("<img") == 6


def test_the_same_rows_are_kept_once(
    catalog: Catalog, dataset: datasets.Dataset, folder: Path
) -> None:
    """Again, and from where it was saved; nothing is left of the writing."""
    dataset.save_to_disk(folder / "saved")
    for again in (dataset, datasets.load_from_disk(folder / "saved")):
        (counts,) = catalog.ingest(again).table.to_pylist()
        assert (counts["stored"], counts["unchanged"]) == (0, 6)
    kept = list((folder / "data" / "uploads" / "hub" / "datasets").iterdir())
    assert len(kept) == 1


@pytest.mark.parametrize("stream", ["features", "mapped", "generated"])
def test_a_stream_is_read_to_its_end(dataset: datasets.Dataset, folder: Path, stream: str) -> None:
    """With features, after a map that forgets them, and from a generator without any."""

    def generated() -> Iterator[dict[str, Any]]:
        for row in rows(folder):
            file = folder / f"{row['caption'].replace(' ', '-')}.png"
            yield row | {"photo": opened(file), "type": NAMES[row["type"]]}

    made = {
        "features": lambda: dataset.to_iterable_dataset(),
        "mapped": lambda: dataset.to_iterable_dataset().map(
            lambda row: row | {"type": NAMES[row["type"]]}
        ),
        "generated": lambda: datasets.IterableDataset.from_generator(generated),
    }
    catalog = Catalog(stream, model="pocket", data_dir=folder / "streams")
    (counts,) = catalog.ingest(made[stream]()).table.to_pylist()
    assert (counts["stored"], counts["dead"]) == (6, 0)
    found = catalog.search("mug", limit=6, columns=["type"]).table.to_pylist()
    assert {row["type"] for row in found[:2]} == {"mug"}
    named = "train" if stream == "generated" else "row"  # without a split
    assert {row["item_id"] for row in found} == {f"{named}-{row}" for row in range(6)}


def test_a_catalog_becomes_a_dataset(catalog: Catalog, folder: Path) -> None:
    """Pictures as they lay there, columns with their types, labels; and it comes in again."""
    made = catalog.to_dataset()
    assert isinstance(made, datasets.Dataset)
    assert isinstance(made.features["image"], datasets.Image)
    assert made.features["price"].dtype == "float64"
    assert made.features["stocked"].dtype == "bool"
    rows_by_id = {row["id"]: row for row in made}
    row = rows_by_id["train-5"]
    assert (row["title"], row["label"], row["status"]) == ("sneaker red", "sneaker", "accepted")
    assert row["image"].convert("RGB") == opened(folder / "sneaker-red.png")
    again = Catalog("again", model="pocket", data_dir=folder / "again")
    (counts,) = again.ingest(made).table.to_pylist()
    assert counts["stored"] == 6
    (hit,) = again.search(item_id="train-5", limit=1, columns=["type"]).table.to_pylist()
    assert hit["type"] == "sneaker"


def test_an_export_is_opened_as_a_dataset(catalog: Catalog, folder: Path, shell: Shell) -> None:
    """By the command line; what can't be read any more is told, and what is there is not mixed."""
    where = ["--catalog", "hub", "--data-dir", str(folder / "data")]
    done = shell("export", "--to", "out", "--as-dataset", *where)
    assert "Wrote 6 rows, 6 with a picture" in done.stderr
    opened = datasets.load_dataset(
        str(shell.folder / "out"), split="train", cache_dir=str(shell.folder / "cache")
    )
    assert isinstance(opened.features["image"], datasets.Image)
    assert sorted(opened["id"]) == [f"train-{row}" for row in range(6)]
    assert opened[0]["image"].size == (96, 96)
    failed = shell("export", "--to", "out", "--as-dataset", *where, code=2)
    assert "holds a data set already" in failed.stderr
    with pytest.raises(UsageError, match="holds a data set already"):
        catalog.to_dataset(shell.folder / "out")
    shell("export", "--to", "out", "--as-dataset", "--replace", *where)
    assert len(list((shell.folder / "out").rglob("*.parquet"))) == 1
    (shell.folder / "out" / "data" / "other.parquet").write_bytes(b"")
    refused = shell("export", "--to", "out", "--as-dataset", "--replace", *where, code=2)
    assert "data/other.parquet: choose another folder" in " ".join(refused.stderr.split())


def test_a_stopped_export_is_no_dataset_and_the_same_call_makes_it(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had written is not taken for the whole."""

    def stop(writer: pq.ParquetWriter, table: Any) -> None:
        write(writer, table)
        raise KeyboardInterrupt

    write = pq.ParquetWriter.write_table
    monkeypatch.setattr(pq.ParquetWriter, "write_table", stop)
    with pytest.raises(KeyboardInterrupt):
        catalog.to_dataset(tmp_path / "out")
    monkeypatch.undo()
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    with pytest.raises((datasets.exceptions.DatasetNotFoundError, FileNotFoundError, ValueError)):
        datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert len(catalog.to_dataset(tmp_path / "out")) == 6
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["data"]


def test_pictures_that_are_gone_are_told(folder: Path, shell: Shell) -> None:
    """Their rows have none."""
    (shell.folder / "pictures").mkdir()
    for name in ("mug-red.png", "mug-blue.png"):
        (shell.folder / "pictures" / name).write_bytes((folder / name).read_bytes())
    shell("ingest", "pictures", "--model", "pocket")
    (shell.folder / "pictures" / "mug-red.png").unlink()
    done = shell("export", "--to", "out", "--as-dataset")
    assert "Wrote 2 rows, 1 with a picture" in done.stderr
    assert "1 picture can't be read any more, such as that of mug-red.png" in done.stderr


def test_what_is_no_dataset_is_told(
    dataset: datasets.Dataset, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several splits, no rows, and a library that is not there."""
    with pytest.raises(UsageError, match="one of its splits, 'train', 'test'"):
        catalog.ingest(datasets.DatasetDict(train=dataset, test=dataset))
    with pytest.raises(UsageError, match="no row"):
        catalog.ingest(dataset.select([]))

    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(UsageError, match=r"zeroshelf\[datasets\]"):
        catalog.to_dataset()


def kept_rows(dataset: Any, folder: Path) -> list[dict[str, Any]]:
    """The rows as they are kept for a catalog."""
    return list(pq.ParquetDataset(kept_dataset(dataset, folder, id_column="id")).read().to_pylist())


def test_classes_in_lists_and_structs_have_their_names(tmp_path: Path) -> None:
    """Several labels of a picture, and what a detector's dataset says of each box."""
    classes = datasets.ClassLabel(names=list(NAMES))
    features = datasets.Features(
        {"types": datasets.List(classes), "objects": {"kind": datasets.List(classes), "n": classes}}
    )
    given = [
        {"types": [0, 2], "objects": {"kind": [1], "n": -1}},
        {"types": [], "objects": {"kind": [2, 0], "n": 1}},
    ]
    dataset = datasets.Dataset.from_list(given, features=features)
    for made in (dataset, dataset.to_iterable_dataset()):
        assert kept_rows(made, tmp_path) == [
            {
                "id": "row-0",
                "types": ["mug", "laptop"],
                "objects": {"kind": ["sneaker"], "n": None},
            },
            {"id": "row-1", "types": [], "objects": {"kind": ["laptop", "mug"], "n": "sneaker"}},
        ]


def test_rows_of_a_stream_may_lack_columns(tmp_path: Path) -> None:
    """Those that the first row lacks are kept, and pictures in a struct too."""
    picture = Image.new("RGB", (8, 8), "red")

    def generated() -> Iterator[dict[str, Any]]:
        yield {"title": "a"}
        yield {"title": "b", "brand": "late", "view": {"front": picture}}

    first, second = kept_rows(datasets.IterableDataset.from_generator(generated), tmp_path)
    assert (first["brand"], first["view"], second["brand"]) == (None, None, "late")
    assert second["view"]["front"]["bytes"].startswith(b"\x89PNG")


def test_a_column_of_several_types_is_named(tmp_path: Path) -> None:
    """With what can be done about it, and nothing is left behind."""

    def generated() -> Iterator[dict[str, Any]]:
        yield from ({"size": value} for value in (1, "XL"))

    dataset = datasets.IterableDataset.from_generator(generated)
    with pytest.raises(UsageError, match="column 'size' of the dataset has no one type"):
        kept_dataset(dataset, tmp_path / "kept", id_column="id")
    assert not list((tmp_path / "kept").iterdir())


def test_columns_with_taken_names_lose_nothing(tmp_path: Path) -> None:
    """A column called as the decided label, and one called as that one would be."""
    (tmp_path / "items.jsonl").write_text(
        '{"id": "a", "title": "red mug", "label": "own"}\n'
        '{"id": "b", "title": "guitar", "label_given": "another"}'
    )
    catalog = Catalog("names", model="pocket", data_dir=tmp_path / "data")
    catalog.ingest(tmp_path / "items.jsonl", image_column="none")
    rows = {row["id"]: row for row in catalog.to_dataset()}
    assert (rows["a"]["label"], rows["a"]["label_given_given"]) == (None, "own")
    assert rows["b"]["label_given"] == "another"
