"""The demo's page: what each command made, in pictures."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from queries.demo import DOUBTFUL_BELOW, WORDS, Story
from queries.pages import parts

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Goods:
    """A table of the sample and the predictions of ``categorize`` for it."""

    products: dict[str, Row]
    labelled: list[Row]
    folder: Path

    @property
    def accuracy(self) -> float:
        """Share of the items whose label is the truth."""
        right = sum(row["label_id"] == self.truth(row) for row in self.labelled)
        return float(right / len(self.labelled))

    def truth(self, row: Row) -> str:
        return str(self.products[row["item_id"]]["truth"])

    def picture(self, row: Row) -> str:
        return str(self.folder / self.products[row["item_id"]]["image"])


def demo_page(story: Story, pictures: parts.Pictures) -> str:
    """The page as one file."""
    goods = _read(story, "products.csv", "categories")
    earlier = _read(story, "electronics.csv", "before")
    electronics = _read(story, "electronics.csv", "after")
    ids_before = {row["item_id"]: row["label_id"] for row in earlier.labelled}
    return parts.render(
        "demo.html",
        title="zeroshelf demo",
        pictures=pictures,
        story=story,
        words=WORDS,
        counts=story.ingest.result[0],
        dead_letters=_dead_letters(story),
        goods=goods,
        doubtful_below=DOUBTFUL_BELOW,
        doubtful=sum(row["score"] < DOUBTFUL_BELOW for row in goods.labelled),
        categories=_by_category(goods),
        electronics=electronics,
        label_before={row["item_id"]: row["label"] for row in earlier.labelled},
        shares=_shares(earlier, electronics),
        moved=[
            row for row in electronics.labelled if row["label_id"] != ids_before[row["item_id"]]
        ],
    )


def accuracy(story: Story) -> tuple[float, int]:
    """Share of right labels in the main catalog, and of how many items."""
    goods = _read(story, "products.csv", "categories")
    return goods.accuracy, len(goods.labelled)


def _read(story: Story, table: str, result: str) -> _Goods:
    import pyarrow.parquet as pq

    folder = (story.folder / "shop").resolve()
    with (folder / table).open(encoding="utf-8", newline="") as stream:
        products = {row["id"]: row for row in csv.DictReader(stream)}
    return _Goods(products, pq.read_table(story.table(result)).to_pylist(), folder)


def _dead_letters(story: Story) -> list[Row]:
    """The dead letters, without the name of this machine's folder."""
    lines = story.dead_letters.read_text("utf-8").splitlines()
    letters = [json.loads(line) for line in lines]
    here = f"{story.folder.resolve()}/"
    return [letter | {"message": letter["message"].replace(here, "")} for letter in letters]


def _by_category(goods: _Goods) -> dict[str, list[Row]]:
    """The items below each top category, the surest of each label first."""
    by_category: dict[str, list[Row]] = {}
    for row in sorted(goods.labelled, key=lambda row: (row["path"], -row["score"])):
        by_category.setdefault(row["path"].split(" > ")[0], []).append(row)
    return by_category


def _shares(earlier: _Goods, later: _Goods) -> list[tuple[str, int, int]]:
    """Each label with its items before and after."""
    old, new = (Counter(row["label"] for row in goods.labelled) for goods in (earlier, later))
    return [(label, old[label], new[label]) for label in sorted({*old, *new})]
