"""Finds the process that serves a Milvus Lite database to others.

One process opens a Milvus Lite folder. ``lite_server`` is a process that opens it and serves it on
loopback; other processes find it here and ask it, instead of opening the folder. Beside the
database ``milvus.db`` lies the folder ``milvus.db.server`` for that::

    lock         held by the server as long as it lives; the system frees it for a killed process
    server.json  process id, port, time of the start; written when requests are answered
    log          what the server has to say

The lock says whether a server lives, so a record that a killed one left deceives nobody.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from indexer.core.durable import write_text_durably
from indexer.core.locks import is_locked, try_exclusive

STARTING_S = 300.0
"""Longest wait for a server that opens its database, or that closes it."""

_POLL_S = 0.05
_LOCK_PATIENCE_S = 2.0
"""Longer than the moment in which others look whether the lock is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningServer:
    """A process that serves a database.

    Attributes:
        pid: its process id.
        port: on 127.0.0.1.
        since: when it began, ISO 8601 in UTC.
    """

    pid: int
    port: int
    since: str

    @property
    def uri(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


class ServerFiles:
    """The folder beside a database that its server keeps.

    Args:
        database: absolute path of the Milvus Lite folder.

    Attributes:
        folder: holds the other files.
        lock: held by the server.
        record: who and where the server is.
        log: what the server prints.
    """

    def __init__(self, database: Path) -> None:
        self.database = database
        self.folder = database.with_name(f"{database.name}.server")
        self.lock = self.folder / "lock"
        self.record = self.folder / "server.json"
        self.log = self.folder / "log"

    def is_held(self) -> bool:
        """Whether a server lives, or is starting or ending; makes no file."""
        return is_locked(self.lock)

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the lock as the server; yields False where another does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        until = time.monotonic() + _LOCK_PATIENCE_S
        file = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not (is_ours := try_exclusive(file)) and time.monotonic() < until:
                time.sleep(_POLL_S)
            yield is_ours
        finally:
            os.close(file)

    def write(self, server: RunningServer) -> None:
        """Let others find the server."""
        write_text_durably(self.record, json.dumps(asdict(server)) + "\n")

    def read(self) -> RunningServer | None:
        """The record; None where there is none, or it can't be read. It may be a dead server's."""
        try:
            return RunningServer(**json.loads(self.record.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def remove(self) -> None:
        """Delete all that a server left; only where none lives."""
        for file in (self.record, self.log, self.lock):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not there, or another file is in it
            self.folder.rmdir()


def find_server(database: Path) -> RunningServer | None:
    """The server of a database; waits for one that is just starting or ending.

    Args:
        database: absolute path of the Milvus Lite folder.
    """
    files = ServerFiles(database)
    until = time.monotonic() + STARTING_S
    while files.is_held() and time.monotonic() < until:
        server = files.read()
        if server is not None:
            return server
        time.sleep(_POLL_S)
    return None
