"""Items of several parts: their rows, their vectors, and hits an item."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from indexer.catalog.archive import Archive, Removal
from indexer.catalog.grouping import best_parts
from indexer.catalog.item_rows import ItemRows
from indexer.catalog.item_vectors import mean_vectors
from indexer.catalog.ledger import Ledger
from indexer.core.parts import is_id_of_part, order_of, part_id
from indexer.core.protocols import Hit
from indexer.core.records import EmbeddedItem, Kind

WIDTH = 4


def row(row_id: str, parent_id: str = "", part: str = "", axis: int = 0) -> EmbeddedItem:
    """A row whose vector is a unit vector."""
    return EmbeddedItem(
        item_id=row_id,
        kind=Kind.PICTURE,
        source=row_id,
        title="",
        metadata_json="{}",
        content_hash=row_id,
        row_hash="",
        vector=np.eye(WIDTH, dtype=np.float32)[axis],
        parent_id=parent_id,
        part_json=part,
    )


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Two items of several rows, over two shards, and one of a single row."""
    archive = Archive(tmp_path / "archive", width=WIDTH)
    archive.write([row("a"), row("b#view=3", "b", '{"view":3}', 2), row("c", axis=3)])
    archive.write([row("a#view=2", "a", '{"view":2}', 1), row("b#view=2", "b", '{"view":2}')])
    return archive


@pytest.fixture
def ledger(archive: Archive, tmp_path: Path) -> Ledger:
    """The index of these shards."""
    return Ledger(tmp_path / "ledger.sqlite", archive)


def views_of(archive: Archive, items: ItemRows) -> list[tuple[str, int]]:
    """The item and the axis of each of its views, in order."""
    row_ids = archive.table(items.shard, ["item_id"]).column("item_id").take(items.rows)
    views, starts = items.views(archive.vectors(items.shard))
    counts = np.diff([*starts, len(views)])
    ids = np.repeat(items.item_ids(row_ids).to_pylist(), counts)
    return list(zip(ids.tolist(), views.argmax(axis=1).tolist(), strict=True))


def test_each_item_is_met_once_with_all_its_rows(
    archive: Archive, ledger: Ledger, tmp_path: Path
) -> None:
    """By its own row, or by its first part; the rows may lie in several shards."""
    first, second = ledger.items().with_vectors(tmp_path, with_ids=True)
    assert views_of(archive, first) == [("a", 0), ("a", 1), ("c", 3)]
    assert views_of(archive, second) == [("b", 0), ("b", 2)]
    assert (first.counts.tolist(), second.counts.tolist()) == ([2, 1], [2])
    ids = archive.table(2, ["item_id"]).column("item_id").take(second.rows)
    assert second.view_ids(ids) == ["b#view=2", "b#view=3"]
    assert (ledger.count(), ledger.item_count()) == (5, 3)


@pytest.mark.parametrize("seed", range(5))
def test_scattered_rows_of_items_are_met_together(tmp_path: Path, seed: int) -> None:
    """Whatever shards they lie in, with and without a row of the item's own, all or some."""
    random = np.random.default_rng(seed)
    archive = Archive(tmp_path / "archive", width=WIDTH)
    rows, expected = [], {}
    for item in range(60):
        places = sorted(random.choice(9, random.integers(1, 5), replace=False).tolist())
        expected[f"i{item}"] = [int(axis) for axis in random.integers(0, WIDTH, len(places))]
        for place, axis in zip(places, expected[f"i{item}"], strict=True):
            row_id = part_id(f"i{item}", {"view": place}) if place else f"i{item}"
            part = (f"i{item}", f'{{"view":{place}}}') if place else ("", "")
            rows.append(row(row_id, *part, axis))
    shuffled = [rows[place] for place in random.permutation(len(rows))]
    for start in range(0, len(rows), 20):
        archive.write(shuffled[start : start + 20])
    ledger = Ledger(tmp_path / "ledger.sqlite", archive)
    items = ledger.items()
    found: dict[str, list[int]] = {}
    for shard_items in items.with_vectors(tmp_path):
        for item_id, axis in views_of(archive, shard_items):
            found.setdefault(item_id, []).append(axis)
    assert found == expected
    some = {one.shard: one.rows[::2] for one in items}
    chosen = items.only(some).with_vectors(tmp_path)
    views = [view for one in chosen for view in views_of(archive, one)]
    assert {item_id for item_id, _ in views} < set(expected)
    assert [axis for _, axis in views] == [
        axis for item_id in dict(views) for axis in expected[item_id]
    ]
    assert {path.name.split("-")[0] for path in tmp_path.iterdir()} == {"archive", "ledger.sqlite"}


def test_a_removed_lead_gives_way_to_the_next_part(archive: Archive, ledger: Ledger) -> None:
    """The item stays as long as it has a row."""
    ledger.add(archive.write([Removal(item_id="b#view=2", parent_id="b")]))
    assert ledger.parts.leads(["b", "a"]) == {"b": "b#view=3", "a": "a"}
    ledger.add(archive.write([Removal(item_id="b#view=3", parent_id="b")]))
    assert ledger.parts.leads(["b"]) == {}
    assert ledger.item_count() == 2


def test_a_selection_takes_whole_items(ledger: Ledger) -> None:
    """One row that is selected is enough."""
    ledger.select(["a#view=2", "c"])
    assert ledger.parts.complete_selection() == 2
    assert ledger.selected_rows(1).tolist() == [0, 2]
    assert ledger.selected_rows(2).tolist() == [0]


def test_a_lost_ledger_knows_the_parts_again(
    archive: Archive, ledger: Ledger, tmp_path: Path
) -> None:
    """It is derived from the archive."""
    again = Ledger(tmp_path / "other.sqlite", archive)
    assert again.parts.rows_of(["a", "b", "c"]) == ledger.parts.rows_of(["a", "b", "c"])


def test_shards_from_before_have_no_parts(archive: Archive, tmp_path: Path) -> None:
    """Their missing columns read as empty ones."""
    (path,) = archive.folder.glob("items-00000001*")
    table = pq.read_table(path).drop_columns(["parent_id", "part_json"])
    pq.write_table(table, path)
    assert [one.parent_id for one in archive.rows(1)] == ["", "", ""]
    assert Ledger(tmp_path / "old.sqlite", archive).item_count() == 4


def test_the_mean_has_length_one_and_opposites_have_none() -> None:
    """Where two pictures cancel each other out the first one stands for the item."""
    views = np.array([[1, 0], [0, 1], [1, 0], [-1, 0], [0, 1]], dtype=np.float32)
    means = mean_vectors(views, np.array([0, 2, 4]))
    assert means == pytest.approx(np.array([[2**-0.5, 2**-0.5], [1, 0], [0, 1]]))


def test_more_rows_are_asked_for_until_there_are_enough_items() -> None:
    """An item of a thousand near pictures hides no other."""
    rows = [("big", f"big#view={n}") for n in range(1000)] + [("x", "x"), ("y", "y"), ("z", "z")]
    asked: list[int] = []

    def find(count: int) -> list[Hit]:
        asked.append(count)
        return [
            Hit(similarity=1 - n / 2000, fields={"parent_id": parent, "item_id": row_id})
            for n, (parent, row_id) in enumerate(rows[:count])
        ]

    hits = best_parts(find, limit=3, hidden={"x"}, first=6, most=4096)
    assert [hit.fields["item_id"] for hit in hits] == ["big", "y", "z"]
    assert hits[0].fields["part_id"] == "big#view=0"
    assert asked == [6 * 2**n for n in range(9)]


def test_ids_of_parts_are_told_apart_and_ordered() -> None:
    """The tenth picture comes after the second, whatever their ids' order as texts."""
    assert part_id("a", {"view": 10}) == "a#view=10"
    assert is_id_of_part("a#view=10", "a")
    assert not is_id_of_part("a1", "a")
    assert not is_id_of_part("a#2", "a")
    assert order_of('{"view":2}') < order_of('{"view":10}')
