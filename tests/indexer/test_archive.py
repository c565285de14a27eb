"""The archive of shards and the ledger that is derived from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalog.archive import Archive, Removal
from indexer.catalog.ledger import Ledger
from indexer.core.errors import CatalogError
from indexer.core.records import EmbeddedItem, Kind

WIDTH = 4


def row(item_id: str, content: str = "c", seed: int = 0) -> EmbeddedItem:
    """An embedded item whose vector follows from the seed."""
    vector = np.random.default_rng(seed).normal(size=WIDTH).astype(np.float32)
    return EmbeddedItem(
        item_id=item_id,
        kind=Kind.PICTURE,
        source=f"{item_id}.jpg",
        title="title 'quoted\" \N{GRINNING FACE}",
        metadata_json='{"price":1.5}',
        content_hash=content,
        row_hash=f"r{seed}",
        vector=vector / np.linalg.norm(vector),
    )


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An empty archive."""
    return Archive(tmp_path / "archive", width=WIDTH)


@pytest.fixture
def ledger(tmp_path: Path, archive: Archive) -> Ledger:
    """The ledger of the empty archive."""
    return Ledger(tmp_path / "ledger.sqlite", archive)


def test_a_shard_gives_back_what_was_written(archive: Archive) -> None:
    """Rows, removals and vectors come back in order, bit for bit."""
    rows = [row("a", seed=1), Removal(item_id="b"), row("c", seed=2)]
    number = archive.write(rows)
    back = list(archive.rows(number))
    assert isinstance(back[0], EmbeddedItem)
    assert back[1] == Removal(item_id="b")
    np.testing.assert_array_equal(back[0].vector, rows[0].vector)
    np.testing.assert_array_equal(archive.vector(number, 2), rows[2].vector)
    assert back[0].title == rows[0].title


def test_a_shard_of_before_is_read_as_one_of_now(archive: Archive) -> None:
    """Vectors that may be null were how shards were written; both kinds stand side by side."""
    rows = [row("a", seed=1), Removal(item_id="b")]
    now, before = archive.write(rows), archive.write(rows)
    table = archive.table(now)
    assert not table.schema.field("vector").nullable
    path = archive.folder / f"items-{before:08d}.parquet"
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(archive.vectors(now).ravel()), WIDTH)
    pq.write_table(table.drop_columns(["vector"]).append_column("vector", vectors), path)
    assert pq.read_schema(path).field("vector").nullable
    first, last = archive.rows(before)
    assert isinstance(first, EmbeddedItem)
    np.testing.assert_array_equal(first.vector, rows[0].vector)
    assert last == rows[1]


def test_an_unfinished_shard_is_not_a_shard(archive: Archive) -> None:
    """What a crash left aside does not count and does not block the next number."""
    archive.write([row("a")])
    (archive.folder / "items-00000002.writing").write_bytes(b"half")
    assert archive.shards() == [1]
    assert archive.write([row("b")]) == 2


def test_a_damaged_shard_is_named(archive: Archive) -> None:
    """A shard that can't be read is an error that names it."""
    number = archive.write([row("a")])
    (archive.folder / "items-00000001.parquet").write_bytes(b"not parquet")
    with pytest.raises(CatalogError, match="items-00000001"):
        archive.table(number)


def test_the_newest_row_of_an_id_counts(archive: Archive, ledger: Ledger) -> None:
    """A replaced row is superseded where it lay, and the count stays."""
    first = archive.write([row("a", "one"), row("b", "two")])
    ledger.add(first)
    second = archive.write([row("a", "three")])
    ledger.add(second)
    assert ledger.count() == 2
    assert ledger.live_rows(first).tolist() == [1]
    assert ledger.live_rows(second).tolist() == [0]
    found = ledger.find(["a"])["a"]
    assert (found.content_hash, found.shard) == ("three", second)
    assert ledger.find_contents(["one"]) == {}


def test_a_removed_item_is_gone(archive: Archive, ledger: Ledger) -> None:
    """A removal supersedes the row and is no item itself; the id may come back."""
    ledger.add(archive.write([row("a")]))
    ledger.add(archive.write([Removal(item_id="a"), Removal(item_id="unknown")]))
    assert ledger.count() == 0
    assert ledger.live_rows(1).size == ledger.live_rows(2).size == 0
    ledger.add(archive.write([row("a")]))
    assert ledger.count() == 1


def test_a_lost_ledger_is_read_again_from_the_shards(
    tmp_path: Path, archive: Archive, ledger: Ledger
) -> None:
    """Shards that a ledger has not seen are taken in when it is opened, and are not stored."""
    ledger.add(archive.write([row("a"), row("b")]))
    ledger.stored.mark([1])
    archive.write([row("b", "new")])
    ledger.close()
    again = Ledger(tmp_path / "ledger.sqlite", archive)
    assert (again.count(), again.stored.missing()) == (2, [2])
    fresh = Ledger(tmp_path / "other.sqlite", archive)
    assert (fresh.count(), fresh.stored.missing()) == (2, [1, 2])
    assert fresh.find(["b"]) == again.find(["b"])


def test_a_selection_is_kept_by_shard(archive: Archive, ledger: Ledger) -> None:
    """Chosen ids become rows of their shards; unknown ids are ignored."""
    ledger.add(archive.write([row("a"), row("b"), row("c")]))
    ledger.select(["c", "a", "zzz"])
    assert ledger.selected_rows(1).tolist() == [0, 2]


def test_an_id_is_seen_first_once_a_run(ledger: Ledger) -> None:
    """The second sight of an id in one run is told apart."""
    assert ledger.mark_seen(["a", "b", "a"]) == {"a", "b"}
    assert ledger.mark_seen(["b", "c"]) == {"c"}


@settings(max_examples=25, deadline=None)
@given(
    shards=st.lists(
        st.lists(
            st.tuples(st.sampled_from("abcde'\"\n"), st.booleans(), st.integers(0, 3)), min_size=1
        ),
        max_size=6,
    )
)
def test_the_ledger_equals_a_replay_of_the_shards(
    tmp_path_factory: pytest.TempPathFactory, shards: list[list[tuple[str, bool, int]]]
) -> None:
    """Whatever was written, live rows are those that a replay in memory leaves."""
    folder = tmp_path_factory.mktemp("replay")
    archive = Archive(folder, width=WIDTH)
    ledger = Ledger(folder / "ledger.sqlite", archive)
    expected: dict[str, tuple[int, int]] = {}
    for shard in shards:
        number = archive.write(
            [
                Removal(item_id=name) if removed else row(name, str(seed), seed)
                for name, removed, seed in shard
            ]
        )
        ledger.add(number)
        for place, (name, removed, _) in enumerate(shard):
            expected.pop(name, None)
            if not removed:
                expected[name] = (number, place)
    live = {
        (number, int(place)) for number in archive.shards() for place in ledger.live_rows(number)
    }
    assert live == set(expected.values())
    assert ledger.count() == len(expected)
    assert list(ledger.item_ids()) == sorted(expected)
    ledger.close()
