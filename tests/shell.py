"""Runs the console script: in processes of its own, which start warm, or quickly in this one."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import typer.main
from warm import WarmProcess, run

# Typer makes all commands for each call: of a process that makes hundreds, that was a tenth.
typer.main.get_command = cache(typer.main.get_command)

SCRIPT = Path(sys.executable).with_name("zeroshelf")


class Shell:
    """A working folder with a data folder in it.

    Args:
        folder: where commands run; catalogs lie in its ``.zeroshelf``.
        in_process: run the same ``main`` in this process: no second is spent on imports.
        options: ``ZEROSHELF_*`` variables by option, such as ``model``.
    """

    def __init__(self, folder: Path, *, in_process: bool = False, **options: object) -> None:
        self.folder = folder
        self.in_process = in_process
        kept = {name: value for name, value in os.environ.items() if "ZEROSHELF" not in name}
        given = {f"ZEROSHELF_{name.upper()}": str(value) for name, value in options.items()}
        # A process chooses by time how a model computes, and remembers that: not for these tests.
        cache = {"XDG_CACHE_HOME": f"{os.environ.get('XDG_CACHE_HOME', folder)}-of-commands"}
        self.environment = kept | {"COLUMNS": "160", "NO_COLOR": "1"} | cache | given

    def __call__(
        self, *arguments: object, code: int = 0, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and check its exit code."""
        words = list(map(str, arguments))
        done = self._here(words, stdin) if self.in_process else self._run(words, stdin)
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def _here(self, words: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
        from queries.cli import main

        out, told = io.StringIO(), io.StringIO()
        code: object = 0
        with (
            contextlib.chdir(self.folder),
            _replaced(sys, "argv", ["zeroshelf", *words]),
            _replaced(sys, "stdin", io.StringIO(stdin)),
            _replaced(os, "environ", dict(self.environment)),
            _logging_kept(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(told),
        ):
            try:
                main()
            except SystemExit as exit_:
                code = exit_.code
        return subprocess.CompletedProcess(
            words, int(str(code or 0)), out.getvalue(), told.getvalue()
        )

    def _run(self, words: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
        return run([SCRIPT, *words], cwd=self.folder, env=self.environment, stdin=stdin)

    def start(
        self, *arguments: object, program: Sequence[object] = (SCRIPT,), stderr: Any = None
    ) -> WarmProcess:
        """Start a command and leave it running.

        Args:
            program: what is run with the arguments, as Python's own arguments.
            stderr: a file for what it tells; None is a pipe.
        """
        return WarmProcess(
            [*program, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=stderr or subprocess.PIPE,
        )

    def kill_while_storing(self, steps: int, *arguments: object) -> None:
        """Kill a command before a step of its writing to the database; see ``held_storing``."""
        held = self.folder / "held"
        held.unlink(missing_ok=True)
        file = Path(__file__).with_name("held_storing.py")
        process = self.start(*arguments, program=(file, held, steps))
        while not held.exists() and process.poll() is None:
            time.sleep(0.01)
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate()

    def json(self, *arguments: object, code: int = 0, stdin: str = "") -> Any:
        """What a command prints with ``--output json``."""
        return json.loads(self(*arguments, "--output", "json", code=code, stdin=stdin).stdout)

    @property
    def catalog(self) -> Path:
        """The folder of the default catalog."""
        return self.folder / ".zeroshelf" / "catalogs" / "catalog"

    @property
    def database(self) -> Path:
        """The default database."""
        return self.folder / ".zeroshelf" / "milvus.db"


@contextlib.contextmanager
def _replaced(holder: Any, name: str, value: object) -> Iterator[None]:
    before = getattr(holder, name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        setattr(holder, name, before)


@contextlib.contextmanager
def _logging_kept() -> Iterator[None]:
    """A command sets up logging for a process of its own."""
    loggers = [logging.getLogger(name) for name in (None, "indexer", "queries")]
    before = [(logger.handlers, logger.level) for logger in loggers]
    try:
        yield
    finally:
        for logger, (handlers, level) in zip(loggers, before, strict=True):
            logger.handlers, logger.level = handlers, level


def write_vectors(path: Path, count: int, *, width: int = 8, seed: int = 0) -> npt.NDArray[Any]:
    """A ``.npy`` file of random vectors of length 1."""
    vectors = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    np.save(path, vectors)
    return vectors


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A JSONL table."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
