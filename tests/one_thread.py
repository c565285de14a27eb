"""One thread of OpenMP and of BLAS for each process of the tests; import it before any of these.

The tests run in as many processes as there are cores. A second thread in each would wait for a
core that another process has, and spin meanwhile: tests of the model families took three times the
processor's time by it. Processes that tests start inherit it. ``two_threads`` of ``conftest`` is
for tests of work in threads.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
