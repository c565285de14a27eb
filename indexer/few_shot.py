"""Labels by examples: what labelled items add to the zero-shot scores; pure numpy.

Two corrections, a discriminant and a cache, are added to the zero-shot scores, each by a
strength that cross-validation on the examples chooses. Where neither helps beyond its
standard error, both strengths are 0, and the scores are exactly the zero-shot ones.
"""

from __future__ import annotations

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
"""Examples at the common mean that every label is thought to have."""

_SCORES_AT_ONCE = 20_000_000
"""Scores of the cross-validation held at a time; beyond, a sample of examples is scored."""


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
class FewShot:
    """What examples add to the zero-shot scores of k labels.

    Attributes:
        discriminant: of all examples.
        examples: float32 (e, d), the examples' queries, rows of length 1.
        truth: int64 (e,), their labels' rows.
        discriminant_strength: 0 adds nothing.
        cache_strength: 0 adds nothing.
        temperature: of the blended scores, by log loss on held-out examples.
        zero_shot_log_loss: nats an example, held out, at its own best temperature.
        log_loss: the same, blended.
    """

    discriminant: Discriminant
    examples: FloatArray
    truth: Rows
    discriminant_strength: float
    cache_strength: float
    temperature: float
    zero_shot_log_loss: float
    log_loss: float

    @property
    def helps(self) -> bool:
        """Whether cross-validation found the examples worth using."""
        return bool(self.discriminant_strength or self.cache_strength)

    def blend(self, queries: FloatArray, scores: Exact) -> Exact:
        """The zero-shot scores with what the examples add; unchanged where they don't help.

        Args:
            queries: float (n, d), the vectors that the scores were made from.
            scores: float64 (n, k), zero-shot, in units of the catalog's spread.
        """
        blended = scores
        if self.discriminant_strength:
            added = self.discriminant.scores(queries)
            blended = blended + self.discriminant_strength * added
        if self.cache_strength:
            added = cache(queries, self.examples, self.truth, scores.shape[1])
            blended = blended + self.cache_strength * added
        return blended


def fit(
    queries: FloatArray, scores: Exact, truth: Rows, frequencies: Exact, *, seed: int = 0
) -> FewShot:
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
    zero_temperature = fit_temperature(scores, truth)
    zero = float(log_losses(scores, truth, zero_temperature).mean())
    pair, temperature, best = (0.0, 0.0), zero_temperature, zero
    if np.bincount(truth).max() >= 2:
        chosen, linear, cached = _held_out(queries, truth, count, seed=seed)
        weights = (frequencies / np.maximum(np.bincount(truth, minlength=count), 1))[truth[chosen]]
        held = _HeldOut(scores[chosen], linear, cached, truth[chosen], weights / weights.mean())
        pair, temperature, zero, best = held.best_strengths()
    return FewShot(
        discriminant=discriminant(queries, truth, count),
        examples=normalise(queries),
        truth=truth,
        discriminant_strength=pair[0],
        cache_strength=pair[1],
        temperature=temperature,
        zero_shot_log_loss=zero,
        log_loss=best,
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

    def best_strengths(self) -> tuple[tuple[float, float], float, float, float]:
        """The strengths, their temperature, the log loss of zero-shot, and theirs."""
        pair = (0.0, 0.0)
        base, right, temperature = self._judge(self.zero)
        best = zero = float(base.mean())
        for linear in DISCRIMINANT_STRENGTHS:
            for cached in CACHE_STRENGTHS:
                blended = self.zero + linear * self.linear + cached * self.cached
                losses, correct, fitted = self._judge(blended)
                if losses.mean() < best and self._accepts(base - losses, right, correct):
                    best, pair, temperature = float(losses.mean()), (linear, cached), fitted
        return pair, temperature, zero, best

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
