"""Feeding the database from the archive: away, back, gone, and again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from fakes import FakeItemStore, vector_of

from indexer.catalog.archive import Archive, Removal
from indexer.catalog.ledger import Ledger
from indexer.core import retries
from indexer.core.errors import StoreError, StoreUnavailableError
from indexer.core.protocols import Decision
from indexer.core.records import EmbeddedItem, Kind
from indexer.core.watch import Watch
from indexer.ingestion import storing
from indexer.ingestion.storing import StoreWriter, store_again, store_unstored


def row(item_id: str, title: str = "") -> EmbeddedItem:
    """A row of the archive."""
    return EmbeddedItem(
        item_id=item_id,
        kind=Kind.TEXT,
        source=f"t#{item_id}",
        title=title,
        metadata_json="{}",
        content_hash=title,
        row_hash=title,
        vector=vector_of(title.encode()),
    )


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """Three shards: rows, a replaced row, and a removal."""
    archive = Archive(tmp_path / "archive", width=8)
    archive.write([row("a", "old"), row("b")])
    archive.write([row("a", "new"), row("c")])
    archive.write([Removal(item_id="b"), row("d")])
    return archive


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(retries, "LONGEST_PAUSE_S", 0.02)


def stored_by(job: StoreWriter, archive: Archive) -> list[int]:
    """Shards that became durable, after all were queued."""
    for shard in archive.shards():
        job.put(shard)
    job.finish()
    return list(job.take_stored())


def test_the_newest_rows_end_up_in_the_database(archive: Archive) -> None:
    """Replacements and removals follow the order of the shards."""
    store = FakeItemStore()
    assert stored_by(StoreWriter(archive, store), archive) == [1, 2, 3]
    assert {name: found.title for name, found in store.flushed.items()} == {
        "a": "new",
        "c": "",
        "d": "",
    }


def test_a_shard_is_stored_only_when_it_was_flushed(archive: Archive) -> None:
    """Before the flush nothing counts as durable; after it all does."""
    store = FakeItemStore()
    came_in = threading.Event()
    job = StoreWriter(archive, store, on_rows=lambda _: came_in.set())
    job.put(1)
    assert came_in.wait(60)
    assert (list(job.take_stored()), store.flushed) == ([], {})
    job.finish()
    assert list(job.take_stored()) == [1]
    assert set(store.flushed) == {"a", "b"}


def test_many_rows_are_flushed_on_the_way(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long job does not leave all its rows unflushed until the end."""
    monkeypatch.setattr(storing, "FLUSH_ROWS", 2)
    flushes: list[int] = []
    store = FakeItemStore()
    flush = store.flush

    def counted() -> None:
        flushes.append(len(store.rows))
        flush()

    monkeypatch.setattr(store, "flush", counted)
    stored_by(StoreWriter(archive, store), archive)
    assert flushes == [2, 3, 3]


def test_a_database_that_comes_back_gets_every_row(archive: Archive) -> None:
    """Calls that failed are made again, in order."""
    store = FakeItemStore(away=5)
    assert stored_by(StoreWriter(archive, store), archive) == [1, 2, 3]
    assert set(store.flushed) == {"a", "c", "d"}


def test_a_database_that_is_back_for_the_flush_is_flushed_once_more(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are counted once, however often the flush after them failed."""
    monkeypatch.setattr(storing, "FLUSH_ROWS", 1)
    store, told = FakeItemStore(), []

    def on_rows(rows: int) -> None:
        told.append(rows)
        store.away = 2

    stored = stored_by(StoreWriter(archive, store, on_rows=on_rows), archive)
    assert (stored, told) == ([1, 2, 3], [2, 2, 2])


def test_a_database_that_stays_away_is_an_error_and_nothing_is_marked(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patience ends; the archive still has all that waits."""
    monkeypatch.setattr("indexer.core.retries.PATIENCE_S", 0.05)
    job = StoreWriter(archive, FakeItemStore(away=10_000))
    for shard in archive.shards():
        job.put(shard)
    with pytest.raises(StoreUnavailableError, match="away"):
        job.finish()
    assert list(job.take_stored()) == []


def test_a_database_that_refuses_is_an_error_at_once(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What trying again can't help is not tried again."""
    store = FakeItemStore()

    def refuse(*_: object) -> None:
        raise StoreError("no")

    monkeypatch.setattr(store, "upsert", refuse)
    monkeypatch.setattr("indexer.core.retries.PATIENCE_S", 3600.0)
    job = StoreWriter(archive, store)
    job.put(1)
    with pytest.raises(StoreError, match="no"):
        job.finish()
    assert list(job.take_stored()) == []


def test_a_surprise_in_the_thread_reaches_the_job(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that nobody foresaw ends the job with its name, not in silence."""
    store = FakeItemStore()

    def surprise(*_: object) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr(store, "upsert", surprise)
    job = StoreWriter(archive, store)
    job.put(1)
    with pytest.raises(StoreError, match="ZeroDivisionError: surprise"):
        job.finish()


def test_decisions_go_with_their_rows(archive: Archive) -> None:
    """A stored label is not lost when a shard is stored again."""
    mug = Decision(item_id="c", label_id="m", label="mug", score=0.5)
    store = FakeItemStore()
    stored_by(
        StoreWriter(archive, store, decisions=lambda shard: [None, mug] if shard == 2 else None),
        archive,
    )
    assert store.decisions["c"] == mug
    assert store.decisions["a"] is None


def test_storing_again_writes_each_item_as_it_is_now(archive: Archive, tmp_path: Path) -> None:
    """No superseded row passes through the database, and all shards are marked."""
    store = FakeItemStore()
    ledger = Ledger(tmp_path / "ledger.sqlite", archive)
    told: list[int] = []
    store_again(archive, ledger, store, decisions=lambda _: None, watch=Watch(advance=told.append))
    assert {name: found.title for name, found in store.flushed.items()} == {
        "a": "new",
        "c": "",
        "d": "",
    }
    assert (ledger.stored.missing(), sum(told)) == ([], 3)
    ledger.close()


def test_storing_again_that_is_interrupted_leaves_its_shards_to_the_next_job(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing counts as stored before the database has acknowledged it."""
    monkeypatch.setattr("indexer.core.retries.PATIENCE_S", 0.05)
    ledger = Ledger(tmp_path / "ledger.sqlite", archive)
    ledger.stored.mark(archive.shards())
    with pytest.raises(StoreUnavailableError):
        store_again(archive, ledger, FakeItemStore(away=10_000), decisions=lambda _: None)
    assert ledger.stored.missing() == [1, 2, 3]
    ledger.close()


def test_only_the_rows_that_changed_are_written(archive: Archive, tmp_path: Path) -> None:
    """A shard that waited before is stored whole; one without changes is left alone."""
    ledger = Ledger(tmp_path / "ledger.sqlite", archive)
    told: list[int] = []
    for waiting, expected in (([], {"c"}), ([2], {"a", "c"})):
        ledger.stored.mark(archive.shards())
        ledger.stored.unmark(waiting)
        store = FakeItemStore()
        rows = archive.table(2, ["item_id"]).column("item_id").to_pylist()
        changed = {2: [rows.index("c")]}
        store_again(
            archive,
            ledger,
            store,
            decisions=lambda _: None,
            watch=Watch(advance=told.append),
            changed=changed,
        )
        assert set(store.flushed) == expected
        assert ledger.stored.missing() == []
    assert told == [1, 2]
    ledger.close()


def test_only_what_the_database_lacks_is_stored(archive: Archive, tmp_path: Path) -> None:
    """A removal takes out what an older shard brought; a row that is superseded is left out."""
    store = FakeItemStore(away=3)
    store.rows = {"a": row("a", "old"), "b": row("b")}
    ledger = Ledger(tmp_path / "ledger.sqlite", archive)
    ledger.stored.mark([1])
    assert store_unstored(archive, ledger, store, decisions=lambda _: None) == 3
    assert {name: found.title for name, found in store.flushed.items()} == {
        "a": "new",
        "c": "",
        "d": "",
    }
    assert ledger.stored.missing() == []
    ledger.close()


def test_an_item_that_was_removed_and_came_back_stays(archive: Archive, tmp_path: Path) -> None:
    """Its removal is in a shard that waits, its new row in one that is stored."""
    archive.write([row("b", "back")])
    store = FakeItemStore()
    store.rows = {name: row(name) for name in "abcd"}
    ledger = Ledger(tmp_path / "ledger.sqlite", archive)
    ledger.stored.mark([1, 2, 4])
    store_unstored(archive, ledger, store, decisions=lambda _: None)
    assert set(store.flushed) == set("abcd")
    ledger.close()


def test_a_large_shard_goes_to_the_database_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory follows the part, not the shard; all rows come in, with their decisions."""
    monkeypatch.setattr(storing, "ROWS_A_CALL", 2)
    calls: list[int] = []

    class Counting(FakeItemStore):
        def upsert(
            self, rows: Sequence[EmbeddedItem], decisions: Sequence[Decision | None]
        ) -> None:
            calls.append(len(rows))
            super().upsert(rows, decisions)

    archive = Archive(tmp_path / "archive", width=8)
    archive.write([row(name) for name in "abcde"])
    decided = [Decision(item_id=name, label_id=name, label="", score=1.0) for name in "abcde"]
    store = Counting()
    assert stored_by(StoreWriter(archive, store, decisions=lambda _: decided), archive) == [1]
    assert calls == [2, 2, 1]
    assert set(store.flushed) == set("abcde")
    assert [store.decisions[name] for name in "abcde"] == decided
