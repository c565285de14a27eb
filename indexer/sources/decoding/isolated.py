"""Decodes pictures that may take long in another process, which can be killed.

A thread can't be killed. Most pictures do not need this: the time is estimated from the header,
and only if it is near a second the picture goes to another process, where copying its pixels
costs little in comparison. The process stays for the next such picture.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
from multiprocessing.connection import Connection, Pipe
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.core.errors import ItemError
from indexer.core.protocols import Pixels
from indexer.core.reasons import Reason
from indexer.sources.decoding.opening import too_slow

if TYPE_CHECKING:
    from PIL import Image

    from indexer.sources.decoding.decoder import Decoder

_SLOW_NS = 1_000_000_000
"""Expected nanoseconds above which a picture is decoded in another process."""

_NS_A_PIXEL = {"JPEG": 30, "MPO": 30, "PNG": 150, "JPEG2000": 1000}
"""Longest decoding time of a pixel in usual pictures of a format, on a core of 2020."""

_NS_A_SCAN = 1
"""Additional time of a pixel for each further scan of a JPEG."""

_RUN = "import sys; from indexer.sources.decoding.isolated import serve; serve(int(sys.argv[1]))"


def may_take_long(image: Image.Image, *, scans: int) -> bool:
    """Whether to decode a picture in another process, by its header and number of scans."""
    pixels = image.width * image.height
    ns = _NS_A_PIXEL.get(image.format or "", 100) + _NS_A_SCAN * (scans - 1)
    return pixels * ns > _SLOW_NS or image.format == "JPEG2000"  # its time is not in its size


def decode(decoder: Decoder, content: bytes, name: str, *, timeout_s: float) -> tuple[Pixels, str]:
    """Decode in another process.

    Args:
        decoder: does it there.

    Returns:
        Pixels, and why the colour profile was ignored, as ``Decoder.decode_here`` has them.

    Raises:
        ItemError: as there; TOO_SLOW, or NOT_A_PICTURE where the process died of it.
    """
    process = _take()
    try:
        answer = process.decode(decoder, content, name, timeout_s)
    except BaseException:  # the process has not answered, so it can't be reused
        process.end()
        raise
    with _LOCK:
        _IDLE.append(process)
    if isinstance(answer, ItemError):
        raise answer
    return answer


class DecodingProcess:
    """Another process, which decodes one picture after the other."""

    def __init__(self) -> None:
        self._connection, theirs = Pipe()
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(  # noqa: S603 - this very Python
            [sys.executable, "-P", "-c", _RUN, str(theirs.fileno())],  # -P: not from where we stand
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # a decoder that fails is told by its item
            env=os.environ | {"PYTHONPATH": paths},
        )
        theirs.close()  # else reading would not end where the process does

    def decode(
        self, decoder: Decoder, content: bytes, name: str, timeout_s: float
    ) -> tuple[Pixels, str] | ItemError:
        """Pixels or an error for one picture; raises ``ItemError`` if the process must end."""
        try:
            self._connection.send((decoder, name, timeout_s))
            self._connection.send_bytes(content)
            self._connection.recv()  # it has started: the start of the process is not timed
            if not self._connection.poll(timeout_s):
                raise too_slow(name, timeout_s)
            answer = self._connection.recv()
            if isinstance(answer, ItemError):
                return answer
            shape, ignored = answer
            pixels: Pixels = np.empty(shape, dtype=np.uint8)
            self._connection.recv_bytes_into(pixels.reshape(-1).data)
            return pixels, ignored
        except (EOFError, OSError) as error:
            raise ItemError(
                Reason.NOT_A_PICTURE, f"{name}: the decoder failed on it; save it again"
            ) from error

    def end(self) -> None:
        """Kill the process."""
        self._connection.close()
        self._process.kill()
        self._process.wait()


_LOCK = threading.Lock()
_IDLE: list[DecodingProcess] = []
"""Idle processes, at most as many as ever worked at the same time."""


def _take() -> DecodingProcess:
    with _LOCK:
        if _IDLE:
            return _IDLE.pop()
    return DecodingProcess()


def end_idle() -> None:
    """Kill the idle processes; busy ones belong to their callers."""
    with _LOCK:
        idle, _IDLE[:] = list(_IDLE), []
    for process in idle:
        process.end()


atexit.register(end_idle)


def serve(descriptor: int) -> None:
    """Decode pictures from a connection until its other side closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it, and kills this process
    connection: Connection[Any, Any] = Connection(descriptor)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            decoder, name, timeout_s = connection.recv()
            content = connection.recv_bytes()
            # If the parent is killed, nothing else would end this process.
            signal.alarm(math.ceil(timeout_s) + 5)
            connection.send("begun")
            try:
                pixels, ignored = decoder.decode_here(content, name)
            except ItemError as error:
                connection.send(error)
            else:
                connection.send((pixels.shape, ignored))
                connection.send_bytes(pixels.reshape(-1).data)
            signal.alarm(0)
