"""Measurements on real data; run from the repository's root, as ``python -m benchmarks.NAME``."""

from indexer import blas

blas.use_avx512()  # as the command does
