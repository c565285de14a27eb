"""Seconds of numpy's product of all items with all labels, numpy as it comes.

A script without imports of the project, which lets BLAS use more of some processors:
python benchmarks/numpy_product.py ITEMS LABELS WIDTH
"""

import sys
import time

import numpy as np

BLOCK = 4096


def product(items: int, labels: int, width: int) -> float:
    """Seconds of a float32 product, in blocks that are written over."""
    random = np.random.default_rng(0)
    vectors = random.standard_normal((min(items, BLOCK), width), dtype=np.float32)
    texts = random.standard_normal((labels, width), dtype=np.float32)
    out = np.empty((len(vectors), labels), dtype=np.float32)
    out.fill(0.0)  # the system gives memory when it is first touched
    started = time.perf_counter()
    for start in range(0, items, len(vectors)):
        count = min(len(vectors), items - start)
        np.matmul(vectors[:count], texts.T, out=out[:count])
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.stdout.write(f"{product(*map(int, sys.argv[1:]))}\n")
