"""Copying a catalog to another database, between Milvus Lite and a server in both directions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from catalogs import add_items, make_catalog, set_labels
from shell import Shell, write_rows, write_vectors

from indexer.catalog.archive import Archive, Removal
from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import CatalogError, ModelMismatchError, UsageError
from indexer.core.records import EmbeddedItem, FloatArray
from indexer.core.vectors import normalise
from indexer.ingestion import storing
from indexer.jobs import recovery
from indexer.jobs.copying import copy
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.rebuild import compare
from indexer.jobs.removal import remove_items
from indexer.sources import TableOptions
from indexer.store import Database, bulk


def unit(rows: int, seed: int = 0, width: int = 8) -> FloatArray:
    """float32 (rows, width), rows of length 1."""
    return normalise(np.random.default_rng(seed).normal(size=(rows, width)))


@pytest.fixture
def source(tmp_path: Path) -> CatalogOptions:
    """A catalog of 40 items and 5 labels in Milvus Lite."""
    return make_catalog(tmp_path / "data", unit(40), unit(5, seed=1))


@pytest.fixture(params=["lite", pytest.param("server", marks=pytest.mark.server)])
def target(request: pytest.FixtureRequest, source: CatalogOptions) -> Iterator[CatalogOptions]:
    """The same catalog's options with another database, of each kind in turn."""
    if request.param == "lite":
        yield replace(source, db=str(source.data_dir / "other.db"))
        return
    uri: str = request.getfixturevalue("server_uri")
    yield replace(source, db=uri)
    with Database.connect(uri) as database:
        if database.has_catalog(source.catalog):
            database.drop_catalog(source.catalog)


def copied(source: CatalogOptions, target: CatalogOptions) -> tuple[int, int]:
    """Copy; items there, and those written."""
    report = copy(source, to_db=target.db_uri, to_token=target.token)
    return report.items, report.written


def test_a_copy_holds_what_the_catalog_does(source: CatalogOptions, target: CatalogOptions) -> None:
    """Items, labels and fingerprint; searches find the same; once more writes nothing."""
    assert copied(source, target) == (40, 40)
    assert compare(target).equal
    assert copied(source, target) == (40, 0)
    found = []
    for options in (source, target):
        with open_catalog(options) as catalog:
            (hits,) = catalog.items.search(unit(1, seed=2), limit=5)
            (labels,) = catalog.labels.search(unit(1, seed=3, width=9), limit=3)
            found.append([hit.fields for hit in (*hits, *labels)])
    assert found[0] == found[1]


def test_what_is_new_is_brought_later(source: CatalogOptions, target: CatalogOptions) -> None:
    """Only that: items that came, changed or went since, and other labels."""
    copied(source, target)
    add_items(source, unit(3, seed=4), prefix="new")
    add_items(source, unit(40, seed=5)[:1])
    remove_items(source, ["i7"])
    set_labels(source, unit(4, seed=6))
    assert copied(source, target) == (42, 4)
    assert compare(target).equal
    assert compare(source).equal


def test_both_databases_are_fed_on_their_own(
    source: CatalogOptions, target: CatalogOptions
) -> None:
    """What is ingested into the copy is missing in the first database until it is copied back."""
    copied(source, target)
    add_items(target, unit(2, seed=7), prefix="there")
    assert compare(source).missing == ("there0", "there1")
    assert copied(target, source) == (42, 2)
    assert compare(source).equal


def test_a_copy_of_another_model_is_not_overwritten(
    source: CatalogOptions, target: CatalogOptions
) -> None:
    """The target holds a catalog of this name whose vectors are wider."""
    wide = make_catalog(source.data_dir.parent / "wide", unit(4, width=12), unit(2, width=12))
    copied(wide, target)
    with pytest.raises(ModelMismatchError, match="12 dimensions"):
        copied(source, target)


def test_rows_that_the_target_lost_are_told(source: CatalogOptions, target: CatalogOptions) -> None:
    """Counts are compared, whatever is remembered."""
    copied(source, target)
    with open_catalog(target) as catalog:
        catalog.items.delete(["i1", "i2"])
        catalog.items.flush()
    with pytest.raises(CatalogError, match=r"holds 38 rows .* its archive 40.*zeroshelf rebuild"):
        copied(source, target)


def test_the_source_itself_is_no_target(source: CatalogOptions) -> None:
    """Nor under another spelling of its path."""
    with pytest.raises(UsageError, match="name another"):
        copy(source, to_db=str(source.data_dir / "x" / ".." / "milvus.db"))


def rows_but_of(damaged: int) -> Callable[[Archive, int], Iterator[EmbeddedItem | Removal]]:
    """``Archive.rows`` that fails on one shard."""
    whole = Archive.rows

    def rows(archive: Archive, number: int) -> Iterator[EmbeddedItem | Removal]:
        if number == damaged:
            raise CatalogError("damaged")
        return whole(archive, number)

    return rows


def test_a_copy_that_failed_midway_goes_on(
    source: CatalogOptions, target: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was flushed is not written again."""
    add_items(source, unit(20, seed=8), prefix="more")
    monkeypatch.setattr(storing, "FLUSH_ROWS", 1)
    with monkeypatch.context() as patch:
        patch.setattr(Archive, "rows", rows_but_of(2))
        with pytest.raises(CatalogError, match="damaged"):
            copied(source, target)
    assert copied(source, target) == (60, 20)
    assert compare(target).equal


def test_a_catalog_whose_folder_is_gone_is_read_out_of_its_database(
    source: CatalogOptions, target: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In parts; vectors, metadata and labels are as they were, and all commands work again."""
    copied(source, target)
    monkeypatch.setattr(recovery, "PART_ROWS", 5)
    monkeypatch.setattr(recovery, "SHARD_ROWS", 2)
    new = replace(target, data_dir=source.data_dir.parent / "new")
    here = replace(new, db=None)
    report = copy(new, to_db=here.db_uri)
    assert (report.items, report.written, report.recovered, report.labels) == (40, 40, 40, 5)
    assert compare(here).equal
    assert compare(new).equal
    with open_catalog(source) as one, open_catalog(here) as other:
        assert one.label_set.version == other.label_set.version
        assert one.ledger.find(["i3"])["i3"].content_hash == (
            other.ledger.find(["i3"])["i3"].content_hash
        )


def test_reading_out_that_was_killed_goes_on(
    source: CatalogOptions, target: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no catalog before all is read; what is read is not read again."""
    copied(source, target)
    new = replace(target, data_dir=source.data_dir.parent / "new")
    with monkeypatch.context() as patch:
        patch.setattr(recovery, "_read_labels", _killed)
        with pytest.raises(KeyboardInterrupt):
            copy(new, to_db=str(new.data_dir / "milvus.db"))
    assert not new.folder.exists()
    shards = sorted(file.name for file in new.folder.archive.iterdir())
    assert copy(new, to_db=str(new.data_dir / "milvus.db")).items == 40
    assert sorted(file.name for file in new.folder.archive.iterdir()) == shards


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_a_copy_that_was_killed_is_finished_by_the_same_command(tmp_path: Path) -> None:
    """Two kills while rows are written; nothing is lost and nothing is there twice."""
    rows = 6000
    write_vectors(tmp_path / "v.npy", rows, width=64)
    write_rows(tmp_path / "t.jsonl", [{"id": f"i{row}"} for row in range(rows)])
    shell = Shell(tmp_path)
    shell("ingest", "t.jsonl", "--vectors", "v.npy")
    for steps in (2, 1):
        shell.kill_while_storing(steps, "copy", "--to-db", "other.db")
    (report,) = shell.json("copy", "--to-db", "other.db")
    assert (report["items"], report["recovered"]) == (rows, 0)
    shell("rebuild", "--verify", "--db", "other.db")


def test_the_command_tells_what_it_did(source: CatalogOptions) -> None:
    """For people and for machines; the copy then serves every command."""
    shell = Shell(source.data_dir.parent, in_process=True, data_dir=source.data_dir)
    done = shell("copy", "--to-db", "other.db")
    assert "items there" in done.stdout
    assert "--db other.db" in done.stderr
    assert shell.json("copy", "--to-db", "other.db")[0]["written"] == 0
    rows = json.loads(shell("status", "--db", "other.db", "--output", "json").stdout)
    assert (rows[0]["items_in_database"], rows[0]["state"]) == (40, "complete")
    shell("copy", "--to-db", "somewhere", code=2)


def test_a_large_copy_is_imported_where_the_database_can(
    source: CatalogOptions,
    target: CatalogOptions,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Several shards a file; Milvus Lite is told to have no imports. No file is left."""
    add_items(source, unit(20, seed=8), prefix="more")
    remove_items(source, ["i3"])
    monkeypatch.setattr(bulk, "BULK_ROWS", 10)
    monkeypatch.setattr(bulk, "ROWS_A_FILE", 30)
    staging = source.data_dir / "staging"
    staging.mkdir()
    report = copy(source, to_db=target.db_uri, staging=str(staging))
    assert (report.items, report.written) == (59, 59)
    assert compare(target).equal
    is_lite = "://" not in target.db_uri
    assert ("can't import files" in caplog.text) == is_lite
    assert list(staging.iterdir()) == []


def test_an_ingestion_with_staging_stores_all_at_its_end(
    source: CatalogOptions, target: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New items, a changed one, and those that waited."""
    copied(source, target)
    add_items(source, unit(5, seed=9), prefix="waiting")
    monkeypatch.setattr(bulk, "BULK_ROWS", 10)
    folder = source.data_dir
    table, block = folder / "t.jsonl", folder / "t.npy"
    write_rows(table, [{"id": f"i{row}"} for row in range(30, 60)])
    np.save(block, unit(30, seed=10))
    options = IngestOptions(table=TableOptions(vectors=str(block)), staging=str(folder / "staging"))
    assert ingest(target, [str(table)], options).replaced == 10
    assert compare(target).equal
    assert compare(target).items == 65
