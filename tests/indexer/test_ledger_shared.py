"""The ledger beside other processes, and after damage."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import vector_of

from indexer.catalog.archive import Archive
from indexer.catalog.ledger import Ledger
from indexer.core.errors import CatalogError
from indexer.core.records import EmbeddedItem, Kind


def row(item_id: str, content: str = "") -> EmbeddedItem:
    """A row of the archive."""
    return EmbeddedItem(
        item_id=item_id,
        kind=Kind.TEXT,
        source="t",
        title="",
        metadata_json="{}",
        content_hash=content,
        row_hash="",
        vector=vector_of(content.encode()),
    )


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An archive with two shards, the second of which replaces a row of the first."""
    archive = Archive(tmp_path / "archive", width=8)
    archive.write([row("a", "old"), row("b")])
    archive.write([row("a", "new")])
    return archive


def test_a_shard_that_another_process_took_in_is_taken_in_once(
    archive: Archive, tmp_path: Path
) -> None:
    """A search that opens the ledger between an ingestion's two steps does not break it."""
    writer = Ledger(tmp_path / "ledger.sqlite", archive)
    assert writer.mark_seen(["c"])
    number = archive.write([row("c")])
    reader = Ledger(tmp_path / "ledger.sqlite", archive)
    assert writer.mark_seen(["d"])
    writer.add(number)
    assert (writer.count(), reader.count()) == (3, 3)
    writer.stored.mark([1, 2, number])
    assert reader.stored.missing() == []
    writer.close()
    reader.close()


def test_a_damaged_ledger_is_read_again(
    archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is derived from the shards, so damage costs a reading and a warning."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"this is no database, and it is long enough to be taken for one" * 9)
    ledger = Ledger(path, archive)
    assert ledger.count() == 2
    assert "damaged" in caplog.text
    ledger.close()


def test_a_lost_shard_brings_back_what_it_replaced(archive: Archive, tmp_path: Path) -> None:
    """Items of a deleted shard are not taken for stored: ingesting them again embeds them."""
    path = tmp_path / "ledger.sqlite"
    Ledger(path, archive).close()
    (archive.folder / "items-00000002.parquet").unlink()
    ledger = Ledger(path, archive)
    found = ledger.find(["a"]).get("a")
    assert found is not None
    assert (found.content_hash, ledger.count(), ledger.stored.missing()) == ("old", 2, [1])
    ledger.close()


def test_a_ledger_that_can_not_be_opened_is_named(archive: Archive, tmp_path: Path) -> None:
    """The message says which file, and what to look at."""
    (tmp_path / "ledger.sqlite").mkdir()
    with pytest.raises(CatalogError, match=r"ledger\.sqlite.*permissions"):
        Ledger(tmp_path / "ledger.sqlite", archive)


def test_what_one_database_has_another_may_lack(archive: Archive, tmp_path: Path) -> None:
    """Marks are of the collection that is followed, and outlive the process."""
    ledger = Ledger(tmp_path / "ledger.sqlite", archive)
    ledger.stored.track("lite")
    ledger.stored.mark([1, 2])
    ledger.stored.track("server")
    ledger.stored.mark([1])
    ledger.close()
    again = Ledger(tmp_path / "ledger.sqlite", archive)
    again.stored.track("server")
    assert (again.stored.missing(), again.stored.missing_rows()) == ([2], 1)
    again.stored.track("lite")
    assert (again.stored.missing(), again.stored.missing_rows()) == ([], 0)


def test_rows_that_change_are_stale_in_every_database(archive: Archive, tmp_path: Path) -> None:
    """A categorization that is written back changes the rows of shards that stay."""
    ledger = Ledger(tmp_path / "ledger.sqlite", archive)
    for collection in ("lite", "server"):
        ledger.stored.track(collection)
        ledger.stored.mark([1, 2])
    ledger.stored.unmark([1])
    ledger.stored.mark([1])
    ledger.stored.track("lite")
    assert ledger.stored.missing() == [1]


def test_a_reader_sees_one_state_while_another_writes(archive: Archive, tmp_path: Path) -> None:
    """A shard that is on disk alone is not among its shards; a snapshot stays as it began."""
    reader = Ledger(tmp_path / "ledger.sqlite", archive)
    writer = Ledger(tmp_path / "ledger.sqlite", archive)
    number = archive.write([row("a", "newest"), row("c")])
    assert (archive.shards(), reader.shards()) == ([1, 2, 3], [1, 2])
    with reader.snapshot():
        assert reader.shards() == [1, 2]
        writer.add(number)
        assert reader.shards() == [1, 2]
        assert [reader.live_rows(one).tolist() for one in reader.shards()] == [[1], [0]]
    assert [reader.live_rows(one).tolist() for one in reader.shards()] == [[1], [], [0, 1]]
    writer.close()
    reader.close()
