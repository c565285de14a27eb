"""The process that serves a Milvus Lite database to other processes of this machine.

It is Milvus Lite's own gRPC server, as ``milvus-lite server`` runs it, with three differences: it
listens on loopback only, since it asks nobody for a password; others find it by a record that is
written when it answers; and SIGTERM ends it in order.

    python -P -m indexer.store.lite_server DATABASE PORT
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from indexer.core.errors import StoreLockedError, UsageError, ZeroshelfError
from indexer.store.connection import check_folder, opening_error
from indexer.store.running_server import RunningServer, ServerFiles

HOST = "127.0.0.1"
GRACE_S = 10.0
"""Seconds that requests under way have when the server is told to end."""

_ENDING = {signal.SIGTERM, signal.SIGINT}


def serve(database: Path, port: int) -> None:
    """Serve a database until SIGTERM or SIGINT comes.

    Args:
        database: absolute path of the Milvus Lite folder; made where it is missing.
        port: on loopback; 0 takes a free one.

    Raises:
        StoreLockedError: another process has the database open, or serves it.
        StoreError: the path is not a Milvus Lite folder.
        UsageError: the port is taken.
    """
    # Before threads start, which inherit it: only the wait below is to get these signals.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    check_folder(database)
    _check_port(port)
    files = ServerFiles(database)
    with files.held() as is_ours:
        if not is_ours:
            raise StoreLockedError(f"database {database}: another process serves it already")
        files.record.unlink(missing_ok=True)  # of one that was killed
        server, opened, bound_port = _start(database, port)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        files.write(RunningServer(pid=os.getpid(), port=bound_port, since=since))
        signal.sigwait(_ENDING)
        files.record.unlink(missing_ok=True)  # from here on nobody comes who does not wait
        server.stop(grace=GRACE_S).wait()
        opened.close()


def _start(database: Path, port: int) -> tuple[Any, Any, int]:
    """The gRPC server, the opened database, and the port."""
    from milvus_lite.adapter.grpc.server import start_server_in_thread

    try:
        server, opened, bound_port = start_server_in_thread(str(database), host=HOST, port=port)
    except Exception as error:
        raise opening_error(database, error) from error
    return server, opened, bound_port


def _check_port(port: int) -> None:
    """Refuse a port that is taken: gRPC would share it with another of its servers in silence.

    Raises:
        UsageError: names the port and the remedy.
    """
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise UsageError(
            f"{HOST}:{port} can't be listened on ({error.strerror}): give another --port, or "
            "leave it out for a free one"
        ) from error


def main() -> None:
    """Serve what the command line names; an error is one line on stderr."""
    database, port = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    try:
        serve(Path(database), int(port))
    except ZeroshelfError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
