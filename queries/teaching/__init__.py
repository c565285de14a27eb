"""Learns from labelled items: examples, calibration, thresholds.

What is learned is accepted only where held-out examples say that it helps. It must not import
`tuning`, its sibling, nor `pages`, `service` or `commands`.
"""
