"""The most memory that a process took."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path


def peak_of(work: Callable[..., object], *arguments: object) -> float:
    """The most memory that a process of its own takes for some work, in MiB.

    Args:
        work: a function of a module, which the process finds by its name.
        arguments: what it is called with; they are pickled.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_measure, work, arguments).result()


def _measure(work: Callable[..., object], arguments: tuple[object, ...]) -> float:
    work(*arguments)
    return peak_mib()


def peak_mib() -> float:
    """Of this process, since it began, in MiB; Linux only.

    ``getrusage`` would tell the most that the parent had when it started this process.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    kibibytes = re.search(r"^VmHWM:\s+(\d+)", status, re.MULTILINE)
    assert kibibytes is not None
    return int(kibibytes[1]) / 1024


def drop_rows() -> None:
    """In this process rows are checked, and dropped where the store would send them.

    Milvus Lite runs in the process and keeps all rows in memory.
    """
    from indexer.store.collection import Collection

    Collection.upsert = lambda self, rows: None  # type: ignore[method-assign]  # noqa: ARG005
