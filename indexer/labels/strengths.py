"""How much examples count beside zero-shot scores: by cross-validation; pure numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from indexer.labels.few_shot import Choice, cache, discriminant
from indexer.records import FloatArray
from indexer.softmax import fit_temperature, log_losses, softmax

Exact = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

Decided = Callable[[Exact, Rows], Exact]
"""From scores (h, k) of examples, and which these are (h,), to what is decided by."""

DISCRIMINANT_STRENGTHS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
CACHE_STRENGTHS = (0.0, 1.0, 4.0, 20.0, 60.0)
FOLDS = 5

_SCORES_AT_ONCE = 20_000_000
"""Beyond so many scores a sample of the examples is held out."""


def choose(
    queries: FloatArray,
    scores: Exact,
    truth: Rows,
    frequencies: Exact,
    *,
    decided: Decided | None = None,
    seed: int = 0,
) -> Choice:
    """Choose the strengths by cross-validation on labelled examples.

    The strengths of least log loss, among those whose gain over zero-shot is above its own
    standard error and whose accuracy is not lower, both on the examples as they are and
    weighted to the catalog's label frequencies (examples are often balanced where the
    catalog is not). No such pair, or no label with two examples: zero-shot. The rule
    of one standard error is Breiman et al.'s (1984, "Classification and Regression
    Trees"); the two corrections are ``discriminant``'s and ``cache``'s, their sum and the
    weighted test this project's own.

    Where titles change what is decided, the loss to be least is of that, and the gain is
    asked for both with titles and without, so that neither kind of input can lose.

    Args:
        queries: float (e, d), as the head makes them of the examples.
        scores: float64 (e, k), the examples' zero-shot scores.
        truth: int64 (e,), the examples' labels, columns of ``scores``.
        frequencies: float64 (k,), the catalog's estimated share of each label.
        decided: what labels are decided by, given the scores; None is the scores.
        seed: of the folds.
    """
    count = scores.shape[1]
    if np.bincount(truth).max() < 2:
        zero, every = np.zeros_like(scores), np.arange(len(truth))
        alone = _HeldOut(scores, zero, zero, truth, np.ones(len(truth)), every, decided)
        return alone.choose(((0.0, 0.0),))
    chosen, linear, cached = _held_out(queries, truth, count, seed=seed)
    weights = (frequencies / np.maximum(np.bincount(truth, minlength=count), 1))[truth[chosen]]
    weights /= weights.mean()
    held = _HeldOut(scores[chosen], linear, cached, truth[chosen], weights, chosen, decided)
    return held.choose(
        [(one, other) for one in DISCRIMINANT_STRENGTHS for other in CACHE_STRENGTHS]
    )


def folds_of(truth: Rows, *, seed: int, folds: int = FOLDS) -> Rows:
    """int64 (e,): a fold for each example, each label spread over the folds evenly."""
    generator = np.random.default_rng(seed)
    fold = np.zeros(len(truth), dtype=np.int64)
    for label in np.unique(truth):
        places = generator.permutation(np.flatnonzero(truth == label))
        fold[places] = (np.arange(len(places)) + generator.integers(folds)) % folds
    return fold


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


class _Judged(NamedTuple):
    """Log losses of h examples, float64 (h,), and whether each best label is right."""

    losses: Exact
    right: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Held-out scores of h examples: zero-shot and both corrections, float64 (h, k).

    Attributes:
        rows: int64 (h,), which of the examples they are.
    """

    zero: Exact
    linear: Exact
    cached: Exact
    truth: Rows
    weights: Exact
    rows: Rows
    decided: Decided | None

    def choose(self, pairs: Sequence[tuple[float, float]]) -> Choice:
        """The best of some pairs of strengths; the first is (0, 0)."""
        before = self._judged((0.0, 0.0))
        best, best_loss = (0.0, 0.0), before[0].losses.mean()
        for pair in pairs:
            after = self._judged(pair)
            loss = after[0].losses.mean()
            if loss < best_loss and all(map(self._accepts, before, after)):
                best, best_loss = pair, loss
        blended = self._blended(best)
        temperature = fit_temperature(blended, self.truth)
        return Choice(
            discriminant_strength=best[0],
            cache_strength=best[1],
            temperature=temperature,
            zero_shot_log_loss=float(before[0].losses.mean()),
            log_loss=float(best_loss),
            confidences=tuple(softmax(blended, temperature).max(axis=1).tolist()),
            right=tuple((blended.argmax(axis=1) == self.truth).tolist()),
        )

    def _blended(self, pair: tuple[float, float]) -> Exact:
        return self.zero + pair[0] * self.linear + pair[1] * self.cached

    def _judged(self, pair: tuple[float, float]) -> list[_Judged]:
        """As it is decided, with titles; then by the scores alone, where that is another."""
        scores = self._blended(pair)
        alone = self._judge(scores)
        if self.decided is None:
            return [alone]
        return [self._judge(self.decided(scores, self.rows)), alone]

    def _judge(self, scores: Exact) -> _Judged:
        temperature = fit_temperature(scores, self.truth)
        losses = log_losses(scores, self.truth, temperature)
        return _Judged(losses, scores.argmax(axis=1) == self.truth)

    def _accepts(self, before: _Judged, after: _Judged) -> bool:
        gain = before.losses - after.losses
        return all(
            (weights * gain).mean() > (weights * gain).std() / np.sqrt(len(gain))
            and (weights * after.right).mean() >= (weights * before.right).mean()
            for weights in (np.ones(len(gain)), self.weights)
        )
