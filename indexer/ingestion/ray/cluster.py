"""A connection to Ray, and the room that it has for workers."""

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

_ANSWER_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """Which cluster does the work.

    Attributes:
        address: ``HOST:PORT``, ``ray://HOST:PORT`` or ``auto``; None is what ``RAY_ADDRESS``
            says, or else a Ray on this machine that lives as long as the job.
        workers: None is one for each GPU, or without any one for every four cores.
    """

    address: str | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The room for workers.

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
        """The room on some machines.

        Args:
            nodes: as ``ray.nodes()`` tells.
        """
        alive = [node["Resources"] for node in nodes if node["Alive"]]
        address = options.address or "this machine"
        machines = [one for one in alive if one.get("CPU", 0) >= 1]
        if not machines:
            raise ClusterError(
                f"Ray at {address} has no machine with a free core. Start one there."
            )
        with_gpu = [one for one in machines if one.get("GPU", 0) >= 1]
        if with_gpu:
            gpus = int(sum(one["GPU"] for one in with_gpu))
            workers = options.workers or gpus
            sharing = math.ceil(workers / gpus)
            cores = min(int(one["CPU"] / one["GPU"]) for one in with_gpu) // sharing
            return cls(address=address, workers=workers, cores=max(1, cores), gpus=1 / sharing)
        cores = min(CORES_A_WORKER, *(int(one["CPU"]) for one in machines))
        if options.workers:
            total = int(sum(one["CPU"] for one in machines))
            cores = max(1, min(cores, total // options.workers))
        places = sum(int(one["CPU"]) // cores for one in machines)
        return cls(address=address, workers=options.workers or places, cores=cores)


@contextlib.contextmanager
def connected(options: ClusterOptions) -> Iterator[Cluster]:
    """Connect to Ray for a while; a Ray that the caller has connected to is left as it is.

    Raises:
        UsageError: Ray is not installed.
        ClusterError: it does not answer, or has no room.
    """
    if find_spec("ray") is None:
        raise UsageError(f"--engine ray needs Ray, which is not installed. Run: {INSTALL}")
    # Ray reads these when it is imported: nothing is told to anybody, and no tips are given.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    ours = not _is_connected()
    if ours:
        _connect(options.address)
    import ray

    try:
        yield Cluster.of(ray.nodes(), options)
    finally:
        if ours:
            ray.shutdown()


def _is_connected() -> bool:
    loaded = sys.modules.get("ray")
    return loaded is not None and bool(loaded.is_initialized())


def _connect(address: str | None) -> None:
    if address is not None:
        _require_answer(address)
        _show_token()
    import ray

    settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if address is None and not os.environ.get("RAY_ADDRESS"):
        # Without, it would join whatever Ray was last started on this machine.
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


def _require_answer(address: str) -> None:
    """Knock, with a short patience: Ray itself would try for a minute, and log all the while."""
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


def _show_token() -> None:
    """Use a token where there is one: 'ray start' asks for it then, and 'ray.init' does not."""
    given = {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys()
    if given or (Path.home() / ".ray" / "auth_token").exists():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
