"""A copy of a catalog's folder, in another folder or an object store, and the way back.

    ADDRESS/
    |-- backup.json     the catalog's files, each with the SHA-256 of its content
    `-- files/SHA256    the contents

A content is stored once and never changes, and ``backup.json`` is written last, in one step: a
backup that is killed leaves the former one whole, and the next one copies what is missing.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from indexer.catalog.ledger import Size
from indexer.catalog.options import CatalogOptions
from indexer.core.errors import CatalogError
from indexer.core.hashing import file_sha256
from indexer.core.object_stores import StoredFolder
from indexer.core.watch import Watch
from indexer.jobs.rebuild import rebuild

RECORD = "backup.json"
CONTENTS = "files"

_LEFT_OUT = ("ledger.sqlite", "texts.sqlite", "lock", "readers.lock", "reembed.lock")
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
        CatalogError: there is no such catalog, it is being written to, or the backup there is
            of another catalog.
        UsageError: the address can't be written to.
    """
    folder = options.folder
    folder.fingerprint()  # there is such a catalog
    target, contents = StoredFolder(to), StoredFolder(f"{to.rstrip('/')}/{CONTENTS}")
    if RECORD in target.names():
        former = _record(target)["catalog"]
        if former != folder.name:
            raise CatalogError(f"{to} holds a backup of catalog {former!r}: name another folder.")
    with folder.locked(), tempfile.TemporaryDirectory() as scratch:
        files = list(_files(folder.root))
        watch.begin("Copying", len(files))
        present, record, copied = contents.names(), {}, 0
        for file in files:
            watch.check_stop()
            whole = _without_journal(file, Path(scratch))
            digest = file_sha256(whole)
            record[file.relative_to(folder.root).as_posix()] = digest
            if digest not in present:
                with contents.writing(digest) as aside:
                    shutil.copyfile(whole, aside)
                present.add(digest)
                copied += 1
            watch.advance(1)
        described = {
            "catalog": folder.name,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": record,
        }
        with target.writing(RECORD) as aside:
            aside.write_text(json.dumps(described, indent=1), encoding="utf-8")
    unneeded = present - set(record.values())
    for digest in unneeded:
        contents.remove(digest)
    return BackupReport(files=len(files), copied=copied, dropped=len(unneeded))


def restore(options: CatalogOptions, source: str, watch: Watch = Watch()) -> Size:
    """Copy a backup into a new catalog, and fill its database; the same call goes on after a kill.

    Args:
        source: what ``backup`` was given.

    Returns:
        Items and rows in the database.

    Raises:
        CatalogError: there is a catalog of this name, no backup, or a damaged one.
        UsageError: the address can't be read.
    """
    folder = options.folder
    if folder.exists():
        raise CatalogError(
            f"there is a catalog {folder.name!r} in {str(options.data_dir)!r}: give another "
            "--catalog, or another --data-dir."
        )
    origin = StoredFolder(source)
    if RECORD not in origin.names():
        raise CatalogError(f"{source} holds no backup: there is no {RECORD}. Check the address.")
    files = _record(origin)["files"]
    contents = StoredFolder(f"{source.rstrip('/')}/{CONTENTS}")
    aside = options.data_dir / "restoring" / folder.name
    watch.begin("Copying", len(files))
    for name, digest in files.items():
        watch.check_stop()
        path = aside / _inside(name, source)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or file_sha256(path) != digest:
            contents.fetch(digest, path)
            if file_sha256(path) != digest:
                raise CatalogError(f"{source}: {name} is damaged there: make the backup again.")
        watch.advance(1)
    folder.root.parent.mkdir(parents=True, exist_ok=True)
    if folder.root.exists():  # nothing but a lock
        shutil.rmtree(folder.root)
    aside.rename(folder.root)
    return rebuild(options, watch=watch)


def _files(root: Path) -> Iterator[Path]:
    """The files that a backup has, in order."""
    for path in sorted(root.rglob("*")):
        name = path.name.removesuffix("-wal").removesuffix("-shm")
        is_whole = name == path.name and path.suffix != ".writing"
        is_download = path.relative_to(root).parts[0] == "fetched"
        if path.is_file() and is_whole and not is_download and name not in _LEFT_OUT:
            yield path


def _without_journal(file: Path, scratch: Path) -> Path:
    """The file, or of a SQLite file a copy that has in it what is in its journal."""
    if file.suffix != ".sqlite":
        return file
    copy = scratch / file.name
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as original, closing(sqlite3.connect(copy)) as target:
        original.backup(target)
    return copy


def _record(folder: StoredFolder) -> dict[str, Any]:
    """What a backup holds.

    Raises:
        CatalogError: it can't be read.
    """
    try:
        record = json.loads(folder.read(RECORD))
        if isinstance(record, dict) and {"catalog", "files"} <= record.keys():
            return dict(record)
    except ValueError:
        pass
    raise CatalogError(f"{folder.address}: {RECORD} is damaged: make the backup again.")


def _inside(name: str, source: str) -> str:
    """A name that leads nowhere else: a backup may come from others.

    Raises:
        CatalogError: it leads out of the folder.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise CatalogError(f"{source}: {RECORD} names {name!r}, which is outside of the catalog.")
    return name
