"""Large loads: files that a real server imports, and many batches under way."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import store_rows
from conftest import SHARED
from store_rows import unit_vectors

from indexer.core.errors import ConfigError, StoreError, StoreUnavailableError
from indexer.store import Database, MilvusItems, bulk, collection
from indexer.store.bulk import Staging, as_table

server_only = pytest.mark.server


@pytest.fixture
def on_server(server_database: Database) -> MilvusItems:
    """An empty ``items`` collection of the server."""
    store = server_database.items(SHARED)
    store.flush()
    store.delete(list(store.item_ids()))
    store.flush()
    return store


def files_in(folder: Path) -> list[Path]:
    """What was left in the staging folder."""
    return list(folder.iterdir())


@server_only
def test_imported_rows_are_as_upserted_ones(on_server: MilvusItems, tmp_path: Path) -> None:
    """All fields, decisions and vectors; the file is gone afterwards."""
    hostile = 'o\'brien "é" \N{GRINNING FACE} \\ \n'
    vectors = unit_vectors(2)
    rows = [
        store_rows.item(hostile, vectors[0], title=hostile, metadata={"price": 1.5, hostile: [1]}),
        store_rows.item("plain", vectors[1]),
    ]
    found = []
    for store in (on_server, on_server.imported_from(str(tmp_path))):
        store.upsert(rows, [store_rows.decision(hostile), None])
        store.flush()
        found.append(on_server.fetch([hostile, "plain"]))
        [[hit]] = on_server.search(vectors[:1], limit=1)
        assert hit.fields["item_id"] == hostile
        assert hit.similarity == pytest.approx(1.0, abs=1e-5)
        on_server.delete([hostile, "plain"])
        on_server.flush()
        assert on_server.count() == 0
    assert found[0] == found[1]
    assert files_in(tmp_path) == []


@server_only
def test_an_import_replaces_rows_of_the_same_id(on_server: MilvusItems, tmp_path: Path) -> None:
    """Those that were upserted, those that were imported; none is there twice, others stay."""
    staged = on_server.imported_from(str(tmp_path))
    on_server.upsert(store_rows.items(30), [None] * 30)
    on_server.flush()
    for title in ("first", "second"):
        rows = [
            store_rows.item(f"i{row}", vector, title=title)
            for row, vector in enumerate(unit_vectors(20, seed=3))
        ]
        staged.upsert(rows, [None] * 20)
        staged.flush()
        assert on_server.count() == len(set(on_server.item_ids())) == 30
        assert on_server.count(f'title == "{title}"') == 20


@server_only
def test_an_import_that_was_left_running_is_waited_for(
    on_server: MilvusItems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that was killed after the server took the job: the next one doubles nothing."""
    staged = on_server.imported_from(str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(bulk, "ENDED", tuple(range(10)))  # do not wait: as if killed here
        patch.setattr(bulk, "FAILED", ())
        patch.setattr(bulk, "_await_count", lambda *_: None)
        patch.setattr("fsspec.implementations.local.LocalFileSystem.rm", lambda *_: None)
        staged.upsert(store_rows.items(50), [None] * 50)
    staged.upsert(store_rows.items(50), [None] * 50)
    staged.flush()
    assert on_server.count() == len(set(on_server.item_ids())) == 50


@server_only
def test_rows_that_can_not_be_imported_are_upserted(
    on_server: MilvusItems, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that the server does not see: the cause is told, and nothing is missing."""

    class Elsewhere(Staging):
        def server_path(self, path: str) -> str:
            return path + ".not-there"

    staged = on_server.imported_from(str(tmp_path))
    staged._staging = Elsewhere(str(tmp_path))
    with caplog.at_level(logging.WARNING, logger="indexer"):
        staged.upsert(store_rows.items(5), [None] * 5)
    staged.flush()
    assert on_server.count() == 5
    assert "upserting 5 rows instead" in caplog.text
    assert files_in(tmp_path) == []


@server_only
def test_rows_that_do_not_become_visible_are_an_error(
    on_server: MilvusItems, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count is compared, not assumed."""
    monkeypatch.setattr(bulk, "VISIBLE_S", 0.0)
    monkeypatch.setattr(bulk, "_import", lambda *_: None)
    with pytest.raises(StoreError, match=r"shows 0 rows and should have 5"):
        on_server.imported_from(str(tmp_path)).upsert(store_rows.items(5), [None] * 5)


def test_a_file_has_a_column_a_field(tmp_path: Path) -> None:
    """Vectors as lists of float32, scores as float32, JSON as text."""
    vectors = unit_vectors(2)
    rows = [
        {"key": "a", "score": 0.5, "metadata": '{"a": "é"}', "vector": vectors[0]},
        {"key": "b", "score": 0.0, "metadata": "{}", "vector": vectors[1]},
    ]
    with Staging(str(tmp_path)).file(as_table(rows)) as path:
        table = pq.read_table(path)
    assert [str(field.type) for field in table.schema] == [
        "string",
        "float",
        "string",
        "list<element: float>",
    ]
    assert json.loads(table.column("metadata")[0].as_py()) == {"a": "é"}
    np.testing.assert_array_equal(np.array(table.column("vector").to_pylist(), "f4"), vectors)


def test_a_server_names_an_object_without_its_bucket() -> None:
    """As Milvus' import wants it, and removes it when it is imported."""
    with Staging("memory://a-bucket/staging").file(as_table([{"key": "a"}])) as path:
        assert path.startswith("staging/zeroshelf-")
    import fsspec

    assert fsspec.filesystem("memory").find("/a-bucket") == []


@pytest.mark.parametrize("address", ["nothing://bucket/x", "/proc/nothing/x"])
def test_a_staging_address_that_can_not_be_opened_is_named(address: str) -> None:
    """With what would be one."""
    with pytest.raises(ConfigError, match=r"staging .* can't be opened: .*s3://BUCKET"):
        Staging(address)


def test_batches_to_a_server_are_bounded(
    items: MilvusItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most so many at a time; all rows arrive, once."""
    monkeypatch.setattr(collection, "WRITERS", 3)
    monkeypatch.setattr(collection, "BATCH_ROWS_SERVER", 40)
    monkeypatch.setattr(collection, "BATCH_ROWS_LITE", 40)
    write, under_way, most = collection.Collection._write, [0], [0]
    guard = threading.Lock()

    def counted(self: collection.Collection, batch: list[object]) -> int:
        with guard:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])
        written = write(self, batch)  # type: ignore[arg-type]
        with guard:
            under_way[0] -= 1
        return written

    monkeypatch.setattr(collection.Collection, "_write", counted)
    items.upsert(store_rows.items(1000), [None] * 1000)
    items.flush()
    assert items.count() == len(set(items.item_ids())) == 1000
    assert most[0] <= 3


def test_a_batch_that_fails_is_an_error_and_the_load_can_be_done_again(
    items: MilvusItems, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever came in before, the same rows again make it whole."""
    monkeypatch.setattr(collection, "BATCH_ROWS_SERVER", 40)
    monkeypatch.setattr(collection, "BATCH_ROWS_LITE", 40)
    write, calls = collection.Collection._write, [0]

    def failing(self: collection.Collection, batch: list[object]) -> int:
        calls[0] += 1
        if calls[0] == 4:
            raise StoreUnavailableError("away for a test")
        return write(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(collection.Collection, "_write", failing)
    with pytest.raises(StoreUnavailableError):
        items.upsert(store_rows.items(400), [None] * 400)
    items.upsert(store_rows.items(400), [None] * 400)
    items.flush()
    assert items.count() == len(set(items.item_ids())) == 400
