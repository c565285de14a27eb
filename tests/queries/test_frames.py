"""A catalog in Python: each method gives the commands' results as frames that notebooks show."""

from __future__ import annotations

import random
import re
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from indexer.core.errors import CatalogError, UsageError
from pocket.drawing import draw, product_type
from queries import Catalog, Frame

NAMES = ("mug", "sneaker", "laptop", "guitar")
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pictures of four products, a table of them with a row too many, and labels."""
    folder = tmp_path_factory.mktemp("frames")
    rng = random.Random(5)
    rows = ["id,image,title,brand,truth"]
    for name in NAMES:
        for colour in ("red", "blue"):
            file = folder / f"{name}-{colour}.png"
            draw(product_type(name), colour=colour, size=128, rng=rng).save(file)
            rows.append(f"{file.stem},{file},{colour} {name},{colour.title()},{name}")
    rows[1] = rows[1].replace("red mug", HOSTILE)
    rows.append(f"gone,{folder / 'gone.png'},nothing,Red,mug")
    (folder / "products.csv").write_text("\n".join(rows))
    (folder / "labels.txt").write_text("\n".join(NAMES))
    return folder


@pytest.fixture(scope="module")
def catalog(folder: Path) -> Catalog:
    """The catalog after the first three methods, which are looked at here."""
    catalog = Catalog("shop", model="pocket", data_dir=folder / "data")
    counts = catalog.ingest(folder / "products.csv")
    assert counts.table.select(["read", "stored", "dead"]).to_pylist() == [
        {"read": 9, "stored": 8, "dead": 1}
    ]
    assert "missing" in counts._repr_html_()  # the reason of the dead letter
    assert catalog.add_labels(folder / "labels.txt").table.column("added").to_pylist() == [4]
    predictions = catalog.categorize(write_back=True)
    labels = {row["item_id"]: row["label"] for row in predictions.table.to_pylist()}
    assert labels == {f"{name}-{colour}": name for name in NAMES for colour in ("red", "blue")}
    assert predictions._repr_html_().count("<img") == 8
    return catalog


def test_a_frame_and_a_catalog_print_short(catalog: Catalog, folder: Path) -> None:
    """Some rows of the columns that are shown, and how many more there are."""
    assert repr(catalog) == f"<Catalog 'shop' in {str(folder / 'data')!r}>"
    first, *rows = repr(catalog.categorize()).splitlines()
    assert first.endswith("8 rows>")
    assert len(rows) == 6
    assert rows[0].startswith("  item_id: mug-red, path: mug, score: 0.")
    assert rows[-1] == "  ... and 3 more"


def test_labels_are_a_frame(catalog: Catalog) -> None:
    """In their order, with the types of the columns."""
    labels = catalog.labels()
    assert labels.table.column("name").to_pylist() == list(NAMES)
    assert labels.table.schema.field("path").type == pa.list_(pa.string())
    assert "<img" not in labels._repr_html_()


def test_a_search_gives_hits_by_words_picture_and_item(catalog: Catalog, folder: Path) -> None:
    """With chosen columns of the table, and under a filter by what was written back."""
    guitars = catalog.search("guitar", limit=2, columns=["brand"])
    assert set(guitars.table.column("item_id").to_pylist()) == {"guitar-red", "guitar-blue"}
    assert set(guitars.table.column("brand").to_pylist()) == {"Red", "Blue"}
    (hit,) = catalog.search(image=folder / "mug-red.png", limit=1).table.to_pylist()
    assert hit["item_id"] == "mug-red"
    assert hit["similarity"] > 0.99
    like = catalog.search(item_id="mug-red", filter_expression='label == "mug"')
    assert like.table.column("item_id").to_pylist() == ["mug-blue"]
    none = catalog.search("mug", filter_expression='label == "teapot"')
    assert len(none) == 0
    assert none.table.schema == catalog.search("mug").table.schema


def test_frames_become_those_of_other_libraries(catalog: Catalog) -> None:
    """By a method, and by Arrow's stream."""
    frame = catalog.search("mug", limit=3)
    assert_frame_equal(pl.DataFrame(frame), frame.to_polars())
    assert frame.to_pandas()["item_id"].tolist() == frame.table.column("item_id").to_pylist()
    assert pa.table(frame) == frame.table


def test_what_a_catalog_holds_is_text_in_a_notebook(catalog: Catalog) -> None:
    """A title of strangers is no markup; pictures are small and inside the page."""
    html = catalog.search("mug", limit=8)._repr_html_()
    assert HOSTILE not in html
    assert "&lt;script&gt;" in html
    sources = re.findall(r'src="([^"]*)"', html)
    assert len(sources) == 8
    assert all(one.startswith("data:image/jpeg;base64,") for one in sources)
    assert max(map(len, sources)) < 10_000
    assert "8 rows. 5 of 12 columns" in html


def test_a_notebook_shows_twenty_rows_and_says_so() -> None:
    """The others are counted."""
    frame = Frame.of_rows([{"a": row} for row in range(1_234)], {"a": pa.int64()}, title="t")
    html = frame._repr_html_()
    assert html.count("<tr>") == 21
    assert "The first 20 of 1,234 rows." in html
    assert "columns" not in html


def test_label_sets_have_columns_of_their_own(catalog: Catalog, folder: Path) -> None:
    """The notebook shows those of each set."""
    (folder / "colours.txt").write_text("red\nblue")
    catalog.add_labels(folder / "colours.txt", set_name="colour")
    assert catalog.labels(set_name="colour").table.column("name").to_pylist() == ["red", "blue"]
    both = catalog.categorize(sets=["category", "colour"])
    assert {"path", "colour_path"} <= set(both.shown)
    assert set(both.table.column("colour_label").to_pylist()) == {"red", "blue"}


def test_an_evaluation_is_a_frame(catalog: Catalog) -> None:
    """Measures as rows, nan as null; and the classes."""
    measures = catalog.evaluate("truth")
    values = dict(measures.to_polars().rows())
    assert values["acc1"] == 1.0
    assert values["auroc_unknown"] is None
    assert "8 items with a truth" in measures.title
    classes = catalog.evaluate("truth", figures="classes").to_polars()
    assert classes["items"].to_list() == [2] * 4
    with pytest.raises(UsageError, match="confusions"):
        catalog.evaluate("truth", figures="classs")


def test_what_is_not_there_is_told(catalog: Catalog, tmp_path: Path) -> None:
    """A catalog, a column, a question, facets, a picture and an item at once."""
    with pytest.raises(CatalogError, match="none"):
        Catalog("none", data_dir=tmp_path).labels()
    with pytest.raises(UsageError, match="brnd"):
        catalog.search("mug", columns=["brnd"])
    with pytest.raises(UsageError, match="nothing to search for"):
        catalog.search()
    with pytest.raises(UsageError, match="facets"):
        catalog.search("mug", facets=("brand",))
    with pytest.raises(UsageError, match="one of them"):
        catalog.search(image="a.png", item_id="mug-red")
