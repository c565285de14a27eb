"""Items of several parts: their rows, their vectors, and hits an item."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from indexer.catalog.archive import Archive, Removal
from indexer.catalog.grouping import best_parts
from indexer.catalog.ledger import Ledger
from indexer.catalog.parts import mean_vectors
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


def test_each_item_is_met_once_with_all_its_rows(archive: Archive, ledger: Ledger) -> None:
    """By its own row, or by its first part; the rows may lie in several shards."""
    first, second = ledger.items_in(1), ledger.items_in(2)
    ids = archive.table(1, ["item_id"]).column("item_id").take(first.rows)
    assert first.item_ids(ids).to_pylist() == ["a", "c"]
    assert first.counts.tolist() == [2, 1]
    views, starts = first.views(archive, archive.vectors(1)[first.rows])
    assert starts.tolist() == [0, 2]
    assert views.argmax(axis=1).tolist() == [0, 1, 3]
    ids = archive.table(2, ["item_id"]).column("item_id").take(second.rows)
    assert (ids.to_pylist(), second.item_ids(ids).to_pylist()) == (["b#view=2"], ["b"])
    assert second.view_ids(ids) == ["b#view=2", "b#view=3"]
    assert (ledger.count(), ledger.item_count()) == (5, 3)


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
