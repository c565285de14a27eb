"""A small fixed part of the campaign; ``python -m campaigns`` is the whole."""

from __future__ import annotations

import pytest
from warm import run


@pytest.mark.slow
def test_killed_and_damaged_catalogs_are_whole_again() -> None:
    """Kills between two durable writes, and damaged files: the named commands mend them."""
    done = run(["-c", "from campaigns.__main__ import main; main()", "--fixed"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok ") + done.stdout.startswith("ok ") == 7, done.stdout
