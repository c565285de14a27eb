"""The GPU that scores labels."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from indexer.errors import ModelError, first_line
from indexer.records import FloatArray

if TYPE_CHECKING:
    import torch

_MOST_BLOCK_BYTES = 2 * 2**30
_FREE_SHARE = 0.5
_OF_THE_DEVICE = re.compile("CUDA|CUBLAS|NVIDIA|NVML")
"""Errors of a GPU name one of these; those of wrong code name ``cuda`` at most."""


class Device:
    """Where labels are scored. Threads may share it, and take turns.

    Nothing is asked of it before the first turn.

    Args:
        name: by ``indexer.encoder.loading.chosen_device``, such as ``cuda`` or ``cuda:1``;
            ``cpu`` is for tests.
        block_bytes: of intermediate results; None is half of the free memory, at most 2 GiB.

    Attributes:
        name: the same.
    """

    def __init__(self, name: str, *, block_bytes: int | None = None) -> None:
        import torch

        self.name = name
        self._device = torch.device(name)
        self._block_bytes = block_bytes
        self._lock = threading.Lock()

    @property
    def block_bytes(self) -> int:
        """Memory for intermediate results, by what is free now; asked in a turn."""
        import torch

        if self._block_bytes is not None or self._device.type != "cuda":
            return self._block_bytes or _MOST_BLOCK_BYTES
        free, _ = torch.cuda.mem_get_info(self._device)
        return min(_MOST_BLOCK_BYTES, int(_FREE_SHARE * free))

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Around all that a thread asks of the device, until the results are on the CPU.

        Raises:
            ModelError: the device failed, or its memory is too small.
        """
        with self._lock:
            try:
                yield
            except RuntimeError as error:  # too little memory is one too
                if not _OF_THE_DEVICE.search(str(error)):
                    raise
                raise ModelError(
                    f"scoring labels on {self.name!r} failed: {first_line(error)}. Give --device "
                    "cpu to score them on the CPU."
                ) from error

    def sent(self, array: FloatArray) -> torch.Tensor:
        """The same values on the device, float32."""
        import torch

        return torch.tensor(array, dtype=torch.float32, device=self._device)

    def release(self) -> None:
        """Give back the memory of what is no longer in use: torch would keep it for the next.

        Raises:
            ModelError: the device failed.
        """
        import torch

        with self.turn():
            torch.cuda.empty_cache()
