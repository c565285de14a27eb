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
LABEL_FOLDS = 40
"""Labels of one fold miss each other's examples too, so there are many folds of few."""

CAUTION = 2.0
"""How much an item of an untaught label counts. The held-out labels show too little of what
becomes of it: they are fewer than those that draw it."""

PRIOR_EXAMPLES = 5
"""Examples that are thought to be found by zero-shot, beside those that there are."""

_SCORES_AT_ONCE = 20_000_000
"""Beyond so many scores a sample of the examples is held out."""


def choose(
    queries: FloatArray,
    scores: Exact,
    truth: Rows,
    frequencies: Exact,
    *,
    untaught: float = 0.0,
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

    Examples of some labels pull items of the others towards them. So each example is scored
    a second time, by examples of other labels only, as an item of an untaught label would
    be, and counts so by ``CAUTION`` times the share of such items in the catalog. Where
    that is all, or examples of one label alone can't show it: zero-shot.

    Where titles change what is decided, the loss to be least is of that, and the gain is
    asked for both with titles and without, so that neither kind of input can lose.

    Args:
        queries: float (e, d), as the head makes them of the examples.
        scores: float64 (e, k), the examples' zero-shot scores.
        truth: int64 (e,), the examples' labels, columns of ``scores``.
        frequencies: float64 (k,), the catalog's estimated share of each label.
        untaught: the catalog's share of items whose label has no example, 0 to 1; see
            ``untaught_share``.
        decided: what labels are decided by, given the scores; None is the scores.
        seed: of the folds.
    """
    count = scores.shape[1]
    untaught *= CAUTION
    one_label = len(np.unique(truth)) < 2
    if np.bincount(truth).max() < 2 or untaught >= 1 or (untaught and one_label):
        none = _Added(np.zeros_like(scores), np.zeros_like(scores))
        every, even = np.arange(len(truth)), np.ones(len(truth))
        alone = _HeldOut(scores, none, none, truth, even, every, 0.0, decided)
        return alone.choose(((0.0, 0.0),))
    chosen = _sample(len(truth), count, seed=seed)
    added = _held_out(queries, truth, count, chosen, folds_of(truth, seed=seed))
    foreign = (
        _held_out(queries, truth, count, chosen, label_folds_of(truth, seed=seed))
        if untaught
        else added
    )
    weights = (frequencies / np.maximum(np.bincount(truth, minlength=count), 1))[truth[chosen]]
    weights /= weights.mean()
    held = _HeldOut(
        scores[chosen], added, foreign, truth[chosen], weights, chosen, untaught, decided
    )
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


def label_folds_of(truth: Rows, *, seed: int, folds: int = LABEL_FOLDS) -> Rows:
    """int64 (e,): a fold for each example, all examples of a label in the same one."""
    labels, places = np.unique(truth, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(labels))
    return np.asarray((order % folds)[places], dtype=np.int64)


def untaught_share(catalog: Exact, scores: Exact, truth: Rows) -> float:
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
    best, examples = scores.argmax(axis=1), len(truth) + PRIOR_EXAMPLES
    mistaken = float((~np.isin(best, truth)).sum() / examples)
    found = float(((best == truth).sum() + PRIOR_EXAMPLES) / examples)
    return float(np.clip((counted - mistaken) / found, 0.0, 1.0))


class _Added(NamedTuple):
    """What both corrections add to the scores of h examples, float64 (h, k)."""

    linear: Exact
    cached: Exact


def _sample(examples: int, count: int, *, seed: int) -> Rows:
    """int64 (h,): the examples that are held out, all of them where they are not too many."""
    if examples * count <= _SCORES_AT_ONCE:
        return np.arange(examples)
    wanted = max(1, _SCORES_AT_ONCE // count)
    return np.sort(np.random.default_rng(seed).permutation(examples)[:wanted])


def _held_out(queries: FloatArray, truth: Rows, count: int, chosen: Rows, fold: Rows) -> _Added:
    """What examples (h,) get when their fold is not among those that are learnt from."""
    added = _Added(np.zeros((len(chosen), count)), np.zeros((len(chosen), count)))
    for number in np.unique(fold):
        rest = fold != number
        mine = np.flatnonzero(fold[chosen] == number)
        if not mine.size or not rest.any():
            continue
        asked = queries[chosen[mine]]
        added.linear[mine] = discriminant(queries[rest], truth[rest], count).scores(asked)
        added.cached[mine] = cache(asked, queries[rest], truth[rest], count)
    return added


class _Judged(NamedTuple):
    """Log losses of h examples, float64 (h,), and how sure it is that each is right, 0 to 1."""

    losses: Exact
    right: Exact


@dataclass(frozen=True, slots=True)
class _HeldOut:
    """Held-out scores of h examples, float64 (h, k): zero-shot, and what is added.

    Attributes:
        added: by examples of all labels.
        foreign: by examples of other labels than their own.
        rows: int64 (h,), which of the examples they are.
        untaught: how much ``foreign`` counts, 0 to 1.
    """

    zero: Exact
    added: _Added
    foreign: _Added
    truth: Rows
    weights: Exact
    rows: Rows
    untaught: float
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
        blended = self._blended(best, self.added)
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

    def _blended(self, pair: tuple[float, float], added: _Added) -> Exact:
        return self.zero + pair[0] * added.linear + pair[1] * added.cached

    def _judged(self, pair: tuple[float, float]) -> list[_Judged]:
        """As it is decided, with titles; then by the scores alone, where that is another."""
        own = self._blended(pair, self.added)
        other = self._blended(pair, self.foreign) if self.untaught else own
        alone = self._judge(own, other)
        if self.decided is None:
            return [alone]
        return [self._judge(self.decided(own, self.rows), self.decided(other, self.rows)), alone]

    def _judge(self, own: Exact, other: Exact) -> _Judged:
        """At the temperature that the taught scores ask for: there is one for all items."""
        temperature = fit_temperature(own, self.truth)
        found = _judge(own, self.truth, temperature)
        if not self.untaught:
            return found
        foreign = _judge(other, self.truth, temperature)
        return _Judged(
            *(
                (1 - self.untaught) * one + self.untaught * two
                for one, two in zip(found, foreign, strict=True)
            )
        )

    def _accepts(self, before: _Judged, after: _Judged) -> bool:
        gain = before.losses - after.losses
        return all(
            (weights * gain).mean() > (weights * gain).std() / np.sqrt(len(gain))
            and (weights * after.right).mean() >= (weights * before.right).mean()
            for weights in (np.ones(len(gain)), self.weights)
        )


def _judge(scores: Exact, truth: Rows, temperature: float) -> _Judged:
    right = (scores.argmax(axis=1) == truth).astype(np.float64)
    return _Judged(log_losses(scores, truth, temperature), right)
