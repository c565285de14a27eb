"""Processes that start warm: forked from one that has imported what commands import.

A Python of its own takes 3 to 5 seconds of a core to import torch, transformers and pymilvus. Tests
that kill a command, or run one beside another, need a process of its own, but not that start:
``cli/test_cli_start_up.py`` is about it. As a program, this file is the process that forks.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

TESTS = Path(__file__).resolve().parent
SERVICE = ("queries.service.app", "queries.commands.serving", "uvicorn")


class WarmProcess:
    """A process, used as ``subprocess.Popen`` is.

    Args:
        arguments: those of Python: a file or ``-c CODE``, and what it gets.
        cwd: the folder it runs in.
        env: its whole environment; None is this process's.
        stdin: what it reads.
        stdout: where it writes: an open file, ``PIPE`` for ``communicate``, or nowhere.
        stderr: likewise.
    """

    def __init__(
        self,
        arguments: Sequence[object],
        *,
        cwd: Path | str = ".",
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        stdout: IO[str] | int = subprocess.DEVNULL,
        stderr: IO[str] | int = subprocess.DEVNULL,
    ) -> None:
        self.args = list(map(str, arguments))
        self.returncode: int | None = None
        self._outputs: list[IO[str] | None] = [None, None]
        told, tell = os.pipe()
        self._told = os.fdopen(told, "r")
        request = {
            "arguments": self.args,
            "cwd": str(Path(cwd).resolve()),
            "environment": dict(os.environ if env is None else env),
        }
        with tempfile.TemporaryFile("w+") as given, Path(os.devnull).open("w") as nowhere:
            given.write(stdin)
            given.seek(0)
            files = [given]
            for place, output in enumerate((stdout, stderr)):
                if output == subprocess.PIPE:
                    output = tempfile.TemporaryFile("w+")  # noqa: SIM115 (communicate closes it)
                    self._outputs[place] = output
                files.append(nowhere if isinstance(output, int) else output)
            descriptors = [*(file.fileno() for file in files), tell]
            socket.send_fds(_server(), [json.dumps(request).encode()], descriptors)
        os.close(tell)
        self.pid = int(self._told.readline())

    def poll(self) -> int | None:
        """The exit code; negative is a signal's number; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end; the exit code.

        Raises:
            TimeoutExpired: it goes on.
        """
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._told, selectors.EVENT_READ)
                if selector.select(timeout):
                    # Nothing is told where the process that forks was killed, and all with it.
                    self.returncode = int(self._told.readline() or -signal.SIGKILL)
                    self._told.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; what it wrote to stdout and stderr, where these are pipes."""
        self.wait(timeout)
        texts = []
        for output in self._outputs:
            if output is not None and not output.closed:
                output.seek(0)
                texts.append(output.read())
                output.close()
            else:
                texts.append("")
        return texts[0], texts[1]

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)


def run(arguments: Sequence[object], **how: Any) -> subprocess.CompletedProcess[str]:
    """Run a process to its end; arguments as those of ``WarmProcess``."""
    process = WarmProcess(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)
    out, told = process.communicate()
    return subprocess.CompletedProcess(process.args, process.wait(), out, told)


@cache
def _server() -> socket.socket:
    """The process that forks, started when the first one is asked for."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    paths = os.pathsep.join(map(str, (TESTS.parent, TESTS)))
    # A console made while importing takes its width and colours from here. One thread each: those
    # that an import starts are not there after a fork.
    given = {"PYTHONPATH": paths, "COLUMNS": "160", "NO_COLOR": "1"}
    given |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-P", __file__, str(theirs.fileno())],  # else tests/indexer is imported
        pass_fds=[theirs.fileno()],
        env=os.environ | given,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    theirs.close()

    def end() -> None:
        ours.close()
        process.kill()
        process.wait()

    atexit.register(end)
    return ours


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """Fork as asked; what to be, in the process that was forked, and None at the end."""
    children: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not control:
                    selector.unregister(key.fd)
                    _tell_end(*key.data)
                    children.pop(key.data[0])
                    os.close(key.fd)
                    continue
                request, files, _, _ = socket.recv_fds(control, 2**20, 4)
                if not request:
                    for child in children:
                        os.kill(child, signal.SIGKILL)
                    return None
                child = os.fork()
                if child == 0:
                    for place in range(3):
                        os.dup2(files[place], place)
                    for file in (*files, control.fileno()):
                        os.close(file)
                    return dict(json.loads(request))
                os.write(files[3], f"{child}\n".encode())
                for file in files[:3]:
                    os.close(file)
                children[child] = files[3]
                selector.register(os.pidfd_open(child), selectors.EVENT_READ, (child, files[3]))


def _tell_end(child: int, tell: int) -> None:
    _, status = os.waitpid(child, 0)
    with suppress(BrokenPipeError):
        os.write(tell, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os.close(tell)


def _be(request: dict[str, Any]) -> None:
    """Run what was asked for, as Python would; it ends as a process does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[:] = request["arguments"]
    if sys.argv[0] == "-c":
        code = sys.argv.pop(1)
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; tests end this one
    from campaigns.processes import preload
    from indexer.core.collection import freeze_loaded

    preload(*SERVICE)
    freeze_loaded()  # else a collection in a child writes to pages that it shares with this one
    asked = _serve(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        _be(asked)
