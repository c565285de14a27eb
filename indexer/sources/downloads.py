"""What the URLs of a catalog gave: asked with again, and kept on disk until it is stored.

Both may be lost: then pictures are downloaded again in full.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from indexer.core.records import Download

_SCHEMA = """
PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
CREATE TABLE IF NOT EXISTS downloads (
    url BLOB PRIMARY KEY, content_hash TEXT NOT NULL, etag TEXT NOT NULL,
    last_modified TEXT NOT NULL, run INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY, sources BLOB NOT NULL, began REAL NOT NULL);
"""
_VALUES_A_QUERY = 500
_BUSY_TIMEOUT_S = 60.0
RESUMABLE_S = 24 * 3600.0
"""What a run downloaded that did not end is taken as it is for so long, by the same command."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a URL.

    Attributes:
        fresh: this run downloaded it.
        resumed: a run that did not end did, of the same sources.
    """

    download: Download
    fresh: bool
    resumed: bool


class Downloads:
    """What each URL gave, by the hash of the URL.

    Args:
        path: the SQLite file; made when it is not there.
        sources: what the command reads: a run of the same that did not end is gone on with.
    """

    def __init__(self, path: Path, sources: Sequence[str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._connection = _connect(path)
        except sqlite3.DatabaseError as error:
            _log.warning("%r is damaged (%s): pictures are downloaded again.", str(path), error)
            for file in path.parent.glob(path.name + "*"):
                file.unlink()
            self._connection = _connect(path)
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

    def find(self, urls: Iterable[str]) -> dict[str, Known]:
        """What is known of URLs; those that nothing is known of are left out."""
        keys = {_key(url): url for url in urls}
        found: dict[str, Known] = {}
        values = list(keys)
        for start in range(0, len(values), _VALUES_A_QUERY):
            some = values[start : start + _VALUES_A_QUERY]
            marks = ",".join("?" * len(some))
            rows = self._connection.execute(
                f"SELECT * FROM downloads WHERE url IN ({marks})",  # noqa: S608 - marks only
                some,
            )
            for key, content_hash, etag, last_modified, run in rows:
                found[keys[key]] = Known(
                    download=Download(
                        content_hash=content_hash, etag=etag, last_modified=last_modified
                    ),
                    fresh=run == self._run,
                    resumed=run in self._resumed,
                )
        return found

    def add(self, found: Mapping[str, Download]) -> None:
        """Remember what URLs gave in this run."""
        if not found:
            return
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(
            "INSERT OR REPLACE INTO downloads VALUES (?, ?, ?, ?, ?)",
            (
                (_key(url), one.content_hash, one.etag, one.last_modified, self._run)
                for url, one in found.items()
            ),
        )
        self._connection.execute("COMMIT")

    def end(self) -> None:
        """Remember that the command came to its end: the next one asks servers again."""
        self._connection.execute("DELETE FROM runs WHERE sources = ?", (self._sources,))

    def close(self) -> None:
        """Release the file."""
        self._connection.close()


class Spool:
    """Contents that were downloaded and are not stored yet: a killed run need not ask again.

    Safe to share by threads.

    Args:
        folder: made with the first content; what is older than a day is deleted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for file in folder.glob("*"):
            if time.time() - file.stat().st_mtime > RESUMABLE_S:
                file.unlink(missing_ok=True)

    def get(self, url: str) -> tuple[bytes, Download] | None:
        """What was kept of a URL; None where nothing is."""
        try:
            head, mark, content = self._file(url).read_bytes().partition(b"\n")
            download = Download(**json.loads(head))
        except (OSError, ValueError, TypeError):
            return None
        whole = mark and hashlib.sha256(content).hexdigest() == download.content_hash
        return (content, download) if whole else None

    def put(self, url: str, content: bytes, download: Download) -> None:
        """Keep a content; a full disk costs no more than another download after a kill."""
        file = self._file(url)
        aside = file.with_suffix(".writing")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(json.dumps(asdict(download)).encode() + b"\n" + content)
            aside.replace(file)
        except OSError as error:
            _log.debug("%s can't be kept: %s", file, error)

    def drop(self, urls: Iterable[str]) -> None:
        """Delete what is stored now."""
        for url in urls:
            self._file(url).unlink(missing_ok=True)

    def clear(self) -> None:
        """Delete everything."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, url: str) -> Path:
        return self._folder / _key(url).hex()


def _key(url: str) -> bytes:
    """Addresses may hold secrets: only a hash of them is kept."""
    return hashlib.blake2b(url.encode(), digest_size=16).digest()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.executescript(_SCHEMA)
        connection.execute("SELECT count(*) FROM runs").fetchone()
    except sqlite3.Error:
        connection.close()
        raise
    return connection
