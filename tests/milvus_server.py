"""A real Milvus server for tests: the one that the package ``milvus`` carries, no Docker.

It listens on all interfaces; where that matters, run the tests in a network
namespace of their own: ``unshare --net sh -c 'ip link set lo up; pytest -m server'``.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

URI_VARIABLE = "ZEROSHELF_TEST_MILVUS_URI"
"""Set it to run the server tests against a server that is already there."""

TOKEN = "root:Milvus"
"""A new server's only user; it refuses all others."""

START_TIMEOUT_MS = 120_000
STOP_TIMEOUT_S = 10


class RealServer:
    """A server process that can be killed and started again on the same data and port.

    Only one such server runs on a machine: its lock is ``/run/milvus/standalone.pid``, and
    a second one waits for ever.

    Args:
        folder: of its data.
    """

    def __init__(self, folder: Path) -> None:
        import milvus

        config = milvus.MilvusServerConfig(data_dir=str(folder))
        config.set("common.security.authorizationEnabled", "true")
        self._folder = folder
        self._server = milvus.MilvusServer(config, wait_for_started=False)
        self._server.start()
        self._process: subprocess.Popen[bytes] = self._server.server_proc
        self._environment = environment_of(self._process.pid)
        self._server.wait_started(timeout=START_TIMEOUT_MS)
        # The port is read back: where the default is taken, the package moves on silently.
        self.uri = f"http://{TOKEN}@127.0.0.1:{self._server.listen_port}"

    def kill(self) -> None:
        """End it at once, as a power cut of the process does."""
        self._process.kill()
        self._process.wait()

    def start_again(self) -> None:
        """Start it with the same files; it answers some time later."""
        self._process = subprocess.Popen(
            self._process.args,
            env=self._environment,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def wait(self) -> None:
        """Wait until it says that it is well."""
        self._server.wait_started(timeout=START_TIMEOUT_MS)

    def close(self) -> None:
        """End it in order; the package's own ``stop`` kills it after a second."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._server.stop()


def environment_of(process_id: int) -> dict[str, str]:
    """The variables that a process was started with; the package does not give them away."""
    entries = Path(f"/proc/{process_id}/environ").read_text().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)
