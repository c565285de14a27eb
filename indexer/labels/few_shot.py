"""Labels by examples: what labelled items add to the zero-shot scores; pure numpy.

Corrections are added to the zero-shot scores, each by a strength that cross-validation
chooses (``indexer.labels.strengths``). Where none helps, the scores are exactly the
zero-shot ones. Examples say which of the taught labels it is, more than that it is one of them:
labels without examples keep their zero-shot scores, and the others are moved together by one
``shift``, so that examples of some labels do not draw the items of all others to these.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.core.softmax import softmax
from indexer.core.vectors import normalise
from indexer.labels import kernel_ridge
from indexer.labels.kernel_ridge import KernelRidge

CACHE_SHARPNESS = 5.5
"""Tip-Adapter's beta."""

PRIOR_EXAMPLES = 1.0
"""Examples at the common mean that each label is thought to have."""


@dataclass(frozen=True, slots=True)
class Discriminant:
    """A linear score for each label.

    Attributes:
        vectors: float64 (k, d); the zero vector for a label without examples.
        biases: float64 (k,).
    """

    vectors: DoubleArray
    biases: DoubleArray

    def scores(self, queries: npt.NDArray[np.floating]) -> DoubleArray:
        """float64 (n, k) of queries (n, d)."""
        return np.asarray(queries @ self.vectors.T + self.biases)


@dataclass(frozen=True, slots=True, kw_only=True)
class StrengthChoice:
    """The strengths that cross-validation chose, and what it saw.

    Attributes:
        discriminant_strength: 0 adds nothing.
        cache_strength: 0 adds nothing.
        kernel_strength: 0 adds nothing.
        temperature: of the blended scores of pictures, by log loss on held-out examples.
        zero_shot_log_loss: nats an example, held out, without examples, at its own best
            temperature: of what is decided by, so with the titles that examples have.
        log_loss: the same, with examples.
        confidences: highest probability of each held-out example, blended, without titles.
        right: whether that is its label.
        shift: taken off the scores of labels with examples, where others have none.
    """

    discriminant_strength: float
    cache_strength: float
    kernel_strength: float
    temperature: float
    zero_shot_log_loss: float
    log_loss: float
    confidences: tuple[float, ...]
    right: tuple[bool, ...]
    shift: float = 0.0

    @property
    def helps(self) -> bool:
        """Whether cross-validation found the examples worth using."""
        return any(self.strengths)

    @property
    def strengths(self) -> tuple[float, float, float]:
        """Of the discriminant, of the cache, of the kernel ridge."""
        return self.discriminant_strength, self.cache_strength, self.kernel_strength


@dataclass(frozen=True)
class FewShot:
    """What examples add to the zero-shot scores of k labels.

    Attributes:
        discriminant: of all examples.
        examples: float32 (e, d), the examples' queries, rows of length 1.
        truth: int64 (e,), their labels' rows.
        choice: the strengths.
        ridge: of all examples; None where it adds nothing.
    """

    discriminant: Discriminant
    examples: FloatArray
    truth: IndexArray
    choice: StrengthChoice
    ridge: KernelRidge | None

    @classmethod
    def of(
        cls,
        queries: FloatArray,
        scores: DoubleArray,
        truth: IndexArray,
        choice: StrengthChoice,
        temperature: float,
    ) -> FewShot:
        """From examples at strengths that ``choose`` chose.

        Args:
            queries: float (e, d).
            scores: float64 (e, k), the examples' zero-shot scores.
            truth: int64 (e,), columns of ``scores``.
            temperature: of the zero-shot scores.
        """
        return cls(
            discriminant(queries, truth, scores.shape[1]),
            normalise(queries),
            truth,
            choice,
            kernel_ridge.fit(queries, scores, truth, temperature)
            if choice.kernel_strength
            else None,
        )

    @property
    def is_linear(self) -> bool:
        """Whether ``features @ columns``, which is what it adds, is not too large."""
        count, strengths = len(self.discriminant.biases), self.choice.strengths
        size = len(self.examples) * count if any(strengths[1:]) else 0
        return size <= kernel_ridge.MOST_COEFFICIENTS

    @cached_property
    def columns(self) -> DoubleArray:
        """float64 (k, f): what ``features`` are multiplied with; the last is the bias."""
        linear, cached, kernel = self.choice.strengths
        blocks = [linear * self.discriminant.vectors]
        if cached:
            blocks.append(cached * (np.arange(len(blocks[0]))[:, np.newaxis] == self.truth))
        if self.ridge is not None:
            blocks.append(kernel * self.ridge.coefficients.T)
        biases = linear * self.discriminant.biases
        biases[np.unique(self.truth)] -= self.choice.shift
        return np.column_stack([*blocks, biases])

    def features(self, queries: FloatArray) -> FloatArray:
        """float32 (n, f - 1) of queries (n, d): themselves, and their nearness to examples."""
        blocks: list[npt.NDArray[np.floating]] = [queries]
        if self.choice.cache_strength:
            blocks.append(nearness(queries, self.examples))
        if self.ridge is not None:
            blocks.append(kernel_ridge.kernel(queries, self.ridge.examples))
        return np.column_stack(blocks).astype(np.float32)

    def blend(self, queries: FloatArray, scores: DoubleArray) -> DoubleArray:
        """The zero-shot scores with what the examples add; unchanged where they don't help.

        Args:
            queries: float (n, d), the vectors that the scores were made from.
            scores: float64 (n, k), zero-shot, in units of the catalog's spread.
        """
        choice = self.choice
        if not choice.helps:
            return scores
        blended = scores.copy()
        if choice.discriminant_strength:
            blended += choice.discriminant_strength * self.discriminant.scores(queries)
        if choice.cache_strength:
            added = cache(queries, self.examples, self.truth, scores.shape[1])
            blended += choice.cache_strength * added
        if self.ridge is not None:
            blended += choice.kernel_strength * self.ridge.scores(queries)
        blended[:, np.unique(self.truth)] -= choice.shift
        return blended


def discriminant(queries: npt.NDArray[np.floating], truth: IndexArray, count: int) -> Discriminant:
    """Gaussian discriminant analysis with one shrunk covariance.

    Wang et al. 2024, "A Hard-to-Beat Baseline for Training-free CLIP-Based Adaptation",
    ICLR. Linear, so it folds into the label vectors. The covariance is shrunk towards a
    multiple of the identity by d / (d + e), and a label's mean towards the common mean
    by one example; both are this project's own choice.

    Args:
        queries: (e, d).
        truth: int64 (e,), 0 to count - 1.
        count: k; labels without examples get zeros.
    """
    queries = queries.astype(np.float64)
    width = queries.shape[1]
    numbers = np.bincount(truth, minlength=count).astype(np.float64)
    sums = np.zeros((count, width))
    np.add.at(sums, truth, queries)
    means = sums / np.maximum(numbers, 1)[:, np.newaxis]
    residuals = queries - means[truth]
    freedom = max(1, len(truth) - int((numbers > 0).sum()))
    covariance = residuals.T @ residuals / freedom
    variance = float(np.trace(covariance)) / width
    if variance < 1e-9:  # one example a label: nothing is known of what varies inside one
        variance = 0.5 * float(queries.var(axis=0).mean()) + 1e-9
    return shrunk_discriminant(numbers, sums, covariance, variance)


def shrunk_discriminant(
    numbers: DoubleArray, sums: DoubleArray, covariance: DoubleArray, variance: float
) -> Discriminant:
    """The discriminant of labelled items, with shrunk means and covariance; see ``discriminant``.

    Args:
        numbers: float64 (k,), items of each label; at least one is above 0.
        sums: float64 (k, d), of their vectors.
        covariance: float64 (d, d), within the labels.
        variance: that the covariance is shrunk towards, in each dimension.
    """
    width = sums.shape[1]
    means = sums / np.maximum(numbers, 1)[:, np.newaxis]
    shrinkage = width / (width + numbers.sum())
    covariance = (1 - shrinkage) * covariance + shrinkage * variance * np.eye(width)
    common = means[numbers > 0].mean(axis=0)
    shrunk = (sums + PRIOR_EXAMPLES * common) / (numbers + PRIOR_EXAMPLES)[:, np.newaxis]
    apart = shrunk - common
    vectors = np.linalg.solve(covariance, apart.T).T
    biases = -0.5 * (apart * vectors).sum(axis=1) - vectors @ common
    return Discriminant(vectors, biases)


def cache(
    queries: npt.NDArray[np.floating],
    examples: npt.NDArray[np.floating],
    truth: IndexArray,
    count: int,
) -> DoubleArray:
    """A label's score as the nearness of its examples, summed.

    Zhang et al. 2022, "Tip-Adapter: Training-free Adaption of CLIP for Few-shot
    Classification", arXiv:2207.09519: exp(-beta * (1 - cosine)) with its beta of 5.5.

    Args:
        queries: (n, d).
        examples: (e, d).
        truth: int64 (e,), the examples' labels.
        count: k.

    Returns:
        float64 (n, k); 0 for labels without examples.
    """
    # Sorted by label, so that a label's examples are summed as one run.
    order = np.argsort(truth, kind="stable")
    present, starts = np.unique(truth[order], return_index=True)
    label_scores = np.zeros((len(queries), count))
    near = nearness(queries, examples[order])
    label_scores[:, present] = np.add.reduceat(near, starts, axis=1)
    return label_scores


def nearness(
    queries: npt.NDArray[np.floating],
    examples: npt.NDArray[np.floating],
) -> DoubleArray:
    """float64 (n, e): ``exp(-beta * (1 - cosine))`` of queries (n, d) and examples (e, d)."""
    cosines = normalise(queries) @ normalise(examples).T
    return np.asarray(np.exp(-CACHE_SHARPNESS * (1.0 - cosines.astype(np.float64))))


def frequencies_of(scores: DoubleArray, temperature: float) -> DoubleArray:
    """float64 (k,): the estimated share of each label among n scored items of a catalog."""
    return np.asarray(softmax(scores, temperature).mean(axis=0) + 1 / len(scores))
