"""Backups that are stopped, damaged, or in the wrong place; no object store is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from catalogs import add_items, make_catalog
from shell import Shell

from indexer.catalog.opening import CatalogOptions
from indexer.core.errors import CatalogError, UsageError
from indexer.core.object_stores import StoredFolder
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from indexer.jobs import backup as backup_job
from indexer.jobs.backup import backup, check_backup, restore
from indexer.jobs.rebuild import compare

VECTORS: FloatArray = normalise(np.random.default_rng(0).normal(size=(6, 8)))


@pytest.fixture
def options(tmp_path: Path) -> CatalogOptions:
    """A catalog of six items."""
    return make_catalog(tmp_path / "data", VECTORS, VECTORS[:2])


@pytest.fixture
def saved(options: CatalogOptions, tmp_path: Path) -> Path:
    """A backup of it."""
    backup(options, str(tmp_path / "backup"))
    return tmp_path / "backup"


@pytest.fixture
def restored(options: CatalogOptions, tmp_path: Path) -> CatalogOptions:
    """Where it is restored to."""
    return replace(options, data_dir=tmp_path / "restored")


def content_of(saved: Path, ending: str) -> Path:
    """The first content of a kind of file."""
    files = json.loads((saved / "backup.json").read_text())["files"]
    return saved / "files" / next(files[name] for name in files if name.endswith(ending))


def stop(*_: Any, **__: Any) -> None:
    """End as a kill does."""
    raise KeyboardInterrupt


def test_a_content_that_lost_bytes_is_copied_again(
    options: CatalogOptions, restored: CatalogOptions, saved: Path
) -> None:
    """Its name is there, but not all of it."""
    shard = content_of(saved, ".parquet")
    shard.write_bytes(shard.read_bytes()[:100])
    assert backup(options, str(saved)).copied == 1
    assert restore(restored, str(saved)).items == 6
    assert compare(restored, all_vectors=True).equal


@pytest.mark.parametrize("is_there", [True, False])
def test_the_remedy_of_a_damaged_content_helps(
    options: CatalogOptions, restored: CatalogOptions, saved: Path, *, is_there: bool
) -> None:
    """As long as ever, but another; or gone: it is named, and deleted it is copied again."""
    shard = content_of(saved, ".parquet")
    shard.write_bytes(bytes(shard.stat().st_size))
    if not is_there:
        shard.unlink()
    with pytest.raises(CatalogError, match=f"delete files/{shard.name} if it is there"):
        restore(restored, str(saved))
    assert not restored.folder.root.exists()
    shard.unlink(missing_ok=True)
    assert backup(options, str(saved)).copied == 1
    assert restore(restored, str(saved)).items == 6


def test_files_of_another_backup_do_not_stay(
    options: CatalogOptions, restored: CatalogOptions, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restore was killed, and another backup is restored then."""
    add_items(options, -VECTORS, prefix="later")
    backup(options, f"{saved}-later")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", stop)
        with pytest.raises(KeyboardInterrupt):
            restore(restored, f"{saved}-later")
    assert restore(restored, str(saved)).items == 6
    names = json.loads((saved / "backup.json").read_text())["files"]
    shards = {path.name for path in (restored.folder.root / "archive").iterdir()}
    assert shards == {Path(name).name for name in names if name.startswith("archive/")}


def test_a_restore_that_was_killed_while_the_database_is_filled_goes_on(
    options: CatalogOptions, restored: CatalogOptions, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same call, but no restore of another backup onto it."""
    with monkeypatch.context() as patch:
        patch.setattr(backup_job, "rebuild", stop)
        with pytest.raises(KeyboardInterrupt):
            restore(restored, str(saved))
    add_items(options, -VECTORS, prefix="later")
    backup(options, f"{saved}-later")
    with pytest.raises(UsageError, match="there is a catalog"):
        restore(restored, f"{saved}-later")
    assert restore(restored, str(saved)).items == 6
    assert compare(restored, all_vectors=True).equal
    with pytest.raises(UsageError, match="there is a catalog"):
        restore(restored, str(saved))


def test_a_verdict_given_meanwhile_damages_no_backup(
    options: CatalogOptions, restored: CatalogOptions, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Verdicts are kept while another command holds the catalog: the file grows while it is read.

    What has a hash is what is copied.
    """
    verdicts = options.folder.root / "corrections.jsonl"
    verdicts.write_text("")
    writing = StoredFolder.writing

    @contextmanager
    def growing(folder: StoredFolder, name: str) -> Iterator[Path]:
        with verdicts.open("a") as file:
            file.write("\n")
        with writing(folder, name) as aside:
            yield aside

    monkeypatch.setattr(StoredFolder, "writing", growing)
    backup(options, str(tmp_path / "backup"))
    assert restore(restored, str(tmp_path / "backup")).items == 6


def test_a_folder_whose_description_is_lost_is_not_deleted(
    options: CatalogOptions, saved: Path
) -> None:
    """Its archive may be newer than the backup."""
    for description in options.folder.root.glob("catalog*.json"):
        description.unlink()
    shards = sorted((options.folder.root / "archive").iterdir())
    with pytest.raises(CatalogError, match=r"whose catalog.json is lost: move the folder"):
        restore(options, str(saved))
    assert sorted((options.folder.root / "archive").iterdir()) == shards


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], "is damaged"),
        ({"a": 1}, "is damaged"),
        ({"a": "../backup.json"}, "is damaged"),
        ({"/a": 64 * "0"}, "outside"),
        ({".": 64 * "0"}, "outside"),
    ],
)
def test_a_record_that_is_no_record_is_refused(
    restored: CatalogOptions, saved: Path, files: Any, message: str
) -> None:
    """A backup may come from others: nothing outside of it is read or written."""
    record = saved / "backup.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"files": files}))
    with pytest.raises(CatalogError, match=message):
        restore(restored, str(saved))
    assert not restored.folder.root.exists()


def test_places_that_can_hold_no_backup_are_told(
    options: CatalogOptions, restored: CatalogOptions, tmp_path: Path
) -> None:
    """The catalog's own folder, and a misspelt one, which is not made."""
    with pytest.raises(UsageError, match="lies in the folder of catalog"):
        backup(options, str(options.folder.root / "backup"))
    with pytest.raises(UsageError, match="there is no such folder"):
        restore(restored, str(tmp_path / "misspelt"))
    assert not (tmp_path / "misspelt").exists()


def test_another_catalog_of_the_same_name_leaves_the_backup_alone(
    options: CatalogOptions, restored: CatalogOptions, saved: Path, tmp_path: Path
) -> None:
    """Its contents would be dropped. A restored catalog goes on with the backup."""
    other = make_catalog(tmp_path / "other", -VECTORS, VECTORS[:2])
    assert other.folder.name == options.folder.name
    before = (saved / "backup.json").read_bytes()
    with pytest.raises(UsageError, match="of another catalog that is named"):
        backup(other, str(saved))
    assert (saved / "backup.json").read_bytes() == before
    restore(restored, str(saved))
    assert compare(restored).equal
    assert backup(restored, str(saved)).dropped == 0


def test_a_backup_is_checked_without_restoring(
    options: CatalogOptions, restored: CatalogOptions, saved: Path
) -> None:
    """Wrong bytes of the right size, and a content that is gone, are found with their files."""
    whole = check_backup(str(saved))
    record = json.loads((saved / "backup.json").read_text())
    assert whole.is_whole
    assert (whole.catalog, whole.time, whole.files) == (
        "catalog",
        record["time"],
        len(record["files"]),
    )
    sizes = [file.stat().st_size for file in (saved / "files").iterdir()]
    assert (whole.contents, whole.size) == (len(sizes), sum(sizes))
    shard, labels = content_of(saved, "items-00000001.parquet"), content_of(saved, "catalog.json")
    shard.write_bytes(bytes(shard.stat().st_size))
    labels.unlink()
    (saved / "files" / ("0" * 64)).write_bytes(b"left over")
    before = {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    checked = check_backup(str(saved))
    assert not checked.is_whole
    assert {name for name, digest in record["files"].items() if digest == shard.name} == {
        *checked.damaged
    }
    assert set(checked.missing.values()) == {labels.name}
    assert checked.unneeded == 1
    assert before == {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    assert not restored.folder.root.exists()
    shard.unlink()
    assert backup(options, str(saved)).copied == 2
    assert check_backup(str(saved)).is_whole


def test_the_command_tells_what_a_backup_lacks(saved: Path, tmp_path: Path) -> None:
    """In words and for machines, with exit code 1 and the remedy; without a catalog at hand."""
    shell = Shell(tmp_path / "nowhere", in_process=True)
    shell.folder.mkdir()
    assert "all with the right checksum" in " ".join(
        shell("backup", "--check", saved).stderr.split()
    )
    shard = content_of(saved, ".parquet")
    shard.write_bytes(bytes(shard.stat().st_size))
    told = shell("backup", "--check", saved, code=1)
    assert f"damaged  files/{shard.name}  archive/" in told.stdout
    assert f"zeroshelf backup --catalog catalog --to {saved}" in " ".join(told.stderr.split())
    (row,) = shell.json("backup", "--check", saved, code=1)
    assert not row["whole"]
    assert list(row["damaged"].values()) == [shard.name]
    assert "no such folder" in shell("backup", "--check", "misspelt", code=2).stderr
    assert "--check" in shell("backup", code=2).stderr
    assert "--check" in shell("backup", "--to", "a", "--check", saved, code=2).stderr
