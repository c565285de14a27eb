"""A small fixed part of the campaign; ``python -m campaigns`` is the whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_killed_and_damaged_catalogs_are_whole_again() -> None:
    """Kills between two durable writes, and damaged files: the named commands mend them."""
    done = subprocess.run(
        [sys.executable, "-m", "campaigns", "--fixed"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\nok ") + done.stdout.startswith("ok ") == 7, done.stdout
