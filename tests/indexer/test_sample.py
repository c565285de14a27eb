"""The sample shop: ready made in the package, drawn in a checkout."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from indexer.core.errors import UsageError
from indexer.core.watch import Watch
from indexer.jobs import sample
from pocket import planting, shop


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop as it is packed."""
    folder = tmp_path_factory.mktemp("shop")
    written = sample.write_shop(folder)
    assert written == sample.Shop(products=660, broken=4, types=82, categories=13)
    return folder


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def products(folder: Path) -> list[dict[str, str]]:
    """The rows of the table whose pictures are whole."""
    return [
        row for row in read(folder / sample.PRODUCTS) if not row["id"].startswith(sample.BROKEN)
    ]


def test_every_picture_of_the_tables_is_there(folder: Path) -> None:
    """Whole ones can be read, and no picture is of no product."""
    rows = read(folder / sample.PRODUCTS) + read(folder / sample.ELECTRONICS)
    images = {row[column] for row in rows for column in ("image", "image_2", "image_3")} - {""}
    files = {path.relative_to(folder).as_posix() for path in (folder / "pictures").iterdir()}
    assert images == files | {"pictures/missing.jpg"}
    whole = [row["image"] for row in rows if not row["id"].startswith(sample.BROKEN)]
    assert len(whole) == 656 + 60
    further = [image for image in files if image.endswith(".webp")]
    assert len(further) == 82 + 41
    for image in [*whole, *further]:
        Image.open(folder / image).load()


def test_one_typed_category_in_twenty_is_wrong(products: list[dict[str, str]]) -> None:
    """A wrong one is another product type of the taxonomy."""
    types = {row["truth"] for row in products}
    wrong = [row for row in products if row["category"] != row["truth"]]
    assert len(wrong) == round(0.05 * 656)
    assert {row["category"] for row in wrong} <= types


def test_variants_are_one_design_in_other_colours(products: list[dict[str, str]]) -> None:
    """All else of them is the same, and each has a sku of its own."""
    designs = Counter(row["design"] for row in products)
    assert Counter(designs.values())[3] == 20
    assert max(designs.values()) == 3
    same = ("pattern", "brand", "price", "truth")
    for design in (design for design, count in designs.items() if count == 3):
        variants = [row for row in products if row["design"] == design]
        assert len({tuple(row[column] for column in same) for row in variants}) == 1
        assert len({row["colour"] for row in variants}) == 3
    assert len({row["sku"] for row in products}) == len(products)


def test_some_pictures_exist_again_under_other_ids(
    folder: Path, products: list[dict[str, str]]
) -> None:
    """Encoded again, cropped and watermarked: near the original, and not the same file."""
    by_id = {row["id"]: row for row in products}
    copies = read(folder / sample.COPIES)
    assert Counter(row["copy"] for row in copies) == dict.fromkeys(planting.COPYING, 8)
    for row in copies:
        copy, original = by_id[row["id"]], by_id[row["original"]]
        assert copy["truth"] == original["truth"]
        contents = [(folder / listing["image"]).read_bytes() for listing in (copy, original)]
        assert contents[0] != contents[1]
        small = [
            np.asarray(Image.open(folder / listing["image"]).convert("RGB").resize((16, 16)), float)
            for listing in (copy, original)
        ]
        assert np.corrcoef(small[0].ravel(), small[1].ravel())[0, 1] > 0.5


def test_the_packed_taxonomy_is_the_one_that_is_drawn(folder: Path, tmp_path: Path) -> None:
    """Who changes the product types packs the shop anew: ``python -m pocket.shop``."""
    shop.write_labels(tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_the_packed_shop_is_small() -> None:
    """It is part of every installation."""
    assert sample.PACKED.stat().st_size < 1_500_000


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    """Nothing is overwritten."""
    (tmp_path / "mine").touch()
    with pytest.raises(UsageError, match="not empty"):
        sample.write_shop(tmp_path)
    with pytest.raises(UsageError, match="not empty"):
        sample.draw_shop(tmp_path, each=1)


@pytest.mark.slow
def test_a_checkout_draws_others(tmp_path: Path) -> None:
    """So many products of each type, and the count is told on the way."""
    totals: list[int | None] = []
    steps: list[int] = []
    watch = Watch(begin=lambda _, pictures: totals.append(pictures), advance=steps.append)
    drawn = sample.draw_shop(tmp_path, each=1, watch=watch)
    assert drawn == sample.Shop(products=86, broken=4, types=82, categories=13)
    assert totals == [sum(steps)] == [82 + 60]
    assert len(list((tmp_path / "pictures").glob("p*.jpg"))) == 82
    assert len(list((tmp_path / "pictures").glob("p*.webp"))) == 10 + 5


def test_an_installation_says_where_drawing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code that draws is not in the wheel."""
    monkeypatch.setattr(sample, "_ROOT", tmp_path)
    with pytest.raises(UsageError, match="clone of the repository"):
        sample.draw_shop(tmp_path / "shop", each=1)
