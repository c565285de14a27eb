"""What figures were measured on."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("torch", "sentence-transformers", "transformers", "numpy", "pymilvus", "milvus-lite")


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.now(tz=UTC).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} cores, {processor()} ({_instructions()}), {memory:.0f} GiB",
        "software": ", ".join(
            [
                f"Python {platform.python_version()}",
                *(f"{name} {version(name)}" for name in LIBRARIES),
                f"numpy's products by {kernels()}",
            ]
        ),
    }


def kernels() -> str:
    """Which kernels numpy's BLAS has taken: those for AVX-512 take half the time of others."""
    import numpy as np  # noqa: F401 - what is told about
    from threadpoolctl import threadpool_info

    return ", ".join(
        f"{pool['internal_api']} for {pool.get('architecture', 'any processor')}"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    )


def _instructions() -> str:
    """The widest that torch uses; oneDNN may be kept from it, ONNX Runtime may not."""
    from indexer.encoder.precision import instructions

    widest = os.environ.get("ONEDNN_MAX_CPU_ISA")
    return instructions() + (f", oneDNN up to {widest}" if widest else "")


def processor() -> str:
    """Its name."""
    names = re.findall(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return names[0] if names else platform.processor() or platform.machine()
