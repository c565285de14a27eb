"""The kernels that numpy's OpenBLAS takes on processors which it does not know.

OpenBLAS chooses by a processor's family. Zen 5 and later are missing from its list up to 0.3.31,
and get the kernels of a Haswell, which leave half of their vector width unused
(github.com/OpenMathLib/OpenBLAS, issue 6029, mended by pull request 6033). Label scoring took
1.9 times as long with them.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

KERNELS, AVX512_KERNELS = "OPENBLAS_CORETYPE", "SkylakeX"
"""OpenBLAS' own variable, which it reads once, when it is loaded."""

_AVX512 = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}
"""What a Skylake's kernels need; elsewhere they are illegal instructions."""

_FIRST_UNKNOWN_FAMILY = 26
"""AMD's number of Zen 5."""


def use_avx512(processors: Path = Path("/proc/cpuinfo")) -> None:
    """Let OpenBLAS use AVX-512 where the processor has it and OpenBLAS would not know.

    To be called before numpy is imported: later it changes nothing. What the user has set stays.

    Args:
        processors: Linux' description of them; elsewhere there is none, and nothing is done.
    """
    if "numpy" in sys.modules or KERNELS in os.environ:
        return
    try:
        described = processors.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    if _is_unknown_with_avx512(described):
        os.environ[KERNELS] = AVX512_KERNELS


def _is_unknown_with_avx512(described: str) -> bool:
    facts = dict(re.findall(r"^(\w[\w ]*?)\s*: (.+)$", described, re.MULTILINE))
    is_amd = facts.get("vendor_id") == "AuthenticAMD"
    family = int(facts.get("cpu family", "0"))
    return is_amd and family >= _FIRST_UNKNOWN_FAMILY and set(facts["flags"].split()) >= _AVX512
