"""Calls that kill their workers, and calls that fail, on a real Ray."""

from __future__ import annotations

import os

import pytest

from indexer.core.errors import ClusterError
from indexer.ingestion.ray import ClusterOptions, connected, pool, side_by_side

pytestmark = pytest.mark.slow


def test_an_input_that_kills_each_worker_ends_the_job(
    ray_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not tried for ever; what to look at is named."""
    monkeypatch.setattr(pool, "RETRIES", 1)
    with (
        connected(ClusterOptions(address=ray_address, workers=2)) as cluster,
        pytest.raises(ClusterError, match=r"died 2 times over the same batch .*'ray status'"),
    ):
        list(side_by_side(cluster, os._exit, [1]))


def test_a_call_that_fails_is_not_repeated(ray_address: str) -> None:
    """Those before it are given, in order; the error is the worker's."""
    with connected(ClusterOptions(address=ray_address, workers=2)) as cluster:
        results = side_by_side(cluster, int, ["3", "1", "2", "x"])
        assert [next(results) for _ in range(3)] == [3, 1, 2]
        with pytest.raises(ClusterError, match=r"failed: .*invalid literal .*'x'"):
            next(results)
