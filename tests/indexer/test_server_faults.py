"""A real Milvus server that dies, stays away, or is not what it was, under real jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from catalogs import make_catalog
from milvus_server import RealServer
from shell import Shell, write_rows, write_vectors

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import CatalogError, ModelMismatchError, StoreError, StoreUnavailableError
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.core.watch import Watch
from indexer.ingestion.reports import IngestReport, PipelineSizes
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.rebuild import compare, rebuild
from indexer.sources import TableOptions
from indexer.store import Database

pytestmark = [pytest.mark.server, pytest.mark.slow]

ROWS = 6_000
AWAY_S = 20.0


def unit(rows: int, seed: int = 0, width: int = 8) -> FloatArray:
    """float32 (rows, width), rows of length 1."""
    return normalise(np.random.default_rng(seed).normal(size=(rows, width)))


@pytest.fixture
def options(tmp_path: Path, server_uri: str) -> Iterator[CatalogOptions]:
    """A catalog that is not there yet, on the server."""
    found = CatalogOptions(data_dir=tmp_path / "data", db=server_uri, catalog="faults")
    yield found
    with Database.connect(server_uri) as database:
        if database.has_catalog(found.catalog):
            database.drop_catalog(found.catalog)


@pytest.fixture
def table(tmp_path: Path) -> str:
    """A table of ``ROWS`` items; their vectors are in ``v.npy`` beside it."""
    write_vectors(tmp_path / "v.npy", ROWS, width=32)
    return str(write_rows(tmp_path / "t.jsonl", [{"id": f"i{row}"} for row in range(ROWS)]))


def ingested(
    options: CatalogOptions,
    table: str,
    advance: Callable[[int], None] = lambda _: None,
) -> IngestReport:
    """Ingest the table in shards of 500."""
    vectors = str(Path(table).with_name("v.npy"))
    sizes = PipelineSizes(workers=1, batch_size=100, shard_rows=500)
    job = IngestOptions(table=TableOptions(vectors=vectors), sizes=sizes)
    return ingest(options, [table], job, Watch(advance=advance))


def pausing_after(rows: int, act: Callable[[], None]) -> Callable[[int], None]:
    """Acts once, when so many items are settled."""
    settled: list[int] = []

    def advance(items: int) -> None:
        before = sum(settled)
        settled.append(items)
        if before < rows <= sum(settled):
            act()

    return advance


def test_a_server_that_is_killed_and_comes_back_gets_every_row(
    options: CatalogOptions, table: str, real_server: RealServer
) -> None:
    """A kill -9 in the middle of an ingestion, back after 20 s: the job goes on by itself."""
    back = threading.Timer(AWAY_S, real_server.start_again)

    def kill() -> None:
        time.sleep(1)  # let the storing thread be at work
        real_server.kill()
        back.start()

    report = ingested(options, table, pausing_after(ROWS // 2, kill))
    back.join()
    assert (report.read, report.stored, report.dead) == (ROWS, ROWS, 0)
    with open_catalog(options) as catalog:
        assert catalog.items.count() == len(set(catalog.items.item_ids())) == ROWS
        assert catalog.ledger.stored.missing() == []
    assert compare(options).equal
    assert ingested(options, table).unchanged == ROWS


def test_a_server_that_is_gone_for_good_is_told_and_the_same_command_finishes_later(
    options: CatalogOptions,
    table: str,
    real_server: RealServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing that was embedded is lost; the ledger knows what the server has."""
    monkeypatch.setattr("indexer.core.retries.PATIENCE_S", 5.0)
    try:
        with pytest.raises(StoreUnavailableError, match=r"Nothing is lost.*same command"):
            ingested(options, table, pausing_after(ROWS // 2, real_server.kill))
        with pytest.raises(StoreUnavailableError, match="check that the server runs"):
            ingested(options, table)
    finally:
        real_server.start_again()
        real_server.wait()
    report = ingested(options, table)
    assert (report.unchanged + report.stored, report.dead) == (ROWS, 0)
    assert compare(options).equal


def test_a_collection_that_is_dropped_under_an_ingestion_is_told_and_made_anew(
    options: CatalogOptions, table: str
) -> None:
    """The job ends with the cause; the same command stores all items, old and new."""

    def drop() -> None:
        with Database.connect(options.db_uri) as database:
            database.drop_catalog(options.catalog)

    with pytest.raises((CatalogError, StoreError), match="collection"):
        ingested(options, table, pausing_after(ROWS // 2, drop))
    report = ingested(options, table)
    assert (report.unchanged + report.stored, report.dead) == (ROWS, 0)
    assert compare(options).equal


def test_a_collection_that_is_dropped_under_a_reader_is_told(options: CatalogOptions) -> None:
    """With the command that makes it anew."""
    options = replace(options, db=None)
    made = make_catalog(options.data_dir, unit(4), unit(2, seed=1))
    with open_catalog(made) as catalog:
        catalog.database.drop_catalog(made.catalog)
        with pytest.raises(CatalogError, match="zeroshelf rebuild"):
            _ = catalog.items


def test_the_catalog_of_another_model_is_refused(
    options: CatalogOptions, table: str, tmp_path: Path
) -> None:
    """Of the same name on the same server, from another data folder, by its fingerprint."""
    ingested(options, table)
    other = replace(options, data_dir=tmp_path / "other", model="another-model")
    vectors = unit(3, width=16)
    np.save(tmp_path / "w.npy", vectors)
    rows = write_rows(tmp_path / "w.jsonl", [{"id": f"i{row}"} for row in range(3)])
    job = IngestOptions(table=TableOptions(vectors=str(tmp_path / "w.npy")))
    with pytest.raises(ModelMismatchError, match=r"32 dimensions.*16 dimensions"):
        ingest(other, [str(rows)], job)
    assert compare(options).equal


def test_a_schema_of_another_version_is_refused_and_rebuilt(
    options: CatalogOptions, table: str
) -> None:
    """By the command in the message, which needs no model."""
    ingested(options, table)
    with Database.connect(options.db_uri) as database:
        database._client.alter_collection_properties(
            f"{options.catalog}_items_001", {"zeroshelf.schema": "1"}
        )
    with pytest.raises(CatalogError, match=r"schema version 1, .*zeroshelf rebuild"):
        compare(options)
    assert rebuild(options).rows == ROWS
    assert compare(options).equal


@pytest.mark.parametrize(
    ("address", "token", "told"),
    [
        ("", "root:wrong", "check the token"),
        ("", "", "check the token"),
        ("http://127.0.0.1:1", "root:Milvus", "check that the server runs"),
    ],
)
def test_what_keeps_a_command_from_the_server_is_told_in_a_line(
    tmp_path: Path, server_uri: str, address: str, token: str, told: str
) -> None:
    """A wrong password, none, and a wrong address; nothing is made, no password is printed."""
    write_vectors(tmp_path / "v.npy", 3)
    write_rows(tmp_path / "t.jsonl", [{"id": f"i{row}"} for row in range(3)])
    shell = Shell(tmp_path, in_process=True)
    there = address or "http://" + server_uri.rpartition("@")[2]
    words = ["ingest", "t.jsonl", "--vectors", "v.npy", "--db", there, "--token", token]
    done = shell(*words, code=1)
    assert told in done.stderr
    assert "wrong" not in done.stderr
    assert not (shell.catalog / "catalog.json").exists()
