"""A catalog's earlier downloads, for conditional requests, and its spool of new contents.

Both may be lost: then pictures are downloaded again in full.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from indexer.core.hashing import sha256
from indexer.core.records import Download
from indexer.core.sqlite_files import connect, open_or_renew, select_in, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS downloads (
    url BLOB PRIMARY KEY, content_hash TEXT NOT NULL, etag TEXT NOT NULL,
    last_modified TEXT NOT NULL, run INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY, sources BLOB NOT NULL, began REAL NOT NULL);
"""
RESUMABLE_S = 24 * 3600.0
"""So long the same command reuses the downloads of a run that did not end."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierDownload:
    """The recorded download of a URL.

    Attributes:
        fresh: whether this run downloaded it.
        resumed: whether an unfinished run of the same sources did.
    """

    download: Download
    fresh: bool
    resumed: bool


class Downloads:
    """The downloads of URLs, by the hash of the URL.

    Args:
        path: the SQLite file; made if missing.
        sources: the command's sources; an unfinished run of the same ones is resumed.

    Raises:
        CatalogError: the file can't be opened.
    """

    def __init__(self, path: Path, sources: Sequence[str]) -> None:
        self._connection = open_or_renew(
            path,
            partial(connect, schema=_SCHEMA, table="runs"),
            noun="the record of downloads",
            loss="pictures are downloaded again.",
        )
        self._sources = _key("\0".join(sources))
        execute = self._connection.execute
        execute("DELETE FROM runs WHERE began < ?", (time.time() - RESUMABLE_S,))
        rows = execute("SELECT number FROM runs WHERE sources = ?", (self._sources,))
        self._resumed = {number for (number,) in rows.fetchall()}
        (highest,) = execute(
            "SELECT max(coalesce((SELECT max(run) FROM downloads), 0), "
            "coalesce((SELECT max(number) FROM runs), 0))"
        ).fetchone()
        self._run = int(highest) + 1
        execute("INSERT INTO runs VALUES (?, ?, ?)", (self._run, self._sources, time.time()))

    def find(self, urls: Iterable[str]) -> dict[str, EarlierDownload]:
        """The recorded downloads of URLs; URLs without one are left out."""
        keys = {_key(url): url for url in urls}
        earlier: dict[str, EarlierDownload] = {}
        rows = select_in(self._connection, "SELECT * FROM downloads", "url", list(keys))
        for key, content_hash, etag, last_modified, run in rows:
            earlier[keys[key]] = EarlierDownload(
                download=Download(
                    content_hash=content_hash, etag=etag, last_modified=last_modified
                ),
                fresh=run == self._run,
                resumed=run in self._resumed,
            )
        return earlier

    def add(self, downloads: Mapping[str, Download]) -> None:
        """Record downloads of this run, by URL."""
        if not downloads:
            return
        with transaction(self._connection):
            self._connection.executemany(
                "INSERT OR REPLACE INTO downloads VALUES (?, ?, ?, ?, ?)",
                (
                    (_key(url), new.content_hash, new.etag, new.last_modified, self._run)
                    for url, new in downloads.items()
                ),
            )

    def end(self) -> None:
        """Record that the command is complete: the next one sends requests again."""
        self._connection.execute("DELETE FROM runs WHERE sources = ?", (self._sources,))

    def close(self) -> None:
        """Release the file."""
        self._connection.close()


class Spool:
    """Downloaded contents that are not stored yet, so that a killed run can be resumed.

    Thread-safe.

    Args:
        folder: made with the first content; files older than a day are deleted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for file in folder.glob("*"):
            if time.time() - file.stat().st_mtime > RESUMABLE_S:
                file.unlink(missing_ok=True)

    def get(self, url: str) -> tuple[bytes, Download] | None:
        """The content and download of a URL; None where there is none."""
        try:
            head, mark, content = self._file(url).read_bytes().partition(b"\n")
            download = Download(**json.loads(head))
        except (OSError, ValueError, TypeError):
            return None
        is_complete = mark and sha256(content) == download.content_hash
        return (content, download) if is_complete else None

    def put(self, url: str, content: bytes, download: Download) -> None:
        """Store a content; on a full disk a killed run downloads it again."""
        file = self._file(url)
        aside = file.with_suffix(".writing")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(json.dumps(asdict(download)).encode() + b"\n" + content)
            aside.replace(file)
        except OSError as error:
            _log.debug("%s can't be kept: %s", file, error)

    def drop(self, urls: Iterable[str]) -> None:
        """Delete the contents of these URLs."""
        for url in urls:
            self._file(url).unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete everything."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, url: str) -> Path:
        return self._folder / _key(url).hex()


def _key(url: str) -> bytes:
    """The hash of a URL, since addresses may hold secrets."""
    return hashlib.blake2b(url.encode(), digest_size=16).digest()
