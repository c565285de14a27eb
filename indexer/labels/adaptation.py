"""Labels fitted to a catalog by its own unlabelled vectors; pure, in streaming passes.

Pictures and texts lie in two cones apart from each other (the modality gap: Liang et
al., "Mind the Gap", NeurIPS 2022, arXiv:2203.02053), so a plain cosine prefers those
labels that lie towards the pictures' mean, whatever the picture. Two steps mend that:

A. Both sides are centred. Taking off the mean picture and the mean label is
   distribution normalisation (Zhou et al., "Test-Time Distribution Normalization for
   Contrastively Learned Vision-language Models", NeurIPS 2023, arXiv:2302.11084). The
   mean of a catalog of few classes holds the answer itself, so the offset taken off
   here is the mean *without the catalog's own content*, and it is trusted by a
   positive-part James-Stein factor (Efron and Morris, "Stein's Estimation Rule and Its
   Competitors", Journal of the American Statistical Association, 1973). The offset
   without content and its trust are this project's own combination, not a paper's.
B. Each label moves a little towards the pictures that it is chosen for, kept near its
   text, and labels that many pictures choose gain a bias. The regulariser towards the
   text is the idea of TransCLIP (Zanella et al., "Boosting Vision-Language Models with
   Transduction", NeurIPS 2024, arXiv:2406.01837), the estimated frequency that of
   Frolic (Zhu et al., "Enhancing Zero-Shot Vision Models by Label-Free Prompt
   Distribution Learning and Bias Correcting", 2024, arXiv:2410.19294). That it is one
   step of soft k-means, how far each label may move, and when none may, is this
   project's own.

The result is a vector and a bias a label, so that one inner product decides:
``[query, 1] . [vector, bias]``.

Memory holds a block of items and some arrays of the labels' size, however many items
there are. All temperatures are in units of the catalog's *spread*, the mean over its
items of the standard deviation of an item's label scores, so that one constant fits
models of other score ranges.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from indexer.core.records import FloatArray
from indexer.labels.adaptation_fit import TINY, Blocks, Exact, Items, Totals, unit

MIN_ITEMS = 16
"""Fewer items are not adapted to. A mean of 16 has a quarter of the items' own standard
error; with 16 no measured set lost a point to plain cosine, and fewer were not measured."""

OFFSET_ROUNDS = 5
"""Rounds of the offset's fit; 20 gave the same."""

OFFSET_TEMPERATURE = 0.3
"""Of the soft assignment that says what the catalog's content is."""

TEMPERATURE = 0.5
"""Of all other soft assignments, and of the scores that users see."""

LONGEST_STEP = 0.3
"""The most that a label may move towards its pictures, as a share of the way."""

PSEUDO_COUNT = 5.0
"""Pictures that a label's text counts for when it moves."""

PRIOR = 1.0
"""Exponent of a label's estimated frequency."""

GATE = 4.0
"""Labels stay where the bias left over after step A is spread / sqrt(GATE) or more."""

PASSES = 2 * OFFSET_ROUNDS + 4
"""How often ``fit`` reads all items."""


_KEY = 16


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """What ``fit`` found: a change of the queries, and a vector and a bias a label.

    Attributes:
        offset: float32 (d,), taken off a query.
        trust: 0 leaves the order that plain cosine gives to step B, 1 centres in full.
        radius: mean distance of the items from the offset.
        vectors: float32 (m, d), the labels; not of length 1.
        biases: float32 (m,), added to a label's inner product.
        spread: mean standard deviation of an item's scores: the unit of temperatures.
        effective_labels: how many labels the catalog uses, by inverse Simpson index.
        gate: 0 where the labels kept their places in step B, up to 1.
        items: how many it was fitted on.
        label_keys: uint8 (m, 16), hashes of the labels' own vectors.
    """

    offset: FloatArray
    trust: float
    radius: float
    vectors: FloatArray
    biases: FloatArray
    spread: float
    effective_labels: float
    gate: float
    items: int
    label_keys: npt.NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, _KEY), np.uint8))

    @cached_property
    def version(self) -> str:
        """Hash of all that decides: equal adaptations have equal versions."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.offset, self.vectors, self.biases):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(np.array([self.trust, self.radius, self.spread]).tobytes())
        return digest.hexdigest()

    def queries(self, vectors: FloatArray) -> FloatArray:
        """The picture side: ``(x - offset) / length``.

        The length is the item's own where the centring is trusted, and the same for all
        items where it is not: then it changes no order.

        Args:
            vectors: float32 (n, d), rows of length 1.

        Returns:
            float32 (n, d).
        """
        rest = vectors.astype(np.float64) - self.offset
        lengths = np.linalg.norm(rest, axis=1, keepdims=True)
        found = rest / ((1 - self.trust) * self.radius + self.trust * lengths)
        return np.asarray(found, dtype=np.float32)

    def in_order_of(self, labels: FloatArray) -> Adaptation | None:
        """The same adaptation for the same labels, which may be in another order now.

        A label that is new, reworded or gone changes what the pictures of all others are: the
        others have moved onto its pictures, or had left them to it. So no part of an adaptation
        serves other labels; they are fitted again.

        Args:
            labels: float32 (k, d), rows of length 1.

        Returns:
            None where they are not the vectors that were fitted.
        """
        keys = keys_of(labels)
        before, after = _ordered(self.label_keys), _ordered(keys)
        if len(before) != len(after) or (self.label_keys[before] != keys[after]).any():
            return None
        rows = np.empty(len(keys), dtype=np.int64)
        rows[after] = before
        return replace(self, vectors=self.vectors[rows], biases=self.biases[rows], label_keys=keys)


def keys_of(labels: FloatArray) -> npt.NDArray[np.uint8]:
    """uint8 (m, 16): hashes of the rows of float32 (m, d)."""
    rows = np.ascontiguousarray(labels, dtype=np.float32)
    digests = b"".join(hashlib.blake2b(row.data, digest_size=_KEY).digest() for row in rows)
    return np.frombuffer(digests, dtype=np.uint8).reshape(-1, _KEY)


def _ordered(keys: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """int64 (m,): the rows of uint8 (m, 16) in their order."""
    return np.lexsort(keys.T)


def fit(blocks: Blocks, labels: FloatArray) -> Adaptation:
    """Adapt labels to a catalog, without a labelled item.

    Args:
        blocks: the items; read ``PASSES`` times.
        labels: float32 (m, d), rows of length 1.

    Raises:
        ValueError: there is no item or no label.
    """
    if not len(labels):
        raise ValueError("no label to adapt")
    items = Items(blocks, len(labels))
    mean = labels.mean(axis=0, dtype=np.float64)
    centred = labels.astype(np.float64) - mean
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    directions = centred / np.maximum(lengths, TINY)
    scaled = centred / max(float(lengths.mean()), TINY)
    offset, trust, effective = _fit_offset(items, directions, scaled)
    texts = trust * directions + (1 - trust) * scaled
    unmoved = Adaptation(
        offset=offset.astype(np.float32),
        trust=trust,
        radius=items.mean_length_from(offset),
        vectors=texts.astype(np.float32),
        biases=np.zeros(len(labels), dtype=np.float32),
        spread=1.0,
        effective_labels=effective,
        gate=0.0,
        items=items.count,
        label_keys=keys_of(labels),
    )
    return _move_labels(items, unmoved, texts, offset)


def _fit_offset(items: Items, directions: Exact, scaled: Exact) -> tuple[Exact, float, float]:
    """Step A: the offset (d,), the trust in it, and how many labels the catalog uses.

    An item is taken as ``offset + slope * direction of its label + noise``. From soft
    assignments, at first by plain cosine, the slope follows by least squares and the
    offset from the means; both give new assignments (as EM does).
    """
    vectors, biases = scaled, np.zeros(len(scaled))
    offset, trust, effective = np.zeros(scaled.shape[1]), 0.0, 1.0
    for number in range(OFFSET_ROUNDS):
        spread = items.spread(vectors, biases, lambda x: x)
        found = items.totals(vectors, biases, OFFSET_TEMPERATURE * spread, directions)
        if not number:
            # Of the first round only: later ones drift where there are few classes.
            effective = min(1 / float((share**2).sum()) for share in (found.soft, found.hard))
        content = (found.soft - 1 / len(scaled)) @ directions
        offset = items.mean - _slope(found, items, directions) * content
        trust = shrinkage(spread, effective, float((directions @ offset).var()))
        vectors = trust * directions + (1 - trust) * scaled
        biases = -trust * (vectors @ offset)
    return offset, trust, effective


def _slope(found: Totals, items: Items, directions: Exact) -> float:
    """How far pictures lie along their label's direction.

    With one class only the slope has no meaning; the expected score bounds it.
    """
    mean = found.soft @ directions
    covariance = found.aligned - items.count * float(mean @ items.mean)
    variance = found.squared - items.count * float(mean @ mean)
    return min(max(0.0, covariance / max(variance, 1e-9)), found.top)


def shrinkage(spread: float, effective: float, bias_variance: float) -> float:
    """Positive-part James-Stein factor of the labels' bias towards the offset.

    Classes drawn at random, k of them, give a bias of variance ``spread**2 / k`` by
    chance. Of k the estimator takes 2 off, so a catalog of two effective classes or
    fewer is never centred.
    """
    if effective <= 2:
        return 0.0
    return max(0.0, 1 - spread**2 / max((effective - 2) * bias_variance, TINY))


def _move_labels(items: Items, start: Adaptation, texts: Exact, offset: Exact) -> Adaptation:
    """Step B: one step of soft k-means from the texts, and the labels' frequencies.

    Labels whose text already points at their pictures stay, and so do those with few
    pictures. More steps than one lost on skewed catalogs.
    """
    biases = (1 - start.trust) * (texts @ offset) / start.radius
    spread = items.spread(texts, biases, start.queries)
    gate = max(0.0, 1 - GATE * (float(biases.std()) / spread) ** 2)
    counts, sums = items.assigned(texts, biases, TEMPERATURE * spread, start.queries)
    pictures = unit(sums / np.maximum(counts, 1e-9)[:, np.newaxis])
    far = 1 - np.clip((unit(texts) * pictures).sum(axis=1), 0.0, 1.0)
    step = (gate * LONGEST_STEP * far * counts / (counts + PSEUDO_COUNT))[:, np.newaxis]
    lengths = np.linalg.norm(texts, axis=1, keepdims=True)
    vectors = unit((1 - step) * texts + step * pictures) * lengths
    total = counts.sum()
    strength = gate * float(far @ counts / total) * PRIOR * TEMPERATURE * spread
    biases = biases * (1 - step[:, 0]) + strength * np.log((counts + 1) / (total + len(texts)))
    return replace(
        start,
        vectors=vectors.astype(np.float32),
        biases=biases.astype(np.float32),
        spread=items.spread(vectors, biases, start.queries),
        gate=gate,
    )
