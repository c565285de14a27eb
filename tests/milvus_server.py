"""A real Milvus server for tests: the one that the package ``milvus`` carries, no Docker.

It listens on all interfaces; where that matters, run the tests in a network
namespace of their own: ``unshare --net sh -c 'ip link set lo up; pytest -m server'``.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

URI_VARIABLE = "ZEROSHELF_TEST_MILVUS_URI"
"""Set it to run the server tests against a server that is already there."""

TOKEN = "root:Milvus"
"""A new server's only user; it refuses all others."""

START_TIMEOUT_MS = 120_000
STOP_TIMEOUT_S = 10


@contextmanager
def running_server(folder: Path) -> Iterator[str]:
    """Start a server with its data below ``folder``; yields its URI, and stops it after.

    Only one such server runs on a machine: its lock is ``/run/milvus/standalone.pid``.
    """
    if uri := os.environ.get(URI_VARIABLE):
        yield uri
        return
    import milvus

    config = milvus.MilvusServerConfig(data_dir=str(folder))
    config.set("common.security.authorizationEnabled", "true")
    server = milvus.MilvusServer(config, wait_for_started=False)
    try:
        server.start()
        server.wait_started(timeout=START_TIMEOUT_MS)
        # The port is read back: where the default is taken, the package moves on silently.
        yield f"http://{TOKEN}@127.0.0.1:{server.listen_port}"
    finally:
        if server.server_proc is not None:
            stop(server.server_proc)
        server.stop()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server in order; the package's own ``stop`` kills it after a second."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
