"""Starts, ends and describes the process that serves a Milvus Lite database."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from indexer.catalog.folder import CatalogFolder, catalog_names
from indexer.catalog.options import CatalogOptions
from indexer.core.errors import CatalogError, StoreError, UsageError
from indexer.store import Database
from indexer.store.addresses import parse
from indexer.store.running_server import STARTING_S, RunningServer, ServerFiles, find_server

STOPPING_S = 300.0
"""Longest wait for a server that was told to end: it answers what is under way, then closes."""

_DYING_S = 5.0
"""Longest wait for the lock of a server that no longer answers."""

_POLL_S = 0.05
_LOG_LINES = 5

_started: dict[int, subprocess.Popen[bytes]] = {}
"""Servers that this process started and did not end: they outlive it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedCatalog:
    """A catalog in a database that is served.

    Attributes:
        name: of the catalog.
        is_written: a command holds the catalog's lock; None where this data folder has no such
            catalog.
    """

    name: str
    is_written: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStatus:
    """A server that runs.

    Attributes:
        database: path of the Milvus Lite folder.
        version: of Milvus Lite, as it says itself.
        log: where it logs.
    """

    database: Path
    server: RunningServer
    version: str
    catalogs: tuple[ServedCatalog, ...]
    log: Path


def start(options: CatalogOptions, *, port: int = 0) -> RunningServer:
    """Serve the database in a process of its own, and wait until it answers.

    Args:
        port: on loopback; 0 takes a free one.

    Raises:
        UsageError: the database is a server already, or is served already.
        StoreError: it can't be served; the message has the cause.
    """
    database = _lite_path(options)
    running = find_server(database)
    if running is not None:
        raise UsageError(
            f"database {database} is served already: by process {running.pid}, at {running.uri}, "
            f"since {running.since}. Commands find it by themselves; `zeroshelf db stop` ends it."
        )
    files = ServerFiles(database)
    files.folder.mkdir(parents=True, exist_ok=True)
    with files.log.open("wb") as log:
        # -P: a folder of the user's must not shadow a module.
        process = subprocess.Popen(  # noqa: S603 (our own module)
            [sys.executable, "-P", "-m", "indexer.store.lite_server", str(database), str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # it outlives the terminal, whose Ctrl-C is not for it
        )
    running = _wait_for(files, process)
    _forget_ended()
    _started[running.pid] = process
    try:
        with Database.connect(str(database)) as answering:
            answering.server_info()
    except BaseException:
        _stop(files, running)
        raise
    return running


def stop(options: CatalogOptions, *, force: bool = False) -> RunningServer | None:
    """End the server of the database in order, and delete what it left.

    Args:
        force: also while a command writes to a catalog; that command fails then, and the same
            command goes on later.

    Returns:
        The server that ran; None where none did.

    Raises:
        CatalogError: a command writes to a catalog in it.
        StoreError: it did not end.
    """
    files = ServerFiles(_lite_path(options))
    running = find_server(files.database)
    if running is None:
        if not files.is_held():
            files.remove()
        return None
    names = catalog_names(options.data_dir)
    written = [name for name in names if CatalogFolder(options.data_dir, name).is_written]
    if written and not force:
        raise CatalogError(
            f"a command is writing to catalog {written[0]!r}. Wait for it to finish, or end the "
            "server all the same with --force: that command fails, and goes on when it is run "
            "again."
        )
    _stop(files, running)
    return running


def status(options: CatalogOptions) -> ServerStatus | None:
    """The server of the database, and the catalogs in it; None where none runs.

    Raises:
        StoreError: it runs and does not answer.
    """
    path = _lite_path(options)
    running = find_server(path)
    if running is None:
        return None
    try:
        return _status_of(options, path, running)
    except StoreError:
        # One that is just being killed holds its lock a moment longer than it answers.
        if not _is_released(ServerFiles(path), _DYING_S):
            raise
        return None


def _status_of(options: CatalogOptions, path: Path, running: RunningServer) -> ServerStatus:
    """What a server says of itself and its catalogs."""
    own_names = set(catalog_names(options.data_dir))
    with Database.connect(str(path)) as database:
        return ServerStatus(
            database=path,
            server=running,
            version=database.server_info().version,
            catalogs=tuple(
                ServedCatalog(
                    name=name,
                    is_written=CatalogFolder(options.data_dir, name).is_written
                    if name in own_names
                    else None,
                )
                for name in database.catalog_names()
            ),
            log=ServerFiles(path).log,
        )


def remains(options: CatalogOptions) -> RunningServer | None:
    """The server that was killed, where its record still lies there."""
    return ServerFiles(_lite_path(options)).read()


def _lite_path(options: CatalogOptions) -> Path:
    path = parse(options.db_uri).path
    if path is None:
        raise UsageError(
            f"database {options.db_uri!r} is a server already, which many processes can use. "
            "zeroshelf db is for a Milvus Lite database: give its path with --db, or leave --db "
            "out."
        )
    return path


def _wait_for(files: ServerFiles, process: subprocess.Popen[bytes]) -> RunningServer:
    until = time.monotonic() + STARTING_S
    while time.monotonic() < until:
        running = files.read()
        if running is not None and running.pid == process.pid:
            return running
        if process.poll() is not None:
            message = _last_lines(files.log)
            if not files.is_held():  # else they are those of another server
                files.remove()
            raise StoreError(message or f"the server ended at once, with {process.returncode}")
        time.sleep(_POLL_S)
    process.kill()
    process.wait()
    raise StoreError(
        f"database {files.database}: its server did not answer within {STARTING_S:.0f} s and was "
        f"ended. Its log: {files.log}"
    )


def _last_lines(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-_LOG_LINES:])


def _forget_ended() -> None:
    """Servers that somebody killed; Python would warn of them at the end of this process."""
    for pid, process in list(_started.items()):
        if process.poll() is not None:
            del _started[pid]


def _is_released(files: ServerFiles, within_s: float) -> bool:
    """Whether a server gives up its lock in so many seconds."""
    until = time.monotonic() + within_s
    while files.is_held():
        if time.monotonic() > until:
            return False
        time.sleep(_POLL_S)
    return True


def _stop(files: ServerFiles, running: RunningServer) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    if not _is_released(files, STOPPING_S):
        raise StoreError(
            f"the server of {files.database}, process {running.pid}, did not end within "
            f"{STOPPING_S:.0f} s. Its log: {files.log}. `kill -9 {running.pid}` ends it; what "
            "was stored is kept."
        )
    if (process := _started.pop(running.pid, None)) is not None:
        process.wait()
    files.remove()
