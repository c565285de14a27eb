"""The demo's page: what each command made, in pictures."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from queries.demo import DOUBTFUL_BELOW, WORDS, Step, Story
from queries.pages import parts
from queries.pages.search import hit_card
from queries.results import SearchHit

_SIDE = 120
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Goods:
    """A table of the sample with what ``categorize`` said of its items."""

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
    sections = [
        _summary(story, goods),
        _ingested(story),
        _categories(story, goods, pictures),
        _searches(story, pictures),
        _new_label(story, pictures),
    ]
    return parts.document("zeroshelf demo", "\n".join(sections))


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


def _summary(story: Story, goods: _Goods) -> str:
    counts = story.ingest.result[0]
    facts = {
        "products read": f"{counts['read']:,}",
        "stored": f"{counts['stored']:,}",
        "dead letters, kept and explained": f"{counts['dead_letters']:,}",
        "of the labels are right (top-1)": f"{goods.accuracy:.1%}",
        "labels in the taxonomy": f"{story.categorize.result[0]['labels']}",
        "seconds for everything on this page": f"{story.seconds:.0f}",
    }
    return (
        "<h1>A catalog, labelled zero-shot</h1>"
        "<p class='dim'>Drawn products of a shop that never was, labelled by nearest-neighbour "
        "search over the vectors of their labels' names. The model is <b>pocket</b>, a tiny CLIP "
        "trained on other drawings like these, for a first look and for tests; production uses "
        "clip-ViT-B-32 or better (<code>--model</code>).</p>" + parts.tiles(facts)
    )


def _ingested(story: Story) -> str:
    counts = story.ingest.result[0]
    letters = [json.loads(line) for line in story.dead_letters.read_text("utf-8").splitlines()]
    rows = "".join(
        f"<tr><td>{escape(one['item_id'])}</td><td>{escape(one['reason'])}</td>"
        f"<td>{escape(_without(one['message'], story.folder))}</td></tr>"
        for one in letters
    )
    return (
        "<h2>Ingested: every item accounted for</h2>"
        + parts.command(story.ingest.command)
        + f"<p>{counts['read']:,} read = {counts['stored']:,} stored + {counts['unchanged']:,} "
        f"unchanged + {counts['dead_letters']:,} dead letters, in {story.ingest.seconds:.1f} s. "
        "A bad picture never stops a job; <code>zeroshelf retry</code> tries it again.</p>"
        "<div class='scroll'><table><thead><tr><th>item</th><th>reason</th><th>what happened</th>"
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _categories(story: Story, goods: _Goods, pictures: parts.Pictures) -> str:
    doubtful = sum(row["score"] < DOUBTFUL_BELOW for row in goods.labelled)
    by_category: dict[str, list[Row]] = {}
    for row in sorted(goods.labelled, key=lambda row: (row["path"], -row["score"])):
        by_category.setdefault(row["path"].split(" > ")[0], []).append(row)
    blocks = "".join(
        f"<h3>{escape(category)} <span class='dim'>{len(rows)}</span></h3>"
        + parts.grid([_item_card(row, goods, pictures) for row in rows], width=104)
        for category, rows in by_category.items()
    )
    return (
        "<h2>Categorized</h2>"
        + parts.command(story.labels.command, story.categorize.command)
        + f"<p>{len(goods.labelled):,} items, {goods.accuracy:.1%} right. {doubtful} are "
        f"<span class='badge'>doubtful</span>: their score is below {DOUBTFUL_BELOW}. Where the "
        "label is wrong, the truth stands below it.</p>" + blocks
    )


def _item_card(row: Row, goods: _Goods, pictures: parts.Pictures) -> str:
    truth = goods.truth(row)
    doubtful, wrong = row["score"] < DOUBTFUL_BELOW, truth != row["label_id"]
    lines = [
        f"<div class='name small'>{escape(row['label'])}</div>",
        f"<div class='dim small number'>{row['score']:.0%}"
        + (" <span class='badge'>doubtful</span>" if doubtful else "")
        + "</div>",
    ]
    if wrong:
        lines.append(f"<div class='small truth'>is: {escape(truth)}</div>")
    classes = " ".join(name for name, on in (("doubtful", doubtful), ("wrong", wrong)) if on)
    picture = pictures.tag(goods.picture(row), row["label"], side=_SIDE)
    return parts.card(picture, lines, classes=classes)


def _searches(story: Story, pictures: parts.Pictures) -> str:
    asked = parts.grid(
        [parts.card(pictures.tag(story.picture, "the picture asked with", side=180), [])], width=150
    )
    return (
        f"<h2>Searched by words: {escape(WORDS)}</h2>"
        + parts.command(story.by_words.command)
        + _hits(story.by_words, pictures)
        + "<h2>Searched by picture</h2>"
        + parts.command(story.by_picture.command)
        + f"<h3>Asked with</h3>{asked}<h3>Found</h3>"
        + _hits(story.by_picture, pictures)
    )


def _hits(step: Step, pictures: parts.Pictures) -> str:
    hits = [SearchHit(**row) for row in step.result]
    return parts.grid([hit_card(hit, pictures, side=180) for hit in hits], width=140)


def _new_label(story: Story, pictures: parts.Pictures) -> str:
    before = _read(story, "electronics.csv", "before")
    after = _read(story, "electronics.csv", "after")
    old = {row["item_id"]: row for row in before.labelled}
    moved = [row for row in after.labelled if row["label_id"] != old[row["item_id"]]["label_id"]]
    changes = story.new_label.result[0]
    relabel_s = story.new_label.seconds + story.after.seconds
    first_s = story.shelf_ingest.seconds + story.shelf_labels.seconds + story.before.seconds
    cards = [
        parts.card(
            pictures.tag(after.picture(row), row["label"], side=_SIDE),
            [
                f"<div class='dim small'><s>{escape(old[row['item_id']]['label'])}</s></div>",
                f"<div class='name small'>{escape(row['label'])}</div>",
                f"<div class='dim small number'>{row['score']:.0%}</div>",
            ],
        )
        for row in moved
    ]
    facts = {
        "seconds: ingest, two labels, categorize": f"{first_s:.1f}",
        "seconds: a third label, categorize again": f"{relabel_s:.1f}",
        "pictures embedded for it": f"{len(story.embedded_after - story.embedded_before)}",
        "prompts embedded for it": f"{changes['embedded_texts']}",
        "items that moved": f"{len(moved)}",
    }
    return (
        "<h2>A new category, and nothing is embedded again</h2>"
        "<p>An electronics shelf knew laptops and smartphones, and its e-readers had to go "
        "somewhere. Then one label was added.</p>"
        + parts.command(story.before.command, story.new_label.command, story.after.command)
        + parts.tiles(facts)
        + _shares(before.labelled, after.labelled)
        + "<h3>They moved</h3>"
        + parts.grid(cards, width=104)
    )


def _shares(before: Sequence[Row], after: Sequence[Row]) -> str:
    old, new = (Counter(row["label"] for row in rows) for rows in (before, after))
    rows = "".join(
        f"<tr><td>{escape(label)}</td><td class='number'>{old[label]}</td>"
        f"<td class='number'>{new[label]}</td></tr>"
        for label in sorted({*old, *new})
    )
    return (
        "<div class='scroll'><table><thead><tr><th>label</th><th class='number'>items before</th>"
        f"<th class='number'>after</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _without(message: str, folder: Path) -> str:
    """A message without the folder of this machine."""
    return message.replace(f"{folder.resolve()}/", "")
