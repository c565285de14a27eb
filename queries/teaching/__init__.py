"""Learns from labelled items: examples, calibration, thresholds."""
