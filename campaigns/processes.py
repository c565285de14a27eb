"""Commands in processes of their own, forked from one that has imported all that they need."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from campaigns.steps import Step, watch

TIMEOUT_S = 300.0
_PRELOADED = (
    *("torch", "transformers", "sentence_transformers", "pymilvus", "milvus_lite", "sklearn"),
    *("faiss", "pyarrow.parquet", "pyarrow.dataset", "numba", "queries.cli"),
    *("milvus_lite.server_manager", "transformers.models.clip.modeling_clip"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a process ended.

    Attributes:
        code: exit code; negative is the signal that killed it.
        told: what it wrote to stdout and stderr.
        steps: the durable steps it took, in order.
        seconds: that it ran.
    """

    code: int
    told: str
    steps: tuple[str, ...]
    seconds: float

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.code == -signal.SIGKILL


def preload(*more: str) -> None:
    """Import what commands import: a fork then starts at once.

    One thread each: pools of threads that an import starts are not there after a fork, and
    the first product would wait for them for ever.

    Args:
        more: further modules to import.
    """
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    for name in (*_PRELOADED, *more):
        importlib.import_module(name)


def run(
    words: Sequence[str],
    folder: Path,
    *,
    kill_at: Step | None = None,
    kill_after_s: float | None = None,
    limit: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run ``zeroshelf WORDS`` in a folder.

    Args:
        kill_at: the step at which it is killed.
        kill_after_s: seconds after which it is killed from outside.
        limit: called in the process before the command, such as to take descriptors from it.
    """
    told, steps = folder / "told.txt", folder / "steps.txt"
    steps.write_text("")
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_command(words, folder, told, steps, kill_at, limit)
    deadline = start + (TIMEOUT_S if kill_after_s is None else kill_after_s)
    status = _wait(child, deadline)
    if status is None:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return Outcome(
        code=os.waitstatus_to_exitcode(status),
        told=told.read_text(errors="replace"),
        steps=tuple(steps.read_text().splitlines()),
        seconds=time.monotonic() - start,
    )


def _wait(child: int, deadline: float) -> int | None:
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        time.sleep(0.005)
    return None


def _be_command(
    words: Sequence[str],
    folder: Path,
    told: Path,
    steps: Path,
    kill_at: Step | None,
    limit: Callable[[], None],
) -> None:
    """In the child: run the command line's own ``main``; never returns."""
    code = 1
    try:
        os.chdir(folder)
        os.environ["COLUMNS"] = "200"
        os.environ["NO_COLOR"] = "1"
        output = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
        stream = steps.open("a", buffering=1)
        watch(lambda name: stream.write(f"{name}\n") and None, kill_at)
        sys.argv = ["zeroshelf", *words]
        limit()
        code = _main()
    except BaseException:  # noqa: BLE001 (what ``limit`` raises is told, too)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _main() -> int:
    from indexer.commands import console
    from queries.cli import main

    console.people.file = sys.stderr
    try:
        main()
    except SystemExit as ended:
        return int(ended.code) if isinstance(ended.code, int) else bool(ended.code)
    except BaseException:  # noqa: BLE001 (a traceback is a fault, and is told as one)
        traceback.print_exc()
        return 70
    return 0
