"""What ``queries`` gives to Python users, and what importing it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import queries


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
    """Nothing but Python's own modules, and few of ours: it takes milliseconds."""
    code = (
        "import sys; before = set(sys.modules); import queries; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    tops = [name.partition(".")[0] for name in done.stdout.split()]
    assert set(tops) - sys.stdlib_module_names <= {"indexer", "queries"}
    assert tops.count("indexer") + tops.count("queries") < 10
