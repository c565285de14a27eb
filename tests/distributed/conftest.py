"""A Ray on this machine, started once for all tests that need one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CORES = 2
PATIENCE_S = 600.0


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """The address of a Ray of two cores."""
    pytest.importorskip("ray")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    host, port = address.split(":")
    os.environ["RAY_AUTH_MODE"] = "disabled"  # else it would ask for this user's token, if any
    process = subprocess.Popen(
        [
            *(Path(sys.executable).with_name("ray"), "start", "--head", "--block"),
            *(f"--node-ip-address={host}", f"--port={port}", f"--num-cpus={CORES}"),
            *("--include-dashboard=false", "--disable-usage-stats"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Workers are nice to others by default: on a busy machine they would never start.
        env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "RAY_worker_niceness": "0"},
    )
    try:
        _wait_for(address, process)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Until a machine of the cluster answers."""
    status = [Path(sys.executable).with_name("ray"), "status", "--address", address]
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        done = subprocess.run(status, capture_output=True, text=True, check=False)
        if f"/{CORES}.0 CPU" in done.stdout:
            return
        time.sleep(0.5)
    raise AssertionError(f"Ray does not start: {done.stdout} {done.stderr}")
