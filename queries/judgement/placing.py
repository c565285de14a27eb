"""Where a judge scores labels: on a GPU where there is one and that pays, else on the CPU.

torch is loaded only where a GPU may be: it takes seconds, and hundreds of megabytes.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from indexer.errors import ModelError
from queries.judgement.judging import Judge

if TYPE_CHECKING:
    from indexer.encoder.device import Device

FEWEST_PAIRS = 10**9
"""Pairs of an item and a label from which a GPU is taken: two cores score so many in some 7 s
(512 dimensions), and loading torch takes seconds too."""

FEWEST_PACKED_PAIRS = 4 * 10**9
"""Pairs from which torch's products pay on a CPU: they are up to twice as quick as numpy's."""

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def scoring_device(
    judge: Judge, asked: str | None, *, pairs: int, is_local: bool = True
) -> Iterator[Device | None]:
    """The GPU to score labels on; None is the CPU. What it was sent is given back at the end.

    Args:
        judge: on the CPU.
        asked: as ``--device`` gives it. None takes an NVIDIA GPU where there is one; what is
            not called ``cuda`` is the CPU.
        pairs: items times labels; for few it is the CPU.
        is_local: whether labels are scored on this machine.

    Raises:
        ModelError: there is no such device.
    """
    device = _chosen(asked, may=judge.scans and is_local) if pairs >= FEWEST_PAIRS else None
    with contextlib.ExitStack() as stack:
        if device is not None:
            stack.callback(device.release)
        if is_local and pairs >= FEWEST_PACKED_PAIRS:
            from indexer.encoder.packed import one_thread

            stack.enter_context(one_thread())
        yield device


def placed(
    judge: Judge, device: Device | None, asked: str | None, *, limit: int, pairs: int
) -> Judge:
    """The judge on a device; where none was asked for and it fails, on the CPU.

    Args:
        judge: on the CPU.
        device: by ``scoring_device``.
        asked: as there.
        limit: labels for each vector.
        pairs: items times labels.

    Raises:
        ModelError: the device that was asked for failed, or its memory is too small.
    """
    on_cpu = replace(judge, packed=pairs >= FEWEST_PACKED_PAIRS)
    if device is None:
        return on_cpu
    try:
        return judge.on(device, limit=limit)
    except ModelError as error:
        if asked is not None:
            raise
        _log.warning("labels are scored on the CPU: %s", error)
    device.release()
    return on_cpu


def _chosen(asked: str | None, *, may: bool) -> Device | None:
    if asked == "cpu":
        return None
    if may and (asked is not None or _has_driver()):
        from indexer.encoder.device import Device
        from indexer.encoder.loading import chosen_device

        name = chosen_device(asked)
        if name.startswith("cuda"):
            return Device(name)
    if asked is not None:
        _log.warning(
            "--device %s: labels are scored on the CPU. A GPU scores them as cuda only, and not "
            "with titles, taught examples, --level, --back-off, --multi-label, --prompt-pooling "
            "max or --engine ray.",
            asked,
        )
    return None


def _has_driver() -> bool:
    """Whether NVIDIA's driver is installed, in a millisecond."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True
