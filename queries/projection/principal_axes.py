"""Principal component analysis of vectors that come block by block; arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from indexer.core.records import DoubleArray, FloatArray


@dataclass(frozen=True, slots=True)
class PrincipalAxes:
    """The directions in which vectors differ most.

    Attributes:
        mean: float64 (d,), of the vectors.
        axes: float64 (d, k), columns of length 1, that of the largest variance first.
    """

    mean: DoubleArray
    axes: DoubleArray

    def project(self, vectors: FloatArray) -> FloatArray:
        """float32 (n, k): the vectors along the axes.

        Args:
            vectors: float32 (n, d).
        """
        projected: FloatArray = (vectors - self.mean.astype(np.float32)) @ self.axes.astype(
            np.float32
        )
        return projected


class Moments:
    """Mean and covariance of vectors, summed up block by block: exact, in (d, d) of memory.

    Args:
        width: dimension d of the vectors.
    """

    def __init__(self, width: int) -> None:
        self._count = 0
        self._sums = np.zeros(width)
        self._products = np.zeros((width, width))

    def add(self, vectors: FloatArray) -> None:
        """Count some vectors, float32 (n, d)."""
        self._count += len(vectors)
        self._sums += vectors.sum(axis=0, dtype=np.float64)
        self._products += vectors.T @ vectors

    def principal_axes(self, most: int) -> PrincipalAxes:
        """The axes of largest variance.

        Args:
            most: axes, k, at most the vectors' dimension.
        """
        from scipy.linalg import eigh

        mean = self._sums / max(1, self._count)
        covariance = self._products / max(1, self._count) - np.outer(mean, mean)
        width = len(mean)
        first = max(0, width - most)
        _, axes = eigh(covariance, subset_by_index=[first, width - 1])
        axes = axes[:, ::-1]
        # The sign of an axis is arbitrary: the same items are to give the same map.
        largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
        return PrincipalAxes(mean, axes * np.where(largest < 0, -1.0, 1.0))
