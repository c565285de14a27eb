"""From label scores to predictions: levels, thresholds, unknown items, calibration.

Arrays and label sets in, decisions out. It must not import `classify`, `search` or any room above
it, so that all of them decide alike.
"""
