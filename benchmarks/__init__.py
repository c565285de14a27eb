"""Measurements on real data; run from the repository's root, as ``python -m benchmarks.NAME``."""

import os
import sys

# numpy is the measure, and takes its best kernels here. Machines may hold it to older ones; a
# comparison on those holds torch to them as well. While Python looks for the module of ``-m``,
# that is what the program's name is: whoever imports this keeps the environment.
if sys.argv[0] == "-m" and "ONEDNN_MAX_CPU_ISA" not in os.environ:
    os.environ.pop("OPENBLAS_CORETYPE", None)

# An installed package is compiled once; where this is set, a checkout would be at each start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
