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
from indexer.labels.few_shot import StrengthChoice, cache, discriminant, keep_untaught_share

ScoreBlend = Callable[[DoubleArray, IndexArray], DoubleArray]
"""From scores (h, k) of examples, and their rows (h,), to scores that are blended with titles'."""

Strengths = tuple[float, float, float]
"""Of the discriminant, of the cache, of the kernel ridge."""

# Grids that cross-validation chooses from. 0 is the zero-shot score, which may win.
DISCRIMINANT_STRENGTHS = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
CACHE_STRENGTHS = (0.0, 1.0, 4.0, 20.0, 60.0)
FOLDS = 5
KERNEL_STRENGTHS = (1.0, 2.0, 4.0, 8.0)

PRIOR_EXAMPLES = 5.0
"""Examples beside those of a label when it is weighted: one that a random draw has by chance
must not count for all that it has not."""

_FOUND_EXAMPLES = 5
"""Pseudo-count of examples that zero-shot labels rightly."""

FEW_UNTAUGHT = 0.1
"""Labels without examples need not keep their share where the catalog holds so little of them, as
a share of what their number says: then it holds what is taught, whatever else is a label."""

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
    untaught: float = 1.0,
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

    Where titles change what is decided, the loss to be least is of that, and the gain is
    asked for both with titles and without, so that neither kind of input can lose.

    Args:
        queries: float (e, d), as the head makes them of the examples.
        scores: float64 (e, k), the examples' zero-shot scores.
        truth: int64 (e,), the examples' labels, columns of ``scores``.
        frequencies: float64 (k,), the catalog's estimated share of each label.
        temperature: of the zero-shot scores.
        untaught: the catalog's share of items whose label has no example (``untaught_share``);
            where it is small such labels do not keep theirs (``FEW_UNTAUGHT``).
        decided: what labels are decided by, given the scores; None is the scores.
        seed: of the folds.
    """
    count = scores.shape[1]
    rows = np.arange(len(truth))
    if np.bincount(truth).max() < 2 or len(np.unique(truth)) < 2:
        nothing = np.zeros_like(scores)
        none = _Added(nothing, nothing, nothing, [])
        even = np.ones(len(truth))
        return _HeldOut(scores, none, truth, even, rows, temperature, decided).choose([_NOTHING])
    sample = _sample(len(truth), count, seed=seed)
    fold = folds_of(truth, seed=seed)
    added = _hold_out(queries, scores, truth, sample, fold, temperature)
    keeps = untaught > FEW_UNTAUGHT * (1 - len(np.unique(truth)) / count)
    if not keeps:
        added.folds.clear()
    weights = _to_catalog(frequencies, truth)[sample]
    weights /= weights.mean()
    held_out = _HeldOut(scores[sample], added, truth[sample], weights, sample, temperature, decided)
    strengths = [(a, b, 0.0) for a in DISCRIMINANT_STRENGTHS for b in CACHE_STRENGTHS]
    if kernel_ridge.fits(len(truth), count):
        strengths += [(0.0, 0.0, strength) for strength in KERNEL_STRENGTHS]
    return replace(held_out.choose(strengths), keeps_untaught=keeps)


def _to_catalog(frequencies: DoubleArray, truth: IndexArray) -> DoubleArray:
    """float64 (e,): how often each example's label is in the catalog, for once among them."""
    numbers = np.bincount(truth, minlength=len(frequencies))
    expected = frequencies / frequencies.sum() * len(truth)
    return np.asarray(((expected + PRIOR_EXAMPLES) / (numbers + PRIOR_EXAMPLES))[truth])


def folds_of(truth: IndexArray, *, seed: int, folds: int = FOLDS) -> IndexArray:
    """int64 (e,): a fold for each example, each label spread over the folds evenly."""
    generator = np.random.default_rng(seed)
    fold = np.zeros(len(truth), dtype=np.int64)
    for label in np.unique(truth):
        places = generator.permutation(np.flatnonzero(truth == label))
        fold[places] = (np.arange(len(places)) + generator.integers(folds)) % folds
    return fold


def untaught_share(catalog: DoubleArray, scores: DoubleArray, truth: IndexArray) -> float:
    """The share of a catalog's items whose label has no example.

    The items whose best label has none are counted, and the count is corrected by how
    often that is said of the examples, and how often an example's label is found at all:
    adjusted count (Forman 2008, "Quantifying counts and costs via classification", Data
    Mining and Knowledge Discovery 17, doi:10.1007/s10618-008-0097-y).

    Args:
        catalog: float64 (n, k), zero-shot scores of a sample of the catalog.
        scores: float64 (e, k), of the examples.
        truth: int64 (e,), the examples' labels.
    """
    counted = 1 - float(np.isin(catalog.argmax(axis=1), truth).mean())
    best, examples = scores.argmax(axis=1), len(truth) + _FOUND_EXAMPLES
    mistaken = float((~np.isin(best, truth)).sum() / examples)
    recall = float(((best == truth).sum() + _FOUND_EXAMPLES) / examples)
    return float(np.clip((counted - mistaken) / recall, 0.0, 1.0))


class _Added(NamedTuple):
    """What the corrections add to the scores of h examples, float64 (h, k) each.

    Attributes:
        folds: the rows of each fold, and bool (k,), the labels that it had examples of.
    """

    linear: DoubleArray
    cached: DoubleArray
    kernel: DoubleArray
    folds: list[tuple[IndexArray, npt.NDArray[np.bool_]]]


def _sample(examples: int, count: int, *, seed: int) -> IndexArray:
    """int64 (h,): the examples that are held out, all of them where they are not too many."""
    if examples * count <= _SCORES_AT_ONCE:
        return np.arange(examples)
    size = max(1, _SCORES_AT_ONCE // count)
    return np.sort(np.random.default_rng(seed).permutation(examples)[:size])


def _hold_out(
    queries: FloatArray,
    scores: DoubleArray,
    truth: IndexArray,
    sample: IndexArray,
    fold: IndexArray,
    temperature: float,
) -> _Added:
    """Corrections of examples (h,) by models that were fitted without their fold."""
    count = scores.shape[1]
    linear, cached, kernel = np.zeros((3, len(sample), count))
    added = _Added(linear, cached, kernel, [])
    for number in np.unique(fold):
        training = fold != number
        places = np.flatnonzero(fold[sample] == number)
        if not places.size or not training.any():
            continue
        held_queries = queries[sample[places]]
        added.linear[places] = discriminant(queries[training], truth[training], count).scores(
            held_queries
        )
        added.cached[places] = cache(held_queries, queries[training], truth[training], count)
        if kernel_ridge.fits(len(truth), count):
            ridge = kernel_ridge.fit(
                queries[training], scores[training], truth[training], temperature
            )
            added.kernel[places] = ridge.scores(held_queries)
        added.folds.append((places, np.bincount(truth[training], minlength=count) > 0))
    return added


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
        temperature: of the zero-shot scores.
    """

    zero: DoubleArray
    added: _Added
    truth: IndexArray
    weights: DoubleArray
    rows: IndexArray
    temperature: float
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
        for strength, added in zip(strengths, self.added[:3], strict=True):
            if strength:
                blended += strength * added
        for rows, taught in self.added.folds:
            blended[rows] = keep_untaught_share(
                self.zero[rows], blended[rows], taught, self.temperature
            )
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


def _standard_error(values: DoubleArray) -> float:
    return float(values.std() / np.sqrt(len(values)))


def _outcomes(scores: DoubleArray, truth: IndexArray) -> _Outcomes:
    """Log losses at the temperature that fits the scores best, one for all items."""
    right = (scores.argmax(axis=1) == truth).astype(np.float64)
    return _Outcomes(log_losses(scores, truth, fit_temperature(scores, truth)), right)
