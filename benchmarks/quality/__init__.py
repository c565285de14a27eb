"""How right and how trustworthy labels are on real sets: ``python -m benchmarks.quality``."""
