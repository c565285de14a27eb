"""Kernel ridge regression on what zero-shot probabilities leave of the labels; pure numpy.

Few examples, drawn at random, mend the zero-shot scores near them and leave the rest as it
is: ProKeR (Bendou et al. 2025, "ProKeR: A Kernel Perspective on Few-Shot Adaptation of Large
Vision-Language Models", CVPR, arXiv:2501.11175).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.core.softmax import softmax
from indexer.core.vectors import normalise

SHARPNESS = 2.0
"""Of the kernel exp(-s * (1 - cosine)). Of .5 to 5.5 the best or near it on banking77, CLINC,
clothing and CIFAR-10, with 50 to 400 random examples."""

RIDGE = 0.1
"""The penalty. Of .1 to 10 the best on the same sets."""

MOST_EXAMPLES = 4096
"""The fit takes memory of the square of the examples, and time of their cube."""

MOST_COEFFICIENTS = 20_000_000
"""Of examples times labels: 160 MB."""

# Bounds the kernel's block to so many rows of all examples.
_EXAMPLES_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class KernelRidge:
    """A score for each label by the nearness of examples.

    Attributes:
        examples: float32 (e, d), rows of length 1.
        coefficients: float64 (e, k); 0 for labels without examples, whose scores stay.
    """

    examples: FloatArray
    coefficients: DoubleArray

    def scores(self, queries: npt.NDArray[np.floating]) -> DoubleArray:
        """float64 (n, k) of queries (n, d): what is missing of each label's probability."""
        residuals = np.empty((len(queries), self.coefficients.shape[1]))
        for start in range(0, len(queries), _EXAMPLES_AT_ONCE):
            block = slice(start, start + _EXAMPLES_AT_ONCE)
            residuals[block] = kernel(queries[block], self.examples) @ self.coefficients
        return residuals


def fits(examples: int, labels: int) -> bool:
    """Whether so many examples of so many labels are few enough for it."""
    return examples <= MOST_EXAMPLES and examples * labels <= MOST_COEFFICIENTS


def fit(
    queries: npt.NDArray[np.floating], scores: DoubleArray, truth: IndexArray, temperature: float
) -> KernelRidge:
    """Regress ``onehot(truth) - softmax(scores)`` on the queries.

    Args:
        queries: (e, d).
        scores: float64 (e, k), zero-shot.
        truth: int64 (e,), columns of ``scores``.
        temperature: of the zero-shot probabilities.
    """
    residuals = -softmax(scores, temperature)
    residuals[np.arange(len(truth)), truth] += 1
    gram = kernel(queries, queries)
    gram[np.diag_indices_from(gram)] += RIDGE
    coefficients, taught = np.zeros_like(residuals), np.unique(truth)
    coefficients[:, taught] = np.linalg.solve(gram, residuals[:, taught])
    return KernelRidge(normalise(queries).astype(np.float32), coefficients)


def kernel(queries: npt.NDArray[np.floating], examples: npt.NDArray[np.floating]) -> DoubleArray:
    """float64 (n, e) of queries (n, d) and examples (e, d)."""
    cosines = normalise(queries).astype(np.float64) @ normalise(examples).astype(np.float64).T
    return np.asarray(np.exp(-SHARPNESS * (1.0 - cosines)))
