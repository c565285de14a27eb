"""What is asked of a cluster, and what is said where there is none."""

from __future__ import annotations

import importlib.util
import socket
from typing import Any

import pytest

from indexer.core.errors import ClusterError, UsageError
from indexer.ingestion.ray import Cluster, ClusterOptions, connected
from indexer.ingestion.ray import cluster as module


def machine(cores: float, gpus: float = 0.0, *, alive: bool = True) -> dict[str, Any]:
    """As Ray describes one."""
    return {"Alive": alive, "Resources": {"CPU": cores} | ({"GPU": gpus} if gpus else {})}


@pytest.mark.parametrize(
    ("machines", "workers", "expected"),
    [
        ([machine(2)], None, (1, 2, 0.0)),
        ([machine(2)], 2, (2, 1, 0.0)),
        ([machine(16), machine(8)], None, (6, 4, 0.0)),
        ([machine(16), machine(2)], None, (9, 2, 0.0)),
        ([machine(16, 4), machine(8, 1), machine(64)], None, (5, 4, 1.0)),
        ([machine(16, 4)], 8, (8, 2, 0.5)),
        ([machine(16), machine(64, 8, alive=False)], None, (4, 4, 0.0)),
    ],
)
def test_workers_fit_their_machines(
    machines: list[dict[str, Any]], workers: int | None, expected: tuple[int, int, float]
) -> None:
    """One for each GPU, or without any one for four cores; each fits the smallest machine."""
    found = Cluster.of(machines, ClusterOptions(workers=workers))
    assert (found.workers, found.cores, found.gpus) == expected


def test_a_cluster_without_machines_is_refused() -> None:
    """A head that only leads has no core."""
    with pytest.raises(ClusterError, match="no machine"):
        Cluster.of([machine(0)], ClusterOptions())


def test_an_address_that_does_not_answer_is_an_error_at_once() -> None:
    """It is said before Ray is even loaded."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ClusterError, match=f"{address} does not answer.*ray start --head"):
            connected(ClusterOptions(address=address)).__enter__()


@pytest.mark.parametrize("address", ["somewhere", "host:port", ":6379", "10.0.0.1"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """With the form that it must have."""
    with pytest.raises(UsageError, match="HOST:PORT"):
        connected(ClusterOptions(address=address)).__enter__()


def test_where_ray_is_not_installed_the_command_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole pip command."""
    there = importlib.util.find_spec
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "ray" else there(name))
    with pytest.raises(UsageError, match=r"pip install 'zeroshelf\[ray\]'"):
        connected(ClusterOptions()).__enter__()
