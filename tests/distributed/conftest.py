"""A Ray of two machines, started once for all tests that need one; all of them are this one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

PATIENCE_S = 600.0


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """A ``ray.cluster_utils.Cluster`` of two nodes with a core each; tests may add more."""
    pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # else it would ask for this user's token, if any
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OMP_WAIT_POLICY", "PASSIVE")
        # Workers are nice to others by default: on a busy machine they would never start.
        patch.setenv("RAY_worker_niceness", "0")
        # Five questions without an answer, and a machine is dead: so a killed one is found soon.
        patch.setenv("RAY_health_check_period_ms", "1000")
        from ray._private import services
        from ray.cluster_utils import Cluster

        # Ray gives a node 30 s to start, which are too few on a busy machine.
        patch.setattr(services, "get_node", partial(_patiently, services.get_node))
        patch.setattr(services, "wait_for_node", partial(_patiently, services.wait_for_node))
        cluster = Cluster(initialize_head=True, head_node_args={"include_dashboard": False})
        try:
            cluster.add_node()
            yield cluster
        finally:
            cluster.shutdown()


@pytest.fixture(scope="session")
def ray_address(ray_cluster: Any) -> str:
    """The address of a Ray of two cores."""
    return str(ray_cluster.address)


def _patiently(look_up: Callable[..., Any], *arguments: Any) -> Any:
    """What Ray looks up about a node, as soon as it is there."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return look_up(*arguments)
        except (RuntimeError, TimeoutError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
