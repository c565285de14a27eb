"""Pictures, tables and exports at ``s3://``, on a local S3 server, whatever breaks there."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import s3_server
from fsspec.registry import _registry
from s3_server import S3Server

from indexer.catalog.opening import CatalogOptions, open_catalog
from indexer.core.errors import CatalogError, ItemError, SourceError, StoppedError, UsageError
from indexer.core.object_stores import StoredFolder
from indexer.core.reasons import Reason
from indexer.core.records import Failure
from indexer.core.watch import Watch
from indexer.jobs import export_folder
from indexer.jobs.backup import backup, check_backup, restore
from indexer.jobs.dataset_export import export_dataset
from indexer.jobs.ingest import ingest
from indexer.jobs.ingest_options import IngestOptions
from indexer.jobs.items import export
from indexer.jobs.rebuild import compare
from indexer.jobs.retry import retry
from indexer.labels.taxonomy import read_label_file
from indexer.sources import open_sources
from indexer.sources.fetch import Fetcher

S3FileSystem = pytest.importorskip("s3fs").S3FileSystem


@pytest.fixture(scope="module")
def pictures(shared_data: Path) -> list[bytes]:
    """Photos of clothes."""
    return [file.read_bytes() for file in sorted((shared_data / "clothing").glob("*/*.jpg"))[:7]]


@pytest.fixture(scope="module")
def server(pictures: list[bytes]) -> Iterator[S3Server]:
    """A server with four pictures in two folders."""
    with s3_server.running() as server:
        for number, content in enumerate(pictures[:4]):
            server.put(f"pictures/{'ab'[number % 2]}/{number}.jpg", content)
        yield server


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """A new catalog of the packaged model."""
    return CatalogOptions(data_dir=tmp_path / "data", model="pocket", device="cpu")


@pytest.fixture(autouse=True)
def _own_client() -> Iterator[None]:
    """A client of its own for each test: a process keeps those of the same settings."""
    S3FileSystem.clear_instance_cache()
    yield
    S3FileSystem.clear_instance_cache()


def without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No keys in the environment, nor in files."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


def test_a_folder_of_a_bucket(
    server: S3Server, pictures: list[bytes], options: CatalogOptions
) -> None:
    """Ids are paths below it, and what came since is found though the process listed it before."""
    first = ingest(options, ["s3://shop/pictures/"], IngestOptions())
    assert (first.stored, first.dead) == (4, 0)
    with open_catalog(options) as catalog:
        places = catalog.ledger.find(["a/0.jpg", "b/1.jpg"])
    assert set(places) == {"a/0.jpg", "b/1.jpg"}
    server.put("pictures/c/new.jpg", pictures[4])
    try:
        again = ingest(options, ["s3://shop/pictures/"], IngestOptions())
    finally:
        server.client().delete_object(Bucket=s3_server.BUCKET, Key="pictures/c/new.jpg")
    assert (again.stored, again.unchanged, again.dead) == (1, 4, 0)


def test_rows_of_a_table(server: S3Server, pictures: list[bytes], options: CatalogOptions) -> None:
    """Whole addresses and names beside the table; what is missing there can be tried again."""
    images = ["s3://shop/pictures/a/0.jpg", "beside.jpg", "s3://shop/late.jpg", "s3://none/a.jpg"]
    rows = [{"id": str(number), "image": image} for number, image in enumerate(images)]
    server.put("tables/items.jsonl", "".join(json.dumps(row) + "\n" for row in rows).encode())
    server.put("tables/beside.jpg", pictures[5])
    report = ingest(options, ["s3://shop/tables/items.jsonl"], IngestOptions())
    assert (report.stored, dict(report.dead_by_reason)) == (2, {Reason.MISSING: 2})
    server.put("late.jpg", pictures[6])
    report, _ = retry(options, IngestOptions())
    assert (report.stored, dict(report.dead_by_reason)) == (1, {Reason.MISSING: 1})


@pytest.mark.parametrize("address", ["s3://no-such-bucket/pictures/", "s3://shop/nothing/"])
def test_what_is_not_there_is_an_error(
    server: S3Server, options: CatalogOptions, address: str
) -> None:
    """A bucket, or a folder in one that is there."""
    assert server.port
    with pytest.raises(SourceError, match=f"{address}: no such file or folder; check the bucket"):
        ingest(options, [address], IngestOptions())


def test_without_credentials_it_says_how_to_give_them(
    server: S3Server, options: CatalogOptions, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder is refused; a row that names an object is a dead letter; labels are refused."""
    assert server.port
    without_credentials(monkeypatch, tmp_path)
    remedy = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    with pytest.raises(SourceError, match=remedy):
        ingest(options, ["s3://shop/pictures/"], IngestOptions())
    with pytest.raises(SourceError, match=remedy):
        ingest(options, ["s3://shop/pictures/*.jpg"], IngestOptions())
    with pytest.raises(UsageError, match=remedy):
        read_label_file("s3://shop/labels.csv")
    with Fetcher() as fetcher, pytest.raises(ItemError, match=remedy) as raised:
        fetcher.read("s3://shop/pictures/a/0.jpg")
    assert raised.value.reason is Reason.UNREADABLE


def test_a_store_that_goes_away_is_given_up_and_asked_again_later(server: S3Server) -> None:
    """Five failures in a row, and then none waits for it; another run reads on."""
    source = "s3://shop/pictures/a/0.jpg"
    with Fetcher(backoff_s=0.001) as fetcher:
        content = fetcher.read(source)
        server.stop()
        reasons = []
        try:
            for _ in range(6):
                with pytest.raises(ItemError, match="shop") as raised:
                    fetcher.read(source)
                reasons.append(raised.value.reason)
        finally:
            server.start()
    assert reasons == [Reason.DOWNLOAD_FAILED] * 5 + [Reason.HOST_GIVEN_UP]
    with Fetcher() as fetcher:
        assert fetcher.read(source) == content


def test_a_job_whose_store_goes_away_keeps_what_it_has(
    server: S3Server, options: CatalogOptions
) -> None:
    """The others are dead letters, and a retry takes them."""
    images = [f"s3://shop/pictures/{'ab'[number % 2]}/{number}.jpg" for number in range(4)]
    rows = [{"id": str(number), "image": image} for number, image in enumerate(images)]
    table = options.data_dir.parent / "items.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows[:2]))
    ingest(options, [str(table)], IngestOptions())
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    server.stop()
    try:
        report = ingest(options, [str(table)], IngestOptions())
    finally:
        server.start()
    assert (report.read, report.stored, report.dead) == (4, 0, 4)
    assert set(report.dead_by_reason) <= {Reason.DOWNLOAD_FAILED, Reason.HOST_GIVEN_UP}
    report, _ = retry(options, IngestOptions())
    assert (report.unchanged, report.stored, report.dead) == (2, 2, 0)


def test_a_table_that_breaks_off(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is one dead letter that says so, so that nothing is taken for absent."""
    monkeypatch.setattr(S3FileSystem, "default_block_size", 2**16)
    rows = "".join(f"{number},a/0.jpg\n" for number in range(50_000))
    server.put("pictures/long.csv", f"id,image\n{rows}".encode())
    items = iter(open_sources(["s3://shop/pictures/long.csv"]))
    read = [next(items)]
    server.stop()
    try:
        read += items
    finally:
        server.start()
        server.client().delete_object(Bucket=s3_server.BUCKET, Key="pictures/long.csv")
    assert 1 < len(read) < 50_000
    assert isinstance(read[-1], Failure)
    assert "the connection broke off from here on (EndpointConnectionError" in read[-1].message


def test_an_export(server: S3Server, options: CatalogOptions, tmp_path: Path) -> None:
    """The files are those of a local export; a second one is refused."""
    ingest(options, ["s3://shop/pictures/"], IngestOptions())
    size = export(options, "s3://shop/exports/today")
    assert size == export(options, tmp_path / "here")
    names = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert server.keys("exports/today/") == [f"exports/today/{name}" for name in names]
    for name in names:
        there = pq.read_table(BytesIO(server.get(f"exports/today/{name}")))
        assert there.equals(pq.read_table(tmp_path / "here" / name))
    with pytest.raises(UsageError, match=r"s3://shop/exports/today.*holds an export already"):
        export(options, "s3://shop/exports/today")
    with pytest.raises(UsageError, match="s3://no-such-bucket/x: can't be used"):
        export(options, "s3://no-such-bucket/x")


@pytest.mark.parametrize("as_dataset", [False, True])
def test_a_stopped_export_leaves_no_files_in_a_bucket(
    server: S3Server, options: CatalogOptions, monkeypatch: pytest.MonkeyPatch, *, as_dataset: bool
) -> None:
    """The same call makes it then; one that was killed is told, and --replace makes it anew."""
    ingest(options, ["s3://shop/pictures/a/"], IngestOptions())
    ingest(options, ["s3://shop/pictures/b/"], IngestOptions())
    name = f"exports/stopped-{as_dataset}"
    write = export_dataset if as_dataset else export
    writing = StoredFolder.writing

    @contextlib.contextmanager
    def stopping(folder: StoredFolder, name: str) -> Iterator[Path]:
        if name.endswith("00000002.parquet"):
            raise KeyboardInterrupt
        with writing(folder, name) as aside:
            yield aside

    with monkeypatch.context() as patch:
        patch.setattr(StoredFolder, "writing", stopping)
        with pytest.raises(KeyboardInterrupt):
            write(options, f"s3://shop/{name}")
    assert server.keys(name) == []
    with monkeypatch.context() as patch:
        patch.setattr(StoredFolder, "writing", stopping)
        patch.setattr(export_folder, "_clean_up", lambda *_: None)  # as where the process is killed
        with pytest.raises(KeyboardInterrupt):
            write(options, f"s3://shop/{name}")
    left = server.keys(name)
    assert len(left) == 2
    with pytest.raises(UsageError, match=r"part of .* that was stopped.* with --replace"):
        write(options, f"s3://shop/{name}")
    assert server.keys(name) == left
    write(options, f"s3://shop/{name}", replace=True)
    made = server.keys(name)
    assert not any(key.endswith(".unfinished") for key in made)
    assert sum(key.endswith(".parquet") for key in made) >= 2
    with pytest.raises(UsageError, match=r"already.*--replace"):
        write(options, f"s3://shop/{name}")


def stopped_soon() -> Watch:
    """Stops a job after its first step."""
    stop = threading.Event()
    return Watch(advance=lambda _: stop.set(), stop=stop)


def test_a_backup_is_restored(server: S3Server, options: CatalogOptions, tmp_path: Path) -> None:
    """A stopped one changes nothing, the next copies what is new, and no model is needed."""
    source, place = "s3://shop/pictures/", "s3://shop/backups/one"
    ingest(options, [source], IngestOptions())
    first = backup(options, place)
    assert 0 < first.copied <= first.files
    server.put("pictures/c/new.jpg", server.get("pictures/a/0.jpg") + b"x")
    try:
        ingest(options, [source], IngestOptions())
        record = server.get("backups/one/backup.json")
        with pytest.raises(StoppedError):
            backup(options, place, stopped_soon())
        assert server.get("backups/one/backup.json") == record
        again = backup(options, place)
        assert 0 < again.copied < again.files
        checked = check_backup(place)
        assert (checked.is_whole, checked.files) == (True, again.files)
        assert backup(options, place) == replace(again, copied=0, dropped=0)

        restored = replace(options, data_dir=tmp_path / "restored")
        with pytest.raises(StoppedError):
            restore(restored, place, stopped_soon())
        assert restore(restored, place).items == len(server.keys("pictures/"))
        assert compare(restored, all_vectors=True).equal
        report = ingest(restored, [source], IngestOptions())
    finally:
        server.client().delete_object(Bucket=s3_server.BUCKET, Key="pictures/c/new.jpg")
    assert (report.stored, report.embedded, report.dead) == (0, 0, 0)
    with pytest.raises(UsageError, match="there is a catalog"):
        restore(restored, place)
    other = replace(options, catalog="other")
    restore(other, place)
    with pytest.raises(UsageError, match=r"holds a backup of catalog 'catalog'"):
        backup(other, place)


def test_a_damaged_backup_is_refused(
    server: S3Server, options: CatalogOptions, tmp_path: Path
) -> None:
    """A content that is another, a name that leads out, and no backup at all."""
    ingest(options, ["s3://shop/pictures/"], IngestOptions())
    backup(options, str(tmp_path / "backup"))
    restored = replace(options, data_dir=tmp_path / "restored")
    record = tmp_path / "backup" / "backup.json"
    described = json.loads(record.read_text())
    name, digest = next(iter(described["files"].items()))
    content = tmp_path / "backup" / "files" / digest
    whole = content.read_bytes()
    content.write_bytes(whole + b" ")
    with pytest.raises(CatalogError, match=f"{name} is damaged there"):
        restore(restored, str(tmp_path / "backup"))
    content.write_bytes(whole)
    record.write_text(json.dumps(described | {"files": {"../out": digest}}))
    with pytest.raises(CatalogError, match="outside of the catalog"):
        restore(restored, str(tmp_path / "backup"))
    with pytest.raises(UsageError, match="holds no backup"):
        restore(restored, "s3://shop/pictures")
    assert not restored.folder.root.exists()
    assert server.port


def test_the_extra_is_named_where_it_is_missing(
    options: CatalogOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole pip command, for what is read and what is written."""
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(_registry, "s3", raising=False)
    command = r"pip install 'zeroshelf\[s3\]'"
    with pytest.raises(SourceError, match=command):
        ingest(options, ["s3://shop/pictures/"], IngestOptions())
    with pytest.raises(UsageError, match=command):
        StoredFolder("s3://shop/exports")
