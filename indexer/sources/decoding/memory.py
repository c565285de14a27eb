"""Estimates the memory of decoding a picture from its header, and limits that of all at once.

Libraries need many times a picture's own bytes: planes, coefficients, a copy in another mode.
The numbers below were measured on pictures of 16 megapixels in each format, and rounded up.
"""

from __future__ import annotations

import fcntl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

from indexer.core.errors import ItemError
from indexer.core.limits import DECODE_MEMORY
from indexer.core.reasons import Reason

_OF_LIBRARY = {"WEBP": 12, "AVIF": 6, "HEIF": 4, "JPEG2000": 14, "GIF": 1, "TIFF": 4}
"""Bytes a pixel that a format's library needs beside Pillow's picture."""

_OF_MODE = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "LA": 4, "PA": 4}
"""Bytes a pixel of Pillow's picture; 4 in any other mode."""

_COEFFICIENTS = 6
"""Bytes a pixel of a JPEG's coefficients, which all are in memory where it has several scans."""


_OF_STRIPS = 16 * 2**20
"""Bytes for copying a large picture in strips."""


def needed_for(
    image: Image.Image, full_size: tuple[int, int], *, scans: int, elsewhere: bool
) -> int:
    """Upper bound of the bytes for decoding.

    Args:
        image: its header is read, and a JPEG's draft is set.
        full_size: width and height in the file.
        scans: of a JPEG; 1 for others.
        elsewhere: whether it is decoded in another process.
    """
    pixels = image.width * image.height
    each = _OF_MODE.get(image.mode, 4) + 3 + _OF_LIBRARY.get(image.format or "", 0)
    if image.mode != "RGB":
        each += 4
    if image.has_transparency_data:
        each += 1 if image.mode == "RGBA" else 5
    if "icc_profile" in image.info:
        each += 8 if image.mode == "RGB" else 4
    if elsewhere:  # a copy of the pixels there, and one here, when the rest is free again
        each = max(each, 6)
    needed = pixels * each + min(pixels * 16, _OF_STRIPS)
    return needed + full_size[0] * full_size[1] * _COEFFICIENTS if scans > 1 else needed


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeMemory:
    """The memory for decoding pictures at the same time.

    Threads of a process share a budget. Processes that share a limit get an equal part each; a
    picture that needs more is decoded while the others wait, by the lock of a file. The system
    releases the lock of a killed process.

    Attributes:
        limit: bytes.
        processes: number of processes that share it, each decoding one picture at a time.
        lock_file: the file that the processes lock; its folder exists.
    """

    limit: int = DECODE_MEMORY
    processes: int = 1
    lock_file: str = ""

    @contextmanager
    def held(self, needed: int, name: str) -> Iterator[None]:
        """Wait for the memory, and hold it during the block.

        Raises:
            ItemError: TOO_MANY_PIXELS: it is more than the limit.
        """
        if needed > self.limit:
            raise ItemError(
                Reason.TOO_MANY_PIXELS,
                f"{name}: decoding takes {needed / 2**20:,.0f} MiB of memory, the limit is "
                f"{self.limit / 2**20:,.0f} MiB; shrink the picture or raise --decode-memory",
            )
        if self.processes == 1:
            with _budget(self.limit).held(needed):
                yield
        else:
            with self._locked(alone=needed > self.limit // self.processes):
                yield

    @contextmanager
    def _locked(self, *, alone: bool) -> Iterator[None]:
        with (
            Path(f"{self.lock_file}.queue").open("w") as queue,
            Path(self.lock_file).open("w") as all_,
        ):
            # A process that waits for all of it holds the queue, so no others pass it.
            fcntl.flock(queue, fcntl.LOCK_EX)
            fcntl.flock(all_, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            fcntl.flock(queue, fcntl.LOCK_UN)
            yield


class Budget:
    """Bytes that threads hold and release; first come, first served."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    @contextmanager
    def held(self, needed: int) -> Iterator[None]:
        """Wait until so many bytes, no more than the limit, are free, and hold them."""
        with self._changed:
            if self._waiting or self._taken + needed > self._limit:
                self._wait(needed)
            self._taken += needed
        try:
            yield
        finally:
            with self._changed:
                self._taken -= needed
                if self._waiting:
                    self._changed.notify_all()

    def _wait(self, needed: int) -> None:
        ticket = object()
        self._waiting.append(ticket)
        try:
            while self._waiting[0] is not ticket or self._taken + needed > self._limit:
                self._changed.wait()
        finally:
            self._waiting.remove(ticket)
            self._changed.notify_all()  # the next one may fit too


@cache
def _budget(limit: int) -> Budget:
    """The budget of this process, shared by all its decoders."""
    return Budget(limit)
