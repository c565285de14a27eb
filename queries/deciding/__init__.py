"""From label scores to decisions: levels, thresholds, unknowns, calibration, teaching."""
