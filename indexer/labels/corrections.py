"""What examples add to the scores of the labels that have some, and how these stay in balance.

Pure numpy. Used where strengths are chosen; ``indexer.labels.few_shot`` applies the choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.labels import kernel_ridge
from indexer.labels.few_shot import Discriminant, cache, discriminant
from indexer.labels.kernel_ridge import KernelRidge

Strengths = tuple[float, float, float]
"""Of the discriminant, of the cache, of the kernel ridge."""

_BALANCED_SCORES = 500_000
"""Scores of the catalog's sample that a balance is measured on."""

_FEWEST_BALANCED = 200

_FOUND_EXAMPLES = 5
"""Pseudo-count of examples that zero-shot labels rightly."""


class ScoredItems(NamedTuple):
    """Items as the head makes queries of them, and their zero-shot scores.

    Attributes:
        queries: float (n, d).
        scores: float64 (n, k).
    """

    queries: FloatArray
    scores: DoubleArray

    def take(self, rows: IndexArray) -> ScoredItems:
        """Some of the items."""
        return ScoredItems(self.queries[rows], self.scores[rows])


@dataclass(frozen=True, slots=True)
class Corrections:
    """All corrections by the same examples, for the t labels that these have.

    Attributes:
        taught: int64 (t,), the labels' columns.
        places: int64 (e,), the examples' labels among them.
        ridge: None where there are too many examples for it.
    """

    queries: FloatArray
    taught: IndexArray
    places: IndexArray
    discriminant: Discriminant
    ridge: KernelRidge | None

    def added(self, queries: FloatArray) -> DoubleArray:
        """float64 (3, n, t): of queries (n, d), in the order of ``Strengths``."""
        count = len(self.taught)
        added = np.zeros((3, len(queries), count))
        added[0] = self.discriminant.scores(queries)
        added[1] = cache(queries, self.queries, self.places, count)
        if self.ridge is not None:
            added[2] = self.ridge.scores(queries)
        return added


def fit(
    examples: ScoredItems, truth: IndexArray, temperature: float, *, ridge: bool = True
) -> Corrections:
    """Fit all corrections.

    Args:
        truth: int64 (e,), columns of the examples' scores.
        temperature: of the zero-shot scores.
        ridge: the kernel ridge too.
    """
    taught, places = np.unique(truth, return_inverse=True)
    taught_ridge = None
    if ridge:
        whole = kernel_ridge.fit(*examples, truth, temperature)
        taught_ridge = KernelRidge(whole.examples, whole.coefficients[:, taught])
    return Corrections(
        examples.queries,
        taught,
        places,
        discriminant(examples.queries, places, len(taught)),
        taught_ridge,
    )


@dataclass(frozen=True, slots=True)
class Balance:
    """Keeps the number of a catalog's items that get a label without examples.

    Examples of some labels raise these, so they would draw the items of all others to them. One
    shift for all items takes off what they gained: as many items of the catalog as before get
    one of the other labels, or as many as it can well hold of these (``most_untaught``) where
    that is less. So an item of a taught label can gain, and where it does, one of another label
    comes back for it. To keep each item's share instead cost the taught labels most of what
    examples give. This is the project's own.

    Attributes:
        scores: float64 (n, t), zero-shot scores of the taught labels.
        rest: float64 (n,), the highest score of the others.
        added: float64 (3, n, t).
        most: the share of items that can be of the other labels.
    """

    scores: DoubleArray
    rest: DoubleArray
    added: DoubleArray
    most: float

    def shift(self, strengths: Strengths) -> float:
        """What is to be taken off the taught labels, in units of the scores."""
        margins = np.sort(self._margins(np.tensordot(strengths, self.added, axes=1)))
        others = int((self._margins(0.0) < 0).sum())
        others = min(others, round(self.most * len(margins)))
        if others in (0, len(margins)):
            # No border is known: whoever all items belong to keeps them.
            return float(min(0.0, margins[0]) if others == 0 else max(0.0, margins[-1]))
        return float(margins[others - 1 : others + 1].mean())

    def _margins(self, added: DoubleArray | float) -> DoubleArray:
        """float64 (n,): how far the best taught label is above the best of the others."""
        return np.asarray((self.scores + added).max(axis=1) - self.rest)


def balance_of(corrections: Corrections, catalog: ScoredItems, most: float = 1.0) -> Balance | None:
    """The balance over a sample of a catalog; None where all labels have examples."""
    others = np.ones(catalog.scores.shape[1], dtype=bool)
    others[corrections.taught] = False
    if not others.any():
        return None
    size = max(_FEWEST_BALANCED, _BALANCED_SCORES // len(corrections.taught))
    sample = catalog.take(np.arange(0, len(catalog.scores), -(-len(catalog.scores) // size)))
    return Balance(
        sample.scores[:, corrections.taught],
        sample.scores[:, others].max(axis=1),
        corrections.added(sample.queries),
        most,
    )


def most_untaught(catalog: DoubleArray, scores: DoubleArray, truth: IndexArray) -> float:
    """The largest share that a catalog's items of labels without examples can well have.

    The items whose best label has none are counted, and the count is corrected by how often that
    is said of the examples, and how often an example's label is found at all: adjusted count
    (Forman 2008, "Quantifying counts and costs via classification", Data Mining and Knowledge
    Discovery 17, doi:10.1007/s10618-008-0097-y). Two standard errors are added: the bound only
    counts where many labels are mistaken for others that the catalog does not hold.

    Args:
        catalog: float64 (n, k), zero-shot scores of a sample of the catalog.
        scores: float64 (e, k), of the examples.
        truth: int64 (e,), the examples' labels.
    """
    counted = 1 - float(np.isin(catalog.argmax(axis=1), truth).mean())
    best, examples = scores.argmax(axis=1), len(truth) + _FOUND_EXAMPLES
    mistaken = float((~np.isin(best, truth)).sum() / examples)
    recall = float(((best == truth).sum() + _FOUND_EXAMPLES) / examples)
    error = math.sqrt(max(mistaken * (1 - mistaken), 1 / examples) / examples)
    return float(np.clip((counted - mistaken + 2 * error) / recall, 0.0, 1.0))
