"""A copy of a catalog's folder, in another folder or an object store, and the way back.

    ADDRESS/
    |-- backup.json     the catalog's files, each with the SHA-256 of its content
    `-- files/SHA256    the contents

A content is stored once and never changes, and ``backup.json`` is written last, in one step: a
backup that is killed leaves the former one whole, and the next one copies what is missing, or has
lost some of its bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from indexer.catalog.ledger import Size
from indexer.catalog.options import CatalogOptions
from indexer.core.durable import write_text_durably
from indexer.core.errors import CatalogError, UsageError
from indexer.core.hashing import file_sha256
from indexer.core.object_stores import StoredFolder
from indexer.core.watch import Watch
from indexer.jobs.rebuild import rebuild

RECORD = "backup.json"
CONTENTS = "files"

_UNFINISHED = "restore.sha256"
"""In a restored catalog until its database is filled: the SHA-256 of the backup's record."""

_IDENTITY = "backup.id"
"""In a catalog that was backed up: a random id, since others may have its name. A restored catalog
has it too, and goes on with the backup."""

_LEFT_OUT = ("ledger.sqlite", "texts.sqlite", "lock", "readers.lock", "reembed.lock", _UNFINISHED)
"""Names of files, and of their journals, that are made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupReport:
    """What a backup did.

    Attributes:
        files: of the catalog.
        copied: contents that were not in the backup before.
        dropped: contents of the former backup that no file has any more.
    """

    files: int
    copied: int
    dropped: int


def backup(options: CatalogOptions, to: str, watch: Watch = Watch()) -> BackupReport:
    """Copy a catalog's files; no command may write to it meanwhile.

    Args:
        to: a folder, or an address such as ``s3://bucket/backups/shop``.

    Raises:
        UnknownCatalogError: there is no such catalog.
        CatalogError: it is being written to.
        UsageError: the address can't be written to, lies in the catalog's own folder, or holds a
            backup of another catalog.
    """
    folder = options.folder
    folder.fingerprint()  # there is such a catalog
    if "://" not in to and Path(to).resolve().is_relative_to(folder.root.resolve()):
        raise UsageError(
            f"{to} lies in the folder of catalog {folder.name!r}: a backup is lost with it, and "
            "each would copy the one before. Name another folder."
        )
    target, contents = StoredFolder(to), _contents_at(to)
    with folder.locked(), tempfile.TemporaryDirectory() as scratch:
        identity = folder.root / _IDENTITY
        if RECORD in target.names():
            _require_same(_record(target), folder.name, identity, to)
        if not identity.exists():
            write_text_durably(identity, uuid.uuid4().hex)
        files = list(_files(folder.root))
        watch.begin("Copying", len(files))
        present, record, copied = contents.sizes(), {}, 0
        for file in files:
            watch.check_stop()
            still = _still(file, Path(scratch))
            digest, size = file_sha256(still), still.stat().st_size
            record[file.relative_to(folder.root).as_posix()] = digest
            if present.get(digest) != size:
                with contents.writing(digest) as aside:
                    shutil.copyfile(still, aside)
                present[digest] = size
                copied += 1
            watch.advance(1)
        described = {
            "catalog": folder.name,
            "id": identity.read_text(encoding="utf-8"),
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": record,
        }
        with target.writing(RECORD) as aside:
            aside.write_text(json.dumps(described, indent=1), encoding="utf-8")
    unneeded = present.keys() - set(record.values())
    for digest in unneeded:
        contents.remove(digest)
    return BackupReport(files=len(files), copied=copied, dropped=len(unneeded))


def _require_same(record: dict[str, Any], name: str, identity: Path, address: str) -> None:
    """Check that a backup is of this catalog, by its name and its id.

    Raises:
        UsageError: it is of another one, whose contents would be dropped.
    """
    if record["catalog"] != name:
        raise UsageError(
            f"{address} holds a backup of catalog {record['catalog']!r}: name another folder."
        )
    catalog_id = identity.read_text(encoding="utf-8") if identity.exists() else None
    if record.get("id", catalog_id) != catalog_id:
        raise UsageError(
            f"{address} holds a backup of another catalog that is named {name!r}, made "
            f"{record.get('time', 'at an unknown time')}: name another folder."
        )


def restore(options: CatalogOptions, source: str, watch: Watch = Watch()) -> Size:
    """Copy a backup into a new catalog, and fill its database; the same call goes on after a kill.

    Args:
        source: what ``backup`` was given.

    Returns:
        Items and rows in the database.

    Raises:
        UsageError: there is a catalog of this name, no backup, or the address can't be read.
        CatalogError: the backup is damaged.
    """
    folder = options.folder
    files = _record_at(source)["files"]
    stamp = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    if not folder.exists():
        aside = options.data_dir / "restoring" / folder.name
        _copy_back(source, files, aside, watch)
        (aside / _UNFINISHED).write_text(stamp, encoding="utf-8")
        folder.root.parent.mkdir(parents=True, exist_ok=True)
        if any(folder.root.rglob("*.parquet")):
            raise CatalogError(
                f"{str(folder.root)!r} is a catalog whose catalog.json is lost: move the folder "
                "away, or give another --catalog."
            )
        if folder.root.exists():  # nothing but a lock
            shutil.rmtree(folder.root)
        aside.rename(folder.root)
    unfinished = folder.root / _UNFINISHED
    if not unfinished.exists() or unfinished.read_text(encoding="utf-8") != stamp:
        raise UsageError(
            f"there is a catalog {folder.name!r} in {str(options.data_dir)!r}: give another "
            "--catalog, or another --data-dir."
        )
    size = rebuild(options, watch=watch)
    unfinished.unlink()
    return size


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupCheck:
    """What lies in a backup, compared with its list of files.

    Attributes:
        catalog: that it is of.
        time: when it was made; empty in those of earlier versions.
        files: of the catalog.
        contents: that were read; files with the same content share one.
        size: bytes of these.
        damaged: files of the catalog whose content is another one, with the name of that content.
        missing: files of the catalog whose content is not there, likewise.
        unneeded: contents that no file has; the next backup drops them.
    """

    catalog: str
    time: str
    files: int
    contents: int
    size: int
    damaged: dict[str, str]
    missing: dict[str, str]
    unneeded: int

    @property
    def is_whole(self) -> bool:
        """Whether ``restore`` would find all that it needs."""
        return not self.damaged and not self.missing


def check_backup(source: str, watch: Watch = Watch()) -> BackupCheck:
    """Compare every content of a backup with its SHA-256; nothing is restored, or written.

    Args:
        source: what ``backup`` was given.

    Raises:
        UsageError: there is no backup, or the address can't be read.
        CatalogError: the list of its files is damaged.
    """
    record = _record_at(source)
    contents = _contents_at(source)
    sizes, files = contents.sizes(), record["files"]
    needed = dict.fromkeys(files.values())
    present = [digest for digest in needed if digest in sizes]
    watch.begin("Checking", len(present))
    damaged = set()
    for digest in present:
        watch.check_stop()
        if contents.sha256(digest) != digest:
            damaged.add(digest)
        watch.advance(1)
    return BackupCheck(
        catalog=record["catalog"],
        time=record.get("time", ""),
        files=len(files),
        contents=len(present),
        size=sum(sizes[digest] for digest in present),
        damaged={name: digest for name, digest in files.items() if digest in damaged},
        missing={name: digest for name, digest in files.items() if digest not in sizes},
        unneeded=len(sizes.keys() - needed.keys()),
    )


def _copy_back(source: str, files: dict[str, str], to: Path, watch: Watch) -> None:
    """Copy the files of a backup into a folder, which has nothing else afterwards.

    Raises:
        CatalogError: a content is missing or damaged.
    """
    contents = _contents_at(source)
    present = contents.names()
    for path in sorted(to.rglob("*")):  # of a restore that was killed, maybe of another backup
        if path.is_file() and path.relative_to(to).as_posix() not in files:
            path.unlink()
    watch.begin("Copying", len(files))
    for name, digest in files.items():
        watch.check_stop()
        path = to / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or file_sha256(path) != digest:
            if digest in present:
                contents.fetch(digest, path)
            if digest not in present or file_sha256(path) != digest:
                raise CatalogError(
                    f"{source}: {name} is damaged there: delete {CONTENTS}/{digest} if it is "
                    "there, and make the backup again."
                )
        watch.advance(1)


def _files(root: Path) -> Iterator[Path]:
    """The files that a backup has, in order."""
    for path in sorted(root.rglob("*")):
        name = path.name.removesuffix("-wal").removesuffix("-shm")
        is_whole = name == path.name and path.suffix != ".writing"
        is_download = path.relative_to(root).parts[0] == "fetched"
        if path.is_file() and is_whole and not is_download and name not in _LEFT_OUT:
            yield path


def _still(file: Path, scratch: Path) -> Path:
    """The file, or a copy of one that may change meanwhile: verdicts and maps need no lock.

    Of a SQLite file the copy has in it what is in its journal.
    """
    if file.parent.name == "archive":  # shards never change
        return file
    copy = scratch / file.name
    copy.unlink(missing_ok=True)
    if file.suffix != ".sqlite":
        shutil.copyfile(file, copy)
        return copy
    with closing(sqlite3.connect(file)) as original, closing(sqlite3.connect(copy)) as target:
        original.backup(target)
    return copy


def _contents_at(address: str) -> StoredFolder:
    """The folder of a backup's contents."""
    return StoredFolder(f"{address.rstrip('/')}/{CONTENTS}")


def _record_at(source: str) -> dict[str, Any]:
    """What the backup at an address holds.

    Raises:
        UsageError: there is none, or the address can't be read.
        CatalogError: as ``_record``.
    """
    if "://" not in source and not Path(source).is_dir():
        raise UsageError(f"{source} holds no backup: there is no such folder. Check the address.")
    origin = StoredFolder(source)
    if RECORD not in origin.names():
        raise UsageError(f"{source} holds no backup: there is no {RECORD}. Check the address.")
    return _record(origin)


def _record(folder: StoredFolder) -> dict[str, Any]:
    """What a backup holds.

    Raises:
        CatalogError: it can't be read, or names a file outside of the catalog: a backup may come
            from others.
    """
    with contextlib.suppress(ValueError):
        record = json.loads(folder.read(RECORD))
        if isinstance(record, dict) and _are_files(record.get("files")) and "catalog" in record:
            for name in record["files"]:
                path = PurePosixPath(name)
                if path.is_absolute() or ".." in path.parts or not path.parts:
                    raise CatalogError(
                        f"{folder.address}: {RECORD} names {name!r}, which is outside of the "
                        "catalog."
                    )
            return record
    raise CatalogError(f"{folder.address}: {RECORD} is damaged: make the backup again.")


def _are_files(files: Any) -> bool:
    """Whether these are names of files with the SHA-256 of each."""
    return isinstance(files, dict) and all(
        isinstance(digest, str) and re.fullmatch(r"[0-9a-f]{64}", digest)
        for digest in files.values()
    )
