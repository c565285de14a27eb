"""Labels by examples: what labelled items add to the zero-shot scores; pure numpy.

Two corrections are added to the zero-shot scores, each by a strength that
cross-validation chooses. Where neither helps, the scores are exactly the zero-shot ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from indexer.records import FloatArray
from indexer.softmax import fit_temperature, log_losses, softmax
from indexer.vectors import normalise

Exact = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

CACHE_SHARPNESS = 5.5
"""Tip-Adapter's beta."""

DISCRIMINANT_STRENGTHS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
CACHE_STRENGTHS = (0.0, 1.0, 4.0, 20.0, 60.0)
FOLDS = 5
PRIOR_EXAMPLES = 1.0
"""Examples at the common mean that each label is thought to have."""

_SCORES_AT_ONCE = 20_000_000
"""Beyond so many scores a sample of the examples is held out."""


@dataclass(frozen=True, slots=True)
class Discriminant:
    """A linear score for each label.

    Attributes:
        vectors: float64 (k, d); the zero vector for a label without examples.
        biases: float64 (k,).
    """

    vectors: Exact
    biases: Exact

    def scores(self, queries: npt.NDArray[np.floating]) -> Exact:
        """float64 (n, k) of queries (n, d)."""
        return np.asarray(queries @ self.vectors.T + self.biases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The strengths that cross-validation chose, and what it saw.

    Attributes:
        discriminant_strength: 0 adds nothing.
        cache_strength: 0 adds nothing.
        temperature: of the blended scores, by log loss on held-out examples.
        zero_shot_log_loss: nats an example, held out, at its own best temperature.
        log_loss: the same, blended.
        confidences: highest probability of each held-out example, blended.
        right: whether that is its label.
    """

    discriminant_strength: float
    cache_strength: float
    temperature: float
    zero_shot_log_loss: float
    log_loss: float
    confidences: tuple[float, ...]
    right: tuple[bool, ...]

    @property
    def helps(self) -> bool:
        """Whether cross-validation found the examples worth using."""
        return bool(self.discriminant_strength or self.cache_strength)


@dataclass(frozen=True, slots=True)
class FewShot:
    """What examples add to the zero-shot scores of k labels.

    Attributes:
        discriminant: of all examples.
        examples: float32 (e, d), the examples' queries, rows of length 1.
        truth: int64 (e,), their labels' rows.
        choice: the strengths.
    """

    discriminant: Discriminant
    examples: FloatArray
    truth: Rows
    choice: Choice

    @classmethod
    def of(cls, queries: FloatArray, truth: Rows, count: int, choice: Choice) -> FewShot:
        """From examples (e, d) of k labels, at strengths that ``choose`` chose."""
        return cls(discriminant(queries, truth, count), normalise(queries), truth, choice)

    def blend(self, queries: FloatArray, scores: Exact) -> Exact:
        """The zero-shot scores with what the examples add; unchanged where they don't help.

        Args:
            queries: float (n, d), the vectors that the scores were made from.
            scores: float64 (n, k), zero-shot, in units of the catalog's spread.
        """
        blended = scores
        if self.choice.discriminant_strength:
            added = self.discriminant.scores(queries)
            blended = blended + self.choice.discriminant_strength * added
        if self.choice.cache_strength:
            added = cache(queries, self.examples, self.truth, scores.shape[1])
            blended = blended + self.choice.cache_strength * added
        return blended


def choose(
    queries: FloatArray, scores: Exact, truth: Rows, frequencies: Exact, *, seed: int = 0
) -> Choice:
    """Choose the strengths by cross-validation on labelled examples.

    The strengths of least log loss, among those whose gain over zero-shot is above its own
    standard error and whose accuracy is not lower, both on the examples as they are and
    weighted to the catalog's label frequencies (examples are often balanced where the
    catalog is not). No such pair, or no label with two examples: zero-shot. The rule
    of one standard error is Breiman et al.'s (1984, "Classification and Regression
    Trees"); the two corrections are ``discriminant``'s and ``cache``'s, their sum and the
    weighted test this project's own.

    Args:
        queries: float (e, d), as the head makes them of the examples.
        scores: float64 (e, k), the examples' zero-shot scores.
        truth: int64 (e,), the examples' labels, columns of ``scores``.
        frequencies: float64 (k,), the catalog's estimated share of each label.
        seed: of the folds.
    """
    count = scores.shape[1]
    if np.bincount(truth).max() < 2:
        zero = np.zeros_like(scores)
        return _HeldOut(scores, zero, zero, truth, np.ones(len(truth))).choose(((0.0, 0.0),))
    chosen, linear, cached = _held_out(queries, truth, count, seed=seed)
    weights = (frequencies / np.maximum(np.bincount(truth, minlength=count), 1))[truth[chosen]]
    held = _HeldOut(scores[chosen], linear, cached, truth[chosen], weights / weights.mean())
    return held.choose(
        [(one, other) for one in DISCRIMINANT_STRENGTHS for other in CACHE_STRENGTHS]
    )


def discriminant(queries: npt.NDArray[np.floating], truth: Rows, count: int) -> Discriminant:
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
    shrinkage = width / (width + len(truth))
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
    truth: Rows,
    count: int,
    *,
    sharpness: float = CACHE_SHARPNESS,
) -> Exact:
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
    order = np.argsort(truth, kind="stable")
    present, starts = np.unique(truth[order], return_index=True)
    cosines = normalise(queries) @ normalise(examples[order]).T
    nearness = np.exp(-sharpness * (1.0 - cosines.astype(np.float64)))
    found = np.zeros((len(queries), count))
    found[:, present] = np.add.reduceat(nearness, starts, axis=1)
    return found


def folds_of(truth: Rows, *, seed: int, folds: int = FOLDS) -> Rows:
    """int64 (e,): a fold for each example, each label spread over the folds evenly."""
    generator = np.random.default_rng(seed)
    fold = np.zeros(len(truth), dtype=np.int64)
    for label in np.unique(truth):
        places = generator.permutation(np.flatnonzero(truth == label))
        fold[places] = (np.arange(len(places)) + generator.integers(folds)) % folds
    return fold


def frequencies_of(scores: Exact, temperature: float) -> Exact:
    """float64 (k,): the estimated share of each label among n scored items of a catalog."""
    return np.asarray(softmax(scores, temperature).mean(axis=0) + 1 / len(scores))


def _held_out(
    queries: FloatArray, truth: Rows, count: int, *, seed: int
) -> tuple[Rows, Exact, Exact]:
    """What the corrections give each example when its fold is not among the examples.

    Returns:
        int64 (h,), the examples that are scored, and float64 (h, k) twice.
    """
    fold = folds_of(truth, seed=seed)
    chosen = np.arange(len(truth))
    if len(truth) * count > _SCORES_AT_ONCE:
        wanted = max(1, _SCORES_AT_ONCE // count)
        chosen = np.sort(np.random.default_rng(seed).permutation(chosen)[:wanted])
    linear, cached = np.zeros((len(chosen), count)), np.zeros((len(chosen), count))
    for number in range(FOLDS):
        rest = fold != number
        mine = np.flatnonzero(fold[chosen] == number)
        if not mine.size or not rest.any():
            continue
        asked = queries[chosen[mine]]
        linear[mine] = discriminant(queries[rest], truth[rest], count).scores(asked)
        cached[mine] = cache(asked, queries[rest], truth[rest], count)
    return chosen, linear, cached


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Held-out scores of h examples: zero-shot and both corrections, float64 (h, k)."""

    zero: Exact
    linear: Exact
    cached: Exact
    truth: Rows
    weights: Exact

    def choose(self, pairs: Sequence[tuple[float, float]]) -> Choice:
        """The best of some pairs of strengths; the first is (0, 0)."""
        base, before, temperature = self._judge(self.zero)
        best, best_losses = (0.0, 0.0), base
        for pair in pairs:
            losses, after, fitted = self._judge(self._blended(pair))
            if losses.mean() < best_losses.mean() and self._accepts(base - losses, before, after):
                best, best_losses, temperature = pair, losses, fitted
        blended = self._blended(best)
        return Choice(
            discriminant_strength=best[0],
            cache_strength=best[1],
            temperature=temperature,
            zero_shot_log_loss=float(base.mean()),
            log_loss=float(best_losses.mean()),
            confidences=tuple(softmax(blended, temperature).max(axis=1).tolist()),
            right=tuple((blended.argmax(axis=1) == self.truth).tolist()),
        )

    def _blended(self, pair: tuple[float, float]) -> Exact:
        return self.zero + pair[0] * self.linear + pair[1] * self.cached

    def _judge(self, scores: Exact) -> tuple[Exact, npt.NDArray[np.bool_], float]:
        temperature = fit_temperature(scores, self.truth)
        losses = log_losses(scores, self.truth, temperature)
        return losses, scores.argmax(axis=1) == self.truth, temperature

    def _accepts(
        self, gain: Exact, before: npt.NDArray[np.bool_], after: npt.NDArray[np.bool_]
    ) -> bool:
        return all(
            (weights * gain).mean() > (weights * gain).std() / np.sqrt(len(gain))
            and (weights * after).mean() >= (weights * before).mean()
            for weights in (np.ones(len(gain)), self.weights)
        )
