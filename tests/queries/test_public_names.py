"""What ``queries`` gives to Python users, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import queries

LIMIT_S = 0.15


def test_names_are_sorted_and_there() -> None:
    """Each public name can be had, and stands in ``dir``."""
    assert sorted(queries.__all__) == queries.__all__
    assert set(queries.__all__) <= set(dir(queries))
    assert all(getattr(queries, name).__name__ == name for name in queries.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As with any module."""
    with pytest.raises(AttributeError, match="Classifer"):
        queries.Classifer  # noqa: B018 - the access is what is tested


def test_importing_loads_nothing_heavy() -> None:
    """Fast, and none of the libraries that take seconds."""
    code = (
        "import time, sys; started = time.perf_counter(); import queries; "
        "took = time.perf_counter() - started; "
        "heavy = {'sklearn', 'torch', 'pymilvus', 'numpy'} & set(sys.modules); "
        f"assert took < {LIMIT_S} and not heavy, (took, heavy)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
