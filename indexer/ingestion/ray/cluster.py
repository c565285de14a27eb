"""A connection to a Ray cluster, and the number of workers that fit on it."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from indexer.core.errors import ClusterError, UsageError, first_line

INSTALL = "pip install 'zeroshelf[ray]'"

CORES_A_WORKER = 4
"""Where there is no GPU: BLAS gains little from more, and each worker holds the model."""

# Only whether the head node listens: Ray itself waits much longer for one that does not.
_ANSWER_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """The cluster to use.

    Attributes:
        address: ``HOST:PORT``, ``ray://HOST:PORT`` or ``auto``; None uses
            ``RAY_ADDRESS``, or else starts Ray on this machine for the job.
        workers: None is one for each GPU, or without GPUs one for every four cores.
    """

    address: str | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The workers that fit on a cluster.

    Attributes:
        address: for messages.
        workers: their number.
        cores: of each.
        gpus: of each; less than 1 where some share one.
    """

    address: str
    workers: int
    cores: int
    gpus: float = 0.0

    @classmethod
    def of(cls, nodes: list[dict[str, Any]], options: ClusterOptions) -> Cluster:
        """The workers that fit on some machines.

        Args:
            nodes: from ``ray.nodes()``.
        """
        alive = [node["Resources"] for node in nodes if node["Alive"]]
        address = options.address or "this machine"
        machines = [machine for machine in alive if machine.get("CPU", 0) >= 1]
        if not machines:
            raise ClusterError(
                f"Ray at {address} has no machine with a free core. Start one there."
            )
        with_gpu = [machine for machine in machines if machine.get("GPU", 0) >= 1]
        if with_gpu:
            gpus = int(sum(machine["GPU"] for machine in with_gpu))
            workers = options.workers or gpus
            sharing = math.ceil(workers / gpus)
            cores = min(int(machine["CPU"] / machine["GPU"]) for machine in with_gpu) // sharing
            return cls(address=address, workers=workers, cores=max(1, cores), gpus=1 / sharing)
        cores = min(CORES_A_WORKER, *(int(machine["CPU"]) for machine in machines))
        if options.workers:
            total = int(sum(machine["CPU"] for machine in machines))
            cores = max(1, min(cores, total // options.workers))
        places = sum(int(machine["CPU"]) // cores for machine in machines)
        return cls(address=address, workers=options.workers or places, cores=cores)


@contextlib.contextmanager
def connected(options: ClusterOptions) -> Iterator[Cluster]:
    """Connect to Ray during the block; a connection of the caller is used and left open.

    Raises:
        UsageError: Ray is not installed.
        ClusterError: it does not answer, or no worker fits on it.
    """
    if find_spec("ray") is None:
        raise UsageError(f"--engine ray needs Ray, which is not installed. Run: {INSTALL}")
    # Ray reads these when it is imported: no usage statistics, and no change of CUDA variables.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    opened_here = not _is_connected()
    if opened_here:
        _connect(options.address)
    import ray

    try:
        yield Cluster.of(ray.nodes(), options)
    finally:
        if opened_here:
            ray.shutdown()


def _is_connected() -> bool:
    loaded = sys.modules.get("ray")
    return loaded is not None and bool(loaded.is_initialized())


def _connect(address: str | None) -> None:
    if address is not None:
        _check_reachable(address)
        _use_token()
    import ray

    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address is None and not os.environ.get("RAY_ADDRESS"):
        # Without an address it would join the Ray that was last started on this machine.
        address = "local"
        settings["include_dashboard"] = False
    try:
        ray.init(address, **settings)
    # Ray raises nearly anything here: ConnectionError, RuntimeError for other versions of
    # Python or Ray, ValueError for an address, its own errors.
    except Exception as error:
        raise ClusterError(
            f"Ray at {address or 'this machine'} can't be connected to: {first_line(error)}. "
            "See 'ray status' there. It must run the same versions of Ray and Python; where it "
            "asks for a token, that must be in RAY_AUTH_TOKEN or ~/.ray/auth_token."
        ) from error


def _check_reachable(address: str) -> None:
    """Check the address with a short timeout: Ray itself would retry and log for a minute."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address in {"auto", "local"}:
        return
    if not host or not port.isdecimal():
        raise UsageError(
            f"--address {address}: not an address of Ray. Give HOST:PORT, such as "
            "10.0.0.1:6379, or ray://HOST:PORT."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"Ray at {address} does not answer ({error}). Check the address, or start Ray there: "
            "ray start --head"
        ) from error


def _use_token() -> None:
    """Use a token where there is one: 'ray start' requires it then, 'ray.init' ignores it."""
    token_variables = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    if token_variables or (Path.home() / ".ray" / "auth_token").exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
