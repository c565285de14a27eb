"""Scores of all labels for all items, at the speed of the matrix product; the home of numba.

Pure: arrays in, arrays out. It must not import any other room of this package.
"""
