"""The GPU that scores labels, where there is one.

torch is loaded only where a GPU may be: it takes seconds, and hundreds of megabytes.
"""

from __future__ import annotations

import contextlib
import ctypes
import queue
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from indexer.errors import ModelError
from indexer.records import FloatArray

if TYPE_CHECKING:
    import torch

FEWEST_PAIRS = 10**9
"""Pairs of an item and a label from which a GPU is taken that was not asked for: two cores
score so many in some 7 s (512 dimensions), and loading torch takes seconds too."""

LANES = 4
"""Threads that use a device at a time: one copies to it, one multiplies, one copies back."""

_MOST_BLOCK_BYTES = 512 * 2**20
_FREE_SHARE = 0.5


class Device:
    """Where labels are scored. Threads may share it.

    Args:
        name: as torch names it, such as ``cuda`` or ``cuda:1``; ``cpu`` is for tests.
        block_bytes: of a lane's intermediate results; None is half of the free memory shared
            among the lanes, at most 512 MiB each.

    Attributes:
        name: the same.
        block_bytes: the same.
    """

    def __init__(self, name: str, *, block_bytes: int | None = None) -> None:
        import torch

        self.name = name
        self._device = torch.device(name)
        self._is_cuda = self._device.type == "cuda"
        free = _MOST_BLOCK_BYTES * LANES
        self._streams: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with self._errors():
            if self._is_cuda:
                # Else partial sums may be rounded to half precision, which no bound here covers.
                torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
                free = int(_FREE_SHARE * torch.cuda.mem_get_info(self._device)[0])
            for _ in range(LANES):
                self._streams.put(torch.cuda.Stream(self._device) if self._is_cuda else None)
        self.block_bytes = block_bytes or min(_MOST_BLOCK_BYTES, free // LANES)

    def __str__(self) -> str:
        if not self._is_cuda:
            return self.name
        import torch

        return f"{self.name} ({torch.cuda.get_device_name(self._device)})"

    @contextlib.contextmanager
    def lane(self) -> Iterator[None]:
        """A stream of its own for what a thread asks of the device; ended when it is left.

        Raises:
            ModelError: the device failed, or its memory is too small.
        """
        import torch

        stream = self._streams.get()
        try:
            with self._errors():
                if stream is None:
                    yield
                else:
                    with torch.cuda.stream(stream):
                        yield
                        stream.synchronize()
        finally:
            self._streams.put(stream)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # too little memory is one too
            cause = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ModelError(
                f"scoring labels on {self.name!r} failed: {cause}. Give --device cpu to score "
                "them on the CPU."
            ) from error

    def sent(self, array: FloatArray) -> torch.Tensor:
        """The same values on the device, by pinned memory: the copy does not wait."""
        import torch

        values = torch.empty(array.shape, dtype=torch.float32, pin_memory=self._is_cuda)
        np.copyto(values.numpy(), array)
        return values.to(self._device, non_blocking=True)


def scoring_device(asked: str | None, *, pairs: int) -> Device | None:
    """The GPU that scores labels; None is the CPU.

    Args:
        asked: as ``--device`` gives it. None takes an NVIDIA GPU where there is one and enough
            to score; what is not called ``cuda`` is the CPU.
        pairs: items times labels.

    Raises:
        ModelError: the GPU that was asked for is not there.
    """
    if asked is None:
        if pairs < FEWEST_PAIRS or not _has_driver():
            return None
        import torch

        return Device("cuda") if torch.cuda.is_available() else None
    if not asked.startswith("cuda"):
        return None
    from indexer.encoder.loading import chosen_device

    return Device(chosen_device(asked))


def _has_driver() -> bool:
    """Whether NVIDIA's driver is installed, in a millisecond."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
