"""A catalog in Python: labels of inputs, explanations, look-alikes, wrong labels, removals."""

from __future__ import annotations

import pickle
import random
import re
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from PIL import Image

from indexer.catalog.options import CatalogOptions
from indexer.core.errors import CatalogError, ItemError, UsageError
from indexer.encoder import SentenceTransformerEncoder
from pocket.drawing import draw, product_type
from queries import Catalog, Frame
from queries.deciding.question import Question, ViewPooling

NAMES = ("mug", "sneaker", "laptop", "guitar")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty pictures of four products, a copy of one, and a column of which one label is wrong."""
    folder = tmp_path_factory.mktemp("more")
    rng = random.Random(5)
    rows = ["id,image,title,typed"]
    for name in NAMES:
        for colour in ("red", "blue", "green", "yellow", "black"):
            file = folder / f"{name}-{colour}.png"
            draw(product_type(name), colour=colour, size=128, rng=rng).save(file)
            rows.append(f"{file.stem},{file},{colour} {name},{name}")
    rows.append(f"copy,{folder / 'mug-red.png'},the same mug,guitar")
    (folder / "products.csv").write_text("\n".join(rows))
    (folder / "labels.txt").write_text("\n".join(NAMES))
    return folder


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    """The catalog, with labels."""
    catalog = Catalog("shop", model="pocket", data_dir=folder / "data")
    catalog.ingest(folder / "products.csv")
    catalog.add_labels(folder / "labels.txt")
    return catalog


def best(frame: Frame) -> dict[str, str]:
    """The best label of each input."""
    return {row["input"]: row["label"] for row in frame.table.to_pylist() if row["rank"] == 1}


def test_inputs_of_all_kinds_are_labelled(catalog: Catalog, folder: Path) -> None:
    """A path, bytes, a picture of Pillow and an array of one file have one answer."""
    file = folder / "laptop-red.png"
    with Image.open(file) as picture:
        picture.load()
    frame = catalog.classify(
        file,
        str(folder / "mug-blue.png"),
        file.read_bytes(),
        picture,
        np.asarray(picture.convert("RGB")),
        texts=["a guitar"],
        item_ids=["sneaker-green"],
        question=Question(limit=2),
    )
    assert best(frame) == {
        str(file): "laptop",
        str(folder / "mug-blue.png"): "mug",
        "input 3": "laptop",
        "input 4": "laptop",
        "input 5": "laptop",
        "a guitar": "guitar",
        "sneaker-green": "sneaker",
    }
    rows = frame.table.to_pylist()
    assert [row["rank"] for row in rows] == [1, 2] * 7
    scores = [row["score"] for row in rows if row["rank"] == 1 and row["label"] == "laptop"]
    assert scores == pytest.approx([scores[0]] * 4, abs=1e-6)
    assert rows[0]["path"] == ["laptop"]
    html = frame._repr_html_()
    assert html.count("<img") == 6
    assert len(re.findall(r'src="data:image/jpeg', html)) == 6


def test_a_photo_that_lies_on_its_side_is_labelled_upright(catalog: Catalog, folder: Path) -> None:
    """As its file is: Pillow turns nothing by itself."""
    file = folder / "sideways.jpg"
    with Image.open(folder / "guitar-red.png") as picture:
        exif = Image.Exif()
        exif[0x0112] = 6
        turned = picture.convert("RGB").rotate(90, expand=True)
        turned.save(file, quality=95, exif=exif)
    with Image.open(file) as picture:
        frame = catalog.classify(file, picture, question=Question(limit=1))
    first, second = frame.table.column("similarity").to_pylist()
    assert first == pytest.approx(second, abs=1e-4)


def test_an_input_that_can_not_be_used_has_its_error(catalog: Catalog, folder: Path) -> None:
    """It has a row, and the others their labels; a message names no folder of ours."""
    frame = catalog.classify(b"no picture", folder / "gone.png", folder / "mug-red.png")
    broken, missing, *good = frame.table.to_pylist()
    assert broken["label"] is None
    assert broken["error"].startswith("input 1: ")
    assert "gone.png" in missing["error"]
    assert good[0]["label"] == "mug"
    assert "error" in frame.shown
    with pytest.raises(UsageError, match=r"shape \(2, 2\).*height, width, 3"):
        catalog.classify(np.zeros((2, 2)))
    with pytest.raises(UsageError, match="nothing to label"):
        catalog.classify()


def test_an_explanation_is_a_frame(catalog: Catalog, folder: Path) -> None:
    """Labels, prompts of the two best, neighbours with their pictures, words."""
    with Image.open(folder / "mug-red.png") as picture:
        labels = catalog.explain(picture)
    assert labels.table.column("label").to_pylist()[0] == "mug"
    assert labels.title.startswith("Labels of input 1: mug")
    prompts = catalog.explain(item_id="mug-red", figures="prompts").table.to_pylist()
    assert any("mug" in row["text"] for row in prompts)
    near = catalog.explain(folder / "guitar-red.png", figures="neighbours")
    assert near.table.column("item_id").to_pylist()[0] == "guitar-red"
    assert near._repr_html_().count("<img") == len(near)
    words = catalog.explain(text="a red guitar", figures="words")
    assert words.table.column("word").to_pylist() == ["a", "red", "guitar"]
    with pytest.raises(UsageError, match="neighbours"):
        catalog.explain(text="a", figures="neighbors")
    with pytest.raises(UsageError, match="exactly one"):
        catalog.explain()


def test_look_alikes_and_wrong_labels_are_frames(catalog: Catalog) -> None:
    """The copy is found, and so is what was typed for it."""
    alike = catalog.duplicates(near=0.99, product=0.999, variants=False)
    pair = {row["item_id"]: row["kept"] for row in alike.table.to_pylist()}
    assert pair == {"mug-red": True, "copy": False}
    assert alike._repr_html_().count("<img") == 2
    wrong = catalog.audit("typed")
    (first, *_) = wrong.table.to_pylist()
    assert (first["item_id"], first["typed"], first["label"]) == ("copy", "guitar", "mug")
    assert wrong.title.startswith("Labels to look at in typed: ")


def test_a_catalog_is_taught_and_items_are_removed(folder: Path) -> None:
    """In a catalog of its own; a removal names its items in one way."""
    catalog = Catalog("taught", model="pocket", data_dir=folder / "data")
    catalog.ingest(folder / "products.csv")
    catalog.add_labels(folder / "labels.txt")
    (report,) = catalog.teach("typed").table.to_pylist()
    assert (report["examples"], report["labels"]) == (21, 4)
    assert isinstance(report["used"], bool)
    with pytest.raises(UsageError, match="exactly one"):
        catalog.teach()
    (found,) = catalog.calibrate("typed", target_precision=0.6).table.to_pylist()
    assert found["items"] == 21
    assert isinstance(found["beyond_chance"], bool)
    assert 0 <= found["calibration_error"] <= 1
    assert found["more_items"] is None or found["min_score"] is None
    with pytest.raises(UsageError, match="exactly one"):
        catalog.calibrate()
    (counts,) = catalog.remove("copy").table.to_pylist()
    assert counts["removed"] == 1
    (counts,) = catalog.remove(filter_expression='metadata["typed"] == "mug"').table.to_pylist()
    assert counts["removed"] == 5
    assert not {"copy", "mug-red"} & set(catalog.search("mug").table.column("item_id").to_pylist())
    with pytest.raises(UsageError, match="by their ids, or by"):
        catalog.remove()
    with pytest.raises(CatalogError, match="Nothing was removed"):
        catalog.remove("copy", "guitar-red")


def test_columns_and_single_values_are_taken_for_what_they_are(
    catalog: Catalog, folder: Path
) -> None:
    """Columns of data frames are lists, None is no title, and letters are no entries."""
    texts = ["a mug", "a guitar"]
    for column in (pd.Series(texts), pl.Series(texts), pa.array(texts), np.array(texts)):
        frame = catalog.classify(texts=column, question=Question(limit=1))
        assert frame.table.column("label").to_pylist() == ["mug", "guitar"]
    files = (folder / "mug-red.png", folder / "mug-blue.png")
    titled = catalog.classify(*files, titles=["a mug", None])
    assert best(titled) == dict.fromkeys(map(str, files), "mug")
    for asked, message in (
        (lambda: catalog.classify(texts=["a mug", None]), r"texts\[1\] is None"),
        (lambda: catalog.classify(list(files)), r"list is no single input.*\*inputs"),
        (lambda: catalog.search("mug", without="red"), "without is a list: give ..red"),
        (lambda: catalog.search("mug", categories="mug"), "categories is a list"),
        (lambda: catalog.search("mug", limit=2.5), "limit 2.5: give a whole number from 1"),
        (lambda: catalog.search("mug", limit=-1), "limit -1: give"),
        (lambda: catalog.search("mug", min_similarity=7), "min_similarity 7: give a number"),
        (lambda: catalog.search("mug", image=files[0], text_weight=7), "text_weight 7: give"),
        (lambda: catalog.audit("typed", min_probability=7), "min_probability 7"),
        (lambda: catalog.duplicates(near=7), "near 7: give a number from 0 to 1"),
        (lambda: catalog.teach("typed", unknown="none"), "unknown is a list"),
        (lambda: catalog.calibrate("typed", target_precision=7), "target_precision 7"),
        (lambda: catalog.remove(["mug-red"]), r"item_ids\[0\] is"),  # type: ignore[arg-type]
        (lambda: catalog.ingest(pd.DataFrame({"id": ["a"]})), "DataFrame is no path.*to_parquet"),
        (lambda: catalog.add_labels(["mug"]), "list is no path"),  # type: ignore[arg-type]
        (lambda: catalog.search(item_id=5), "item_id 5 is no text"),  # type: ignore[arg-type]
        (lambda: catalog.explain(item_id=5), "item_id 5 is no text"),  # type: ignore[arg-type]
        (lambda: catalog.search("mug", filter_expression=None), "filter_expression None"),
        (lambda: catalog.evaluate(None), "truth None"),  # type: ignore[arg-type]
        (lambda: catalog.audit(None), "truth None"),  # type: ignore[arg-type]
        (lambda: catalog.teach(file=pd.DataFrame()), "DataFrame is no path"),
    ):
        with pytest.raises(UsageError, match=message):
            asked()


def test_a_question_is_as_it_can_be(folder: Path) -> None:
    """A limit from 1 on, labels as a list of any kind, a pooling by its name; paths as texts."""
    for asked, message in (
        (lambda: Question(limit=0), "limit 0"),
        (lambda: Catalog("shop", set_name="colour"), "set_name is of each method"),
        (lambda: Catalog("shop", batch_size=0), "batch_size 0: give a whole number from 1"),
        (lambda: SentenceTransformerEncoder("pocket", precision="float8"), "'float8': one of auto"),
        (lambda: Question(limit=2.5), "limit 2.5"),  # type: ignore[arg-type]
        (lambda: Question(labels="mug"), "labels is a list"),  # type: ignore[arg-type]
        (lambda: Question(view_pooling="bst"), "one of auto, mean, best"),  # type: ignore[arg-type]
    ):
        with pytest.raises(UsageError, match=message):
            asked()
    assert Question(labels=["mug"]) == Question(labels=("mug",))  # type: ignore[arg-type]
    assert Question(view_pooling="best").view_pooling is ViewPooling.BEST  # type: ignore[arg-type]
    options = CatalogOptions(catalog="shop", data_dir=str(folder / "data"))  # type: ignore[arg-type]
    assert options == Catalog("shop", data_dir=folder / "data").options
    assert Catalog("shop", model=Path("pocket")).options.model == "pocket"


def test_a_search_takes_what_classify_takes(catalog: Catalog, folder: Path) -> None:
    """A picture as bytes, of Pillow or an array finds what its file finds."""
    file = folder / "guitar-red.png"
    with Image.open(file) as picture:
        picture.load()
    for image in (file, file.read_bytes(), picture, np.asarray(picture.convert("RGB"))):
        hits = catalog.search(image=image, limit=1)
        assert hits.table.column("item_id").to_pylist() == ["guitar-red"]
    with pytest.raises(ItemError, match=r"^input 1: the file is empty"):
        catalog.search(image=b"")


def test_a_catalog_is_pickled(catalog: Catalog) -> None:
    """Its model is loaded again where it is needed."""
    catalog.classify(texts=["a mug"])
    again = pickle.loads(pickle.dumps(catalog))
    assert best(again.classify(texts=["a mug"])) == {"a mug": "mug"}


def test_a_frame_without_rows_has_its_columns(catalog: Catalog) -> None:
    """So what reads a column works on a catalog where nothing is found, too."""
    parts = catalog.explain(item_id="mug-red", figures="parts")
    assert (len(parts), parts.table.column_names[:2]) == (0, ["part_id", "source"])
    assert repr(parts).count("\n") == 0
    mixed_up = catalog.evaluate("typed", figures="confusions")
    assert mixed_up.table.column_names == ["truth_id", "predicted_id", "items"]


def test_how_a_table_is_read_is_refused_before_anything_is_written(
    folder: Path, tmp_path: Path
) -> None:
    """A type that there is not damaged the catalog; letters were columns."""
    catalog, table = Catalog("read", model="pocket", data_dir=tmp_path), folder / "products.csv"
    for how, message in (
        ({"column_types": {"typed": "txt"}}, r"column_types\['typed'\] 'txt': one of text"),
        ({"exclude_columns": "typed"}, "exclude_columns is a list"),
        ({"columns": "typed"}, "columns is a list"),
        ({"image_column": ["image", "image_2"]}, "give a column's name, several between commas"),
        ({"id_column": None}, "id_column None"),
        ({"format": "shpify"}, "format 'shpify': one of auto"),
        ({"vectors": np.eye(3)}, "numpy.save"),
    ):
        with pytest.raises(UsageError, match=message):
            catalog.ingest(table, **how)
    assert not (tmp_path / "catalogs").exists()
    np.save(tmp_path / "v.npy", np.eye(21, 32, dtype=np.float32) + 0.1)
    given = Catalog("given", data_dir=tmp_path)
    frame = given.ingest(table, vectors=tmp_path / "v.npy", column_types={"typed": "text"})
    assert frame.table.column("stored").to_pylist() == [21]
