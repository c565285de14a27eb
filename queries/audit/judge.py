"""Says how probable each label of an item is, without having seen the item's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from indexer.catalog.catalog import OpenCatalog
from indexer.catalog.sampling import sampled_vectors
from indexer.core.errors import UsageError
from indexer.core.records import DoubleArray, FloatArray, IndexArray
from indexer.core.softmax import fit_temperature, log_losses, softmax
from indexer.labels.adaptation import Adaptation
from indexer.labels.sets import LabelSet
from indexer.labels.strengths import DISCRIMINANT_STRENGTHS
from queries.audit.held_out import FOLDS, HeldOut, Sums, keep_untaught_share
from queries.audit.noise import Noise, measure_noise
from queries.audit.typed_labels import TypedCounts, TypedLabels
from queries.classify import head_of
from queries.deciding.fusion import Fusion, fit_fusion
from queries.deciding.scorer import Scorer
from queries.deciding.scorer_fit import SAMPLE, zero_shot_scorer

FEWEST_ITEMS = 20
"""Items with a typed label below which nothing can be said of the others."""

MOST_SCORES = 20_000_000
"""Of items times labels, in the sample that strength, temperature and noise are measured on."""

MOST_SAMPLED = 50_000

_ROWS = 512


@dataclass(frozen=True, slots=True)
class _Sample:
    """Items whose typed label is a leaf: their vectors, titles' vectors, labels and folds."""

    vectors: FloatArray
    titles: FloatArray
    codes: IndexArray
    folds: IndexArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What says how probable each label of an item is, without having seen it.

    Attributes:
        strength: of the discriminant beside the zero-shot scores.
        temperature: of both together.
    """

    scorer: Scorer
    fusion: Fusion | None
    held_out: HeldOut
    strength: float
    temperature: float
    noise: Noise

    def probabilities(
        self, vectors: FloatArray, titles: FloatArray, folds: IndexArray
    ) -> DoubleArray:
        """float64 (n, k)."""
        zero = zero_shot_scores(self.scorer, self.fusion, vectors, titles)
        features = _features(vectors, titles, self.fusion)
        scores = blended(zero, features, folds, self.held_out, self.strength, self.scorer)
        return softmax(scores, self.temperature)


def zero_shot_scores(
    scorer: Scorer, fusion: Fusion | None, vectors: FloatArray, titles: FloatArray
) -> DoubleArray:
    """float64 (n, k): by pictures, and titles where there are some."""
    scores = scorer.scores(vectors)
    return scores if fusion is None else fusion.blend(scores, titles)


def blended(
    zero: DoubleArray,
    features: FloatArray,
    folds: IndexArray,
    held_out: HeldOut,
    strength: float,
    scorer: Scorer,
) -> DoubleArray:
    """Zero-shot scores with what the typed labels of other folds add, float64 (n, k)."""
    if not strength:
        return zero
    scores = zero.copy()
    for fold in range(FOLDS):
        rows = np.flatnonzero(folds == fold)
        if rows.size:
            added = strength * held_out.discriminants[fold].scores(features[rows])
            scores[rows] = keep_untaught_share(
                zero[rows], zero[rows] + added, held_out.seen[fold], scorer.temperature
            )
    return scores


def _features(vectors: FloatArray, titles: FloatArray, fusion: Fusion | None) -> FloatArray:
    """What the discriminant sees: the picture, and the title where titles count."""
    return vectors if fusion is None else np.hstack([vectors, titles])


def fit_judge(
    catalog: OpenCatalog,
    labels: LabelSet,
    adaptation: Adaptation | None,
    typed: TypedLabels,
    counts: TypedCounts,
    *,
    text_weight: float,
) -> tuple[Judge, int]:
    """The judge, and the number of items that it was measured on.

    Args:
        labels: the active ones.
        adaptation: of these labels; None scores by plain ones.
        text_weight: share of the titles.

    Raises:
        UsageError: no typed label is a leaf.
    """
    head = head_of(catalog, labels, adaptation)
    scorer = zero_shot_scorer(head, lambda: sampled_vectors(catalog, SAMPLE))
    fusion = fit_fusion(catalog, scorer, text_weight)
    width = catalog.archive.width * (1 if fusion is None else 2)
    sums = Sums(len(labels), width)
    most = max(FEWEST_ITEMS, min(MOST_SAMPLED, MOST_SCORES // len(labels)))
    sample = _sum_and_sample(typed, sums, fusion, stride=-(-counts.labelled // most))
    if not len(sample.codes):
        raise UsageError(
            "no typed label is a leaf of the taxonomy: there is nothing to learn from."
        )
    held_out = sums.fit()
    strength, temperature, scores = _choose_strength(sample, held_out, scorer, fusion)
    judge = Judge(
        scorer=scorer,
        fusion=fusion,
        held_out=held_out,
        strength=strength,
        temperature=temperature,
        noise=measure_noise(softmax(scores, temperature), sample.codes),
    )
    return judge, len(sample.codes)


def _sum_and_sample(
    typed: TypedLabels, sums: Sums, fusion: Fusion | None, *, stride: int
) -> _Sample:
    """Add all items with a leaf to the sums; every so many of them are the sample."""
    blocks: list[tuple[Any, ...]] = []
    seen = 0
    for block in typed.blocks():
        leaf = np.flatnonzero(block.is_leaf)
        features = _features(block.vectors[leaf], block.titles[leaf], fusion)
        sums.add(features, block.codes[leaf], block.folds[leaf])
        # The stride goes on from the block before, so that small blocks are not over-represented.
        rows = leaf[-seen % stride :: stride]
        seen += len(leaf)
        fields = (block.vectors, block.titles, block.codes, block.folds)
        blocks.append(tuple(values[rows] for values in fields))
    return _Sample(*(np.concatenate(arrays) for arrays in zip(*blocks, strict=True)))


def _choose_strength(
    sample: _Sample, held_out: HeldOut, scorer: Scorer, fusion: Fusion | None
) -> tuple[float, float, DoubleArray]:
    """The discriminant's strength of least log loss, its temperature, and its scores."""
    vectors, titles, codes = sample.vectors, sample.titles, sample.codes
    zero = np.concatenate(
        [
            zero_shot_scores(scorer, fusion, vectors[rows], titles[rows])
            for rows in slices(len(vectors))
        ]
    )
    features = _features(vectors, titles, fusion)
    best: tuple[float, float, float, DoubleArray] | None = None
    for strength in DISCRIMINANT_STRENGTHS:
        scores = blended(zero, features, sample.folds, held_out, strength, scorer)
        temperature = fit_temperature(scores, codes)
        loss = float(log_losses(scores, codes, temperature).mean())
        if best is None or loss < best[0]:
            best = loss, strength, temperature, scores
    assert best is not None
    return best[1:]


def slices(count: int) -> Iterator[slice]:
    """Parts of so many rows, few enough to score at once."""
    for start in range(0, count, _ROWS):
        yield slice(start, start + _ROWS)
