"""The sample shop: ready made in the package, drawn in a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from indexer.core.errors import UsageError
from indexer.core.watch import Watch
from indexer.jobs import sample
from pocket import shop


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shop as it is packed."""
    folder = tmp_path_factory.mktemp("shop")
    written = sample.write_shop(folder)
    assert written == sample.Shop(products=660, broken=4, types=82, categories=13)
    return folder


def test_every_picture_of_the_tables_is_there(folder: Path) -> None:
    """Whole ones can be read, and no picture is of no product."""
    images = set()
    for table in (sample.PRODUCTS, sample.ELECTRONICS):
        rows = (folder / table).read_text(encoding="utf-8").splitlines()[1:]
        images |= {row.split(",")[1] for row in rows}
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.jpg")}
    assert images == files | {"pictures/missing.jpg"}
    whole = [image for image in files if image.split("/")[1][0] in "pe" and image[-5].isdigit()]
    assert len(whole) == 656 + 60
    for image in whole:
        Image.open(folder / image).load()


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


def test_an_installation_says_where_drawing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code that draws is not in the wheel."""
    monkeypatch.setattr(sample, "_ROOT", tmp_path)
    with pytest.raises(UsageError, match="clone of the repository"):
        sample.draw_shop(tmp_path / "shop", each=1)
