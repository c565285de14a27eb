"""Opening and closing a database: the Milvus Lite folder and its lock, or a server.

A Milvus Lite folder is opened in this process, unless another process serves it: then that one is
asked. Either way its collections are written and searched as Milvus Lite needs it.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from indexer.core.collection import collection_paused
from indexer.core.errors import StoreError, StoreLockedError
from indexer.core.system_errors import ADDRESS_SPACE, address_space_left
from indexer.store.addresses import Address
from indexer.store.capabilities import ServerInfo, server_info
from indexer.store.expressions import EVERYTHING, Filter
from indexer.store.faults import silence_logs, translate_errors
from indexer.store.running_server import find_server

CONNECT_TIMEOUT_S = 5.0
"""After it a server is reported as away, instead of being retried for minutes."""

SERVED_TIMEOUT_S = 120.0
"""The same for a process that serves a Milvus Lite database: its lock says that it lives."""

SERVER_TIMEOUT_S = 30.0
"""For one read or write on a server."""

LITE_TIMEOUT_S = 600.0
"""Milvus Lite runs on this machine: it may be slow (large searches, compaction), never away."""

LONG_TIMEOUT_S = 3600.0
"""For building an index, loading a collection and flushing: they grow with the rows."""

NO_PINGS_MS = 2**31 - 1
"""The largest interval that gRPC takes, which turns its keepalive pings off."""

# Milvus Lite keeps one server a folder in a process; the last to close it releases the lock.
_opened: Counter[Path] = Counter()
_guard = threading.Lock()


@dataclass(frozen=True, slots=True)
class Connection:
    """An open database.

    Attributes:
        client: pymilvus' ``MilvusClient``.
        timeout_s: limit of one read or write.
        is_lite: Milvus Lite serves it, in this process or in another one.
        is_shared: other processes may use it at the same time.
    """

    client: Any
    address: Address
    timeout_s: float
    is_lite: bool = False
    is_shared: bool = True

    def translate_errors(
        self, action: str, row_filter: Filter = EVERYTHING
    ) -> AbstractContextManager[None]:
        """``faults.translate_errors`` with this database's address."""
        return translate_errors(str(self.address), action, row_filter)

    def server_info(self) -> ServerInfo:
        """The database's version and capabilities."""
        with self.translate_errors("asking for the version"):
            return server_info(str(self.client.get_server_version(timeout=self.timeout_s)))

    def set_property(self, collection: str, name: str, value: str) -> None:
        """Store a text with a collection."""
        with self.translate_errors(f"storing a property of {collection}"):
            self.client.alter_collection_properties(
                collection, {name: value}, timeout=self.timeout_s
            )

    def close(self) -> None:
        """Close the client; for Milvus Lite also the folder, so that its lock is free."""
        self.client.close()
        if not self.is_shared and self.address.path is not None:
            _release(self.address.path)


def connect(address: Address, *, token: str) -> Connection:
    """Open a database, or ask the process that serves it.

    Raises:
        StoreUnavailableError: the server does not answer.
        StoreLockedError: another process holds the Milvus Lite folder.
        StoreError: the path is not a Milvus Lite folder, or the server refused.
    """
    path = address.path
    server = None if path is None else find_server(path)
    if path is not None and server is None:
        return _open_here(path, address, token=token)
    # One that holds its lock is alive, and on a busy machine slow: it is waited for.
    patience_s = CONNECT_TIMEOUT_S if server is None else SERVED_TIMEOUT_S
    uri = address.uri if server is None else server.uri
    client = _client(address, uri, token=token, timeout_s=patience_s)
    connection = Connection(client, address, patience_s)
    is_lite = connection.server_info().is_lite
    limit_s = LITE_TIMEOUT_S if is_lite else SERVER_TIMEOUT_S
    return replace(connection, timeout_s=limit_s, is_lite=is_lite)


def _open_here(path: Path, address: Address, *, token: str) -> Connection:
    uri = _acquire(path)
    try:
        client = _client(address, uri, token=token)
    except BaseException:
        _release(path)
        raise
    return Connection(client, address, LITE_TIMEOUT_S, is_lite=True, is_shared=False)


def _client(address: Address, uri: str, *, token: str, timeout_s: float = CONNECT_TIMEOUT_S) -> Any:
    """Pymilvus' client of a database.

    Args:
        uri: where it listens, which for a Milvus Lite folder is a port of this machine.
    """
    from pymilvus import MilvusClient

    silence_logs()
    options: dict[str, int] = {}
    if address.is_loopback:
        # gRPC obeys http_proxy even for an address on this machine.
        options["grpc.enable_http_proxy"] = 0
        # Milvus Lite refuses pymilvus' pings after some minutes. A longer call, such as building
        # a graph of 100,000 rows, would fail, be retried, and meet the index "already there".
        options["grpc.keepalive_time_ms"] = NO_PINGS_MS
        options["grpc.keepalive_permit_without_calls"] = 0
    with translate_errors(str(address), "connecting"):
        return MilvusClient(
            uri,
            token=token,
            timeout=timeout_s,
            dedicated=True,  # else closing one would close all to this address
            grpc_options=options,
        )


def _require_address_space(path: Path) -> None:
    left = address_space_left()
    if left is not None and left < ADDRESS_SPACE:
        raise StoreError(
            f"database {path}: Milvus Lite needs {ADDRESS_SPACE / 2**30:g} GiB of address space, "
            f"and this process may take {max(left, 0) / 2**30:.1f} GiB more: raise the limit "
            "(ulimit -v unlimited), or use a Milvus server with --db"
        )


def _acquire(path: Path) -> str:
    """Start Milvus Lite on a folder, or join the one of this process; its address."""
    _require_address_space(path)
    with collection_paused():
        from milvus_lite.server_manager import server_manager_instance

        silence_logs()
    with _guard:
        check_folder(path)
        with _logged_errors() as errors, collection_paused():  # it imports as it starts
            uri: str | None = server_manager_instance.start_and_get_uri(str(path))
        if uri is None:
            raise opening_error(path, errors[-1] if errors else None)
        _opened[path] += 1
        return uri


def _release(path: Path) -> None:
    from milvus_lite.server_manager import server_manager_instance

    with _guard:
        _opened[path] -= 1
        if _opened[path] <= 0:
            del _opened[path]
            # MilvusClient.close() leaves the lock with this process.
            server_manager_instance.release_server(str(path))


def check_folder(path: Path) -> None:
    """Refuse a path that is not Milvus Lite's: it would fail without a cause, or write there."""
    if path.is_file():
        raise StoreError(
            f"database {path}: a plain file, not a folder of Milvus Lite 3 (older versions kept "
            "a file); move it away, and `zeroshelf rebuild` makes the database from the archive"
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        names = {entry.name for entry in path.iterdir()} if path.exists() else set()
    except OSError as error:
        raise StoreError(f"database {path}: {error}; give another path with --db") from error
    if names and "LOCK" not in names:
        raise StoreError(
            f"database {path}: a folder with other files, not a Milvus Lite database; "
            "give another path with --db"
        )


def opening_error(path: Path, cause: BaseException | None) -> StoreError:
    """What kept Milvus Lite from opening a folder, with the remedy."""
    from milvus_lite.exceptions import DataDirLockedError

    if isinstance(cause, DataDirLockedError):
        locked = StoreLockedError(
            f"database {path}: another process has it open; wait until it ends. To let several "
            "processes use it at a time, serve it when it is free: zeroshelf db start"
        )
        locked.__cause__ = cause
        return locked
    fault = StoreError(
        f"database {path}: Milvus Lite can't open it: {cause}; check the folder's permissions and "
        "free space; if it is damaged, move it away and run `zeroshelf rebuild`"
    )
    fault.__cause__ = cause
    return fault


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(record.exc_info[1])


@contextmanager
def _logged_errors() -> Iterator[list[BaseException]]:
    """Errors that Milvus Lite's server manager logs and turns into None."""
    logger = logging.getLogger("milvus_lite.server_manager")
    collector = _Collector()
    logger.addHandler(collector)
    try:
        yield collector.errors
    finally:
        logger.removeHandler(collector)
