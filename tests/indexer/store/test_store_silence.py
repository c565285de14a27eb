"""What gRPC's core says by itself does not reach a user's terminal."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = "import os, indexer.store, grpc; print(os.environ['GRPC_VERBOSITY'])"


@pytest.mark.parametrize(("given", "used"), [({}, "NONE"), ({"GRPC_VERBOSITY": "INFO"},) * 2])
def test_grpc_is_silent_unless_it_is_asked_to_speak(
    given: dict[str, str], used: str | dict[str, str]
) -> None:
    """It has to be told before it is imported; a user's own setting stays."""
    kept = {name: value for name, value in os.environ.items() if name != "GRPC_VERBOSITY"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=kept | given, capture_output=True, text=True, check=True)
    expected = used if isinstance(used, str) else used["GRPC_VERBOSITY"]
    assert (done.stdout.strip(), done.stderr) == (expected, "")
