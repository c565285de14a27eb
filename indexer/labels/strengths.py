"""How much examples count beside zero-shot scores: by cross-validation; pure numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.core.softmax import fit_temperature, log_losses, softmax
from indexer.labels import kernel_ridge
from indexer.labels.corrections import (
    Balance,
    ScoredItems,
    Strengths,
    balance_of,
    fit,
    most_untaught,
)
from indexer.labels.few_shot import StrengthChoice

ScoreBlend = Callable[[DoubleArray, IndexArray], DoubleArray]
"""From scores (h, k) of examples, and their rows (h,), to scores that are blended with titles'."""

# Grids that cross-validation chooses from. 0 is the zero-shot score, which may win.
DISCRIMINANT_STRENGTHS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
CACHE_STRENGTHS = (0.0, 1.0, 4.0, 20.0, 60.0)
FOLDS = 5
KERNEL_STRENGTHS = (1.0, 2.0, 4.0, 8.0)

PRIOR_EXAMPLES = 5.0
"""Examples beside those of a label when it is weighted: one that a random draw has by chance
must not count for all that it has not."""

_SCORES_AT_ONCE = 20_000_000
"""Beyond so many scores a sample of the examples is held out."""

_NOTHING: Strengths = (0.0, 0.0, 0.0)


def choose_strengths(
    queries: FloatArray,
    scores: DoubleArray,
    truth: IndexArray,
    frequencies: DoubleArray,
    temperature: float,
    *,
    catalog: ScoredItems | None = None,
    decided: ScoreBlend | None = None,
    seed: int = 0,
) -> StrengthChoice:
    """Choose the strengths by cross-validation on labelled examples.

    Those are accepted whose gain of log loss over zero-shot is above its own standard error,
    that gain weighted to the catalog's label frequencies too (examples are often balanced
    where the catalog is not), and whose accuracy is not lower either way. Of these the least
    log loss counts, but a weak kernel ridge before a strong one, and a kernel ridge before
    the others, where it is within a standard error of the best: it stays nearest to
    zero-shot. None accepted, no label with two examples, or one label alone:
    zero-shot. The rule of one
    standard error is Breiman et al.'s (1984, "Classification and Regression Trees"). Tried
    are the discriminant and the cache, alone and together, and the kernel ridge alone.

    Where some labels have no examples, the others are moved together (``Balance``), in each fold
    too. To move them less where labels that were held out lose nothing by it was tried. It gains
    more on the fashion photos and on pictures among very many labels. But an untaught label that
    looks like a taught one loses most of its items, and no held-out label shows that.

    Where titles change what is decided, the loss to be least is of that, and the gain is
    asked for both with titles and without, so that neither kind of input can lose.

    Args:
        queries: float (e, d), as the head makes them of the examples.
        scores: float64 (e, k), the examples' zero-shot scores.
        truth: int64 (e,), the examples' labels, columns of ``scores``.
        frequencies: float64 (k,), the catalog's estimated share of each label.
        temperature: of the zero-shot scores.
        catalog: a sample of the catalog's items; None: the examples stand for it.
        decided: what labels are decided by, given the scores; None is the scores.
        seed: of the folds.
    """
    count, taught = scores.shape[1], np.unique(truth)
    if np.bincount(truth).max() < 2 or len(taught) < 2:
        rows, even = np.arange(len(truth)), np.ones(len(truth))
        held_out = _HeldOut(scores, [], truth, even, rows, decided)
        return held_out.choose([_NOTHING])
    examples, catalog = ScoredItems(queries, scores), catalog or ScoredItems(queries, scores)
    sample = _sample(len(truth), count, seed=seed)
    weights = _to_catalog(frequencies, truth)[sample]
    weights /= weights.mean()
    most = most_untaught(catalog.scores, scores, truth)
    held_rows, ridge = (sample, folds_of(truth, seed=seed)), kernel_ridge.fits(len(truth), count)
    parts = _hold_out(examples, truth, held_rows, catalog, temperature, most, ridge=ridge)
    held_out = _HeldOut(scores[sample], parts, truth[sample], weights, sample, decided)
    candidates = [(a, b, 0.0) for a in DISCRIMINANT_STRENGTHS for b in CACHE_STRENGTHS]
    if ridge:
        candidates += [(0.0, 0.0, strength) for strength in KERNEL_STRENGTHS]
    choice = held_out.choose(candidates)
    if len(taught) == count or not choice.helps:
        return choice
    balance = balance_of(fit(examples, truth, temperature, ridge=ridge), catalog, most)
    return replace(choice, shift=0.0 if balance is None else balance.shift(choice.strengths))


def _to_catalog(frequencies: DoubleArray, truth: IndexArray) -> DoubleArray:
    """float64 (e,): how often each example's label is in the catalog, for once among them."""
    numbers = np.bincount(truth, minlength=len(frequencies))
    expected = frequencies / frequencies.sum() * len(truth)
    return np.asarray(((expected + PRIOR_EXAMPLES) / (numbers + PRIOR_EXAMPLES))[truth])


def folds_of(truth: IndexArray, *, seed: int) -> IndexArray:
    """int64 (e,): a fold for each example, each label spread over the folds evenly."""
    generator = np.random.default_rng(seed)
    fold = np.zeros(len(truth), dtype=np.int64)
    for label in np.unique(truth):
        places = generator.permutation(np.flatnonzero(truth == label))
        fold[places] = (np.arange(len(places)) + generator.integers(FOLDS)) % FOLDS
    return fold


def _sample(examples: int, count: int, *, seed: int) -> IndexArray:
    """int64 (h,): the examples that are held out, all of them where they are not too many."""
    if examples * count <= _SCORES_AT_ONCE:
        return np.arange(examples)
    size = max(1, _SCORES_AT_ONCE // count)
    return np.sort(np.random.default_rng(seed).permutation(examples)[:size])


class _Part(NamedTuple):
    """Held-out examples, and what the others add to their scores.

    Attributes:
        rows: int64 (p,), places among all that are held out.
        taught: int64 (t,), the labels that the others have.
        added: float64 (3, p, t).
        balance: None where they have all labels.
    """

    rows: IndexArray
    taught: IndexArray
    added: DoubleArray
    balance: Balance | None


def _hold_out(
    examples: ScoredItems,
    truth: IndexArray,
    held_out: tuple[IndexArray, IndexArray],
    catalog: ScoredItems,
    temperature: float,
    most: float,
    *,
    ridge: bool,
) -> list[_Part]:
    """One part a fold.

    Args:
        held_out: the rows that are held out, int64 (h,), and the fold of each example, (e,).
    """
    parts, (sample, fold) = [], held_out
    for number in np.unique(fold):
        training, rows = np.flatnonzero(fold != number), np.flatnonzero(fold[sample] == number)
        if not rows.size or not training.size:
            continue
        corrections = fit(examples.take(training), truth[training], temperature, ridge=ridge)
        added = corrections.added(examples.queries[sample[rows]])
        balance = balance_of(corrections, catalog, most)
        parts.append(_Part(rows, corrections.taught, added, balance))
    return parts


class _Outcomes(NamedTuple):
    """Log losses of h examples, float64 (h,), and whether each is right, 0 or 1."""

    losses: DoubleArray
    right: DoubleArray


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Held-out scores of h examples, float64 (h, k): zero-shot, and what is added.

    Attributes:
        weights: float64 (h,), to the catalog's label frequencies; of mean 1.
        rows: int64 (h,), which of the examples they are.
    """

    zero: DoubleArray
    parts: Sequence[_Part]
    truth: IndexArray
    weights: DoubleArray
    rows: IndexArray
    decided: ScoreBlend | None

    def choose(self, candidates: Sequence[Strengths]) -> StrengthChoice:
        """The best of some strengths."""
        zero_shot = self._evaluate(_NOTHING)
        losses = {_NOTHING: zero_shot[0].losses}
        for strengths in candidates:
            outcomes = self._evaluate(strengths)
            if all(map(self._is_better, zero_shot, outcomes)):
                losses[strengths] = outcomes[0].losses
        best = min(losses, key=lambda strengths: losses[strengths].mean())
        for strengths in filter(itemgetter(2), losses):
            worse = losses[strengths] - losses[best]
            if worse.mean() <= _standard_error(worse):
                best = strengths
                break
        blended = self._blended(best)
        temperature = fit_temperature(blended, self.truth)
        return StrengthChoice(
            discriminant_strength=best[0],
            cache_strength=best[1],
            kernel_strength=best[2],
            temperature=temperature,
            zero_shot_log_loss=float(zero_shot[0].losses.mean()),
            log_loss=float(losses[best].mean()),
            confidences=tuple(softmax(blended, temperature).max(axis=1).tolist()),
            right=tuple((blended.argmax(axis=1) == self.truth).tolist()),
        )

    def _blended(self, strengths: Strengths) -> DoubleArray:
        if strengths == _NOTHING:
            return self.zero
        blended = self.zero.copy()
        for part in self.parts:
            added = np.tensordot(strengths, part.added, axes=1)
            if part.balance is not None:
                added -= part.balance.shift(strengths)
            blended[np.ix_(part.rows, part.taught)] += added
        return blended

    def _evaluate(self, strengths: Strengths) -> list[_Outcomes]:
        """Outcomes with titles, where there are some; then by the scores alone."""
        scores = self._blended(strengths)
        alone = _outcomes(scores, self.truth)
        if self.decided is None:
            return [alone]
        return [_outcomes(self.decided(scores, self.rows), self.truth), alone]

    def _is_better(self, zero_shot: _Outcomes, candidate: _Outcomes) -> bool:
        gain = zero_shot.losses - candidate.losses
        gained_hits = candidate.right - zero_shot.right
        return bool(
            gain.mean() > _standard_error(gain)
            and (self.weights * gain).mean() > 0
            and gained_hits.mean() >= 0
            and (self.weights * gained_hits).mean() >= 0
        )


def _standard_error(values: npt.NDArray[np.floating]) -> float:
    return float(values.std() / np.sqrt(len(values)))


def _outcomes(scores: DoubleArray, truth: IndexArray) -> _Outcomes:
    """Log losses at the temperature that fits the scores best, one for all items."""
    right = (scores.argmax(axis=1) == truth).astype(np.float64)
    return _Outcomes(log_losses(scores, truth, fit_temperature(scores, truth)), right)
