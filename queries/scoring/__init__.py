"""Scores of all labels for all items, at the speed of the matrix product."""
