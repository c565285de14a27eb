"""The index of words follows the archive, whatever happens to either."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.catalog.archive import Archive, Removal
from indexer.catalog.ledger import Ledger
from indexer.catalog.text_index import LONGEST_VALUE, TextIndex
from indexer.core.errors import CatalogError
from indexer.core.records import EmbeddedItem, Kind

WIDTH = 4


def item(item_id: str, title: str = "", **metadata: Any) -> EmbeddedItem:
    """A row of the archive."""
    return EmbeddedItem(
        item_id=item_id,
        kind=Kind.PICTURE,
        source=f"{item_id}.jpg",
        title=title,
        metadata_json=json.dumps(metadata),
        content_hash="0" * 64,
        row_hash="1" * 32,
        vector=np.eye(WIDTH, dtype=np.float32)[0],
    )


class Made:
    """An archive with its ledger and its index of words."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.archive = Archive(folder / "archive", width=WIDTH)
        self.ledger = Ledger(folder / "ledger.sqlite", self.archive)
        self.texts = TextIndex(folder / "texts.sqlite")

    def write(self, *rows: EmbeddedItem | Removal) -> int:
        """A shard of rows."""
        number = self.archive.write(rows)
        self.ledger.add(number)
        return number

    def find(self, words: str) -> list[str]:
        """What the index finds once it has caught up."""
        self.texts.follow(self.archive, self.ledger)
        return self.texts.find(words, limit=10)

    def open_again(self, **options: Any) -> None:
        """As another process would."""
        self.texts.close()
        self.ledger.close()
        self.ledger = Ledger(self.folder / "ledger.sqlite", self.archive)
        self.texts = TextIndex(self.folder / "texts.sqlite", **options)

    def close(self) -> None:
        """Release the files."""
        self.texts.close()
        self.ledger.close()


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    """An archive of nothing."""
    made = Made(tmp_path)
    yield made
    made.close()


def test_the_newest_row_of_an_item_counts(made: Made) -> None:
    """In another shard, in the same one, and a removal."""
    made.write(item("a", "old mug"), item("b", "old boot"), item("b", "new boot"))
    assert (made.find("old"), made.find("new")) == (["a"], ["b"])
    made.write(item("a", "new mug"))
    assert (made.find("old"), set(made.find("new"))) == ([], {"a", "b"})
    made.write(Removal(item_id="a"))
    assert made.find("mug") == []
    assert made.texts.count() == 1
    made.write(item("a", "mug again"))
    assert made.find("mug") == ["a"]


def test_values_that_are_indexed(made: Made) -> None:
    """Texts, whole numbers, what is in lists and objects; no addresses, no long texts."""
    made.write(
        item(
            "a",
            sku="AB-1",
            ean=4006381333931,
            tags=["round", {"made": "lisbon"}],
            price=19.99,
            sale=True,
            picture="https://shop.test/vase.jpg",
            story="endless " * LONGEST_VALUE,
        )
    )
    for words in ("ab1", "4006381333931", "round", "lisbon", "a"):
        assert made.find(words) == ["a"], words
    for words in ("19.99", "true", "vase", "endless", "sku"):
        assert made.find(words) == [], words
    assert made.texts.columns() == {
        "sku", "ean", "tags", "price", "sale", "picture", "story",
    }  # fmt: skip


def test_an_interrupted_shard_is_indexed_again(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is there before all of it is."""
    made.write(item("a", "mug"))
    made.write(item("b", "boot"), item("c", "mug"))
    made.find("mug")
    made.write(item("d", "mug"), item("e", "boot"))
    indexed = TextIndex._text

    def killed(self: TextIndex, described: Any, names: set[str]) -> str:
        if described[0] == "e":
            raise KeyboardInterrupt
        return indexed(self, described, names)

    monkeypatch.setattr(TextIndex, "_text", killed)
    with pytest.raises(KeyboardInterrupt):
        made.find("mug")
    monkeypatch.undo()
    made.open_again()
    assert made.texts.find("d", limit=10) == []
    assert set(made.find("mug")) == {"a", "c", "d"}


def test_a_shard_that_was_set_aside_hides_nothing(made: Made) -> None:
    """Rows that it replaced are found again."""
    made.write(item("a", "old mug"))
    made.write(item("a", "new mug"))
    assert (made.find("old"), made.find("new")) == ([], ["a"])
    made.archive.set_aside(2)
    made.open_again()
    assert (made.find("old"), made.find("new")) == (["a"], [])


def test_other_columns_are_indexed_anew(made: Made) -> None:
    """A long text too where its column is named."""
    made.write(item("a", "mug", sku="AB-1", story="endless " * LONGEST_VALUE))
    assert made.find("ab1") == ["a"]
    made.open_again(columns=["story"])
    assert (made.find("ab1"), made.find("endless")) == ([], ["a"])


def test_two_processes_index_at_a_time(made: Made) -> None:
    """Each finds all, and no row is there twice."""
    other = TextIndex(made.folder / "texts.sqlite")
    made.write(item("a", "mug"))
    made.find("mug")
    other.follow(made.archive, made.ledger)
    assert other.find("mug", limit=10) == ["a"]
    assert other.count() == 1
    other.close()


def test_damage_is_told(made: Made) -> None:
    """With a remedy; a file that is no database at all is made again."""
    made.write(item("a", "mug"))
    made.find("mug")
    with sqlite3.connect(made.folder / "texts.sqlite") as other:
        other.execute("DELETE FROM texts_data WHERE id > 10")
    other.close()
    made.open_again()
    with pytest.raises(CatalogError, match="zeroshelf rebuild"):
        made.texts.find("mug", limit=10)
    made.close()
    for file in made.folder.glob("texts.sqlite*"):
        file.unlink()
    (made.folder / "texts.sqlite").write_bytes(b"no database " * 1_000)
    made.open_again()
    assert made.find("mug") == ["a"]
