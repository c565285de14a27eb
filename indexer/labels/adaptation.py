"""Labels fitted to a sample of a catalog's own unlabelled vectors; pure, in memory.

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

All temperatures are in units of the catalog's *spread*, the mean over its items of the standard
deviation of an item's label scores, so that one constant fits models of other score ranges.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from indexer.core.records import DoubleArray, FloatArray
from indexer.labels.soft_assignments import Products, Totals

MIN_ITEMS = 8
"""Fewer items are not adapted to. With 8 no measured set lost a point to plain cosine, of many
classes or of few; fewer were not measured."""

OFFSET_ROUNDS = 5
"""Rounds of the offset's fit; 20 gave the same."""

OFFSET_TEMPERATURE = 0.3
"""Of the soft assignment that says what the catalog's content is."""

INFORMATION_TEMPERATURE = 0.1
"""Of the soft assignment that counts the labels in use after centring."""

SEVERAL_LABELS = 5.0
"""Labels in use by plain cosine from which centred scores may count more of them."""

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

_OFFSET_ITEMS = 1_024
"""Items that the offset is fitted on, at most: a mean over them is as good as over more."""

_TINY = 1e-12
"""Stands for 0 where something is divided by it."""

_KEY = 16


@dataclass(frozen=True, kw_only=True)
class Centring:
    """What step A found: how vectors become queries.

    Attributes:
        offset: float32 (d,), taken off a query.
        trust: 0 leaves the order that plain cosine gives to step B, 1 centres in full.
        radius: mean distance of the items from the offset.
    """

    offset: FloatArray
    trust: float
    radius: float

    def queries(self, vectors: FloatArray) -> FloatArray:
        """The picture side: ``(x - offset) / length``.

        The length is the item's own where the centring is trusted, and the same for all
        items where it is not: then it changes no order.

        Args:
            vectors: float32 (n, d), rows of length 1.

        Returns:
            float32 (n, d).
        """
        centred = vectors - self.offset
        lengths = np.sqrt(np.vecdot(centred, centred))[:, np.newaxis]
        trust = np.float32(self.trust)
        centred /= (1 - trust) * np.float32(self.radius) + trust * lengths
        return np.asarray(centred, dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Adaptation(Centring):
    """What ``fit`` found: a change of the queries, and a vector and a bias a label.

    Attributes:
        vectors: float32 (m, d), the labels; not of length 1.
        biases: float32 (m,), added to a label's inner product.
        spread: mean standard deviation of an item's scores: the unit of temperatures.
        effective_labels: how many labels the catalog uses, by ``_effective_labels``.
        gate: 0 where the labels kept their places in step B, up to 1.
        items: how many it was fitted on.
        label_keys: uint8 (m, 16), hashes of the labels' own vectors.
    """

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

    def reordered_for(self, labels: FloatArray) -> Adaptation | None:
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
        fitted_order, current_order = _ordered(self.label_keys), _ordered(keys)
        if (
            len(fitted_order) != len(current_order)
            or (self.label_keys[fitted_order] != keys[current_order]).any()
        ):
            return None
        rows = np.empty(len(keys), dtype=np.int64)
        rows[current_order] = fitted_order
        return replace(self, vectors=self.vectors[rows], biases=self.biases[rows], label_keys=keys)


def keys_of(labels: FloatArray) -> npt.NDArray[np.uint8]:
    """uint8 (m, 16): hashes of the rows of float32 (m, d)."""
    rows = np.ascontiguousarray(labels, dtype=np.float32)
    digests = b"".join(hashlib.blake2b(row.data, digest_size=_KEY).digest() for row in rows)
    return np.frombuffer(digests, dtype=np.uint8).reshape(-1, _KEY)


def _ordered(keys: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """int64 (m,): the rows of uint8 (m, 16) in their order."""
    return np.lexsort(keys.T)


def fit(items: FloatArray, labels: FloatArray) -> Adaptation:
    """Adapt labels to items, without a labelled one.

    Args:
        items: float32 (n, d), rows of length 1: a catalog's, or a sample of them.
        labels: float32 (m, d), rows of length 1.

    Raises:
        ValueError: there is no item or no label.
    """
    products, lengths = _products(items, labels)
    sample = products.sample(_OFFSET_ITEMS)
    fitted = _move_labels(products, sample, *_fit_offset(sample, lengths))
    return replace(fitted, label_keys=keys_of(labels))


def fit_centring(items: FloatArray, labels: FloatArray) -> Centring:
    """Step A alone, for vectors that labels do not move to.

    Args:
        items: float32 (n, d), rows of length 1.
        labels: float32 (m, d), rows of length 1.

    Raises:
        ValueError: there is no item or no label.
    """
    products, lengths = _products(items[:: -(-len(items) // _OFFSET_ITEMS) or 1], labels)
    offset, _, trust, _ = _fit_offset(products, lengths)
    return _centring(items, offset, trust)


def _products(items: FloatArray, labels: FloatArray) -> tuple[Products, DoubleArray]:
    """Items with the directions of centred labels, whose lengths are float64 (m,), of mean 1."""
    for name, rows in (("label", labels), ("item", items)):
        if not len(rows):
            raise ValueError(f"no {name} to adapt")
    # In double precision, or equal labels would have directions of rounding alone.
    centred = labels.astype(np.float64) - labels.mean(axis=0, dtype=np.float64)
    lengths = np.linalg.norm(centred, axis=1)
    centred /= np.maximum(lengths, _TINY)[:, np.newaxis]
    products = Products(items, centred.astype(np.float32))
    return products, lengths / max(float(lengths.mean()), _TINY)


def _centring(items: FloatArray, offset: DoubleArray, trust: float) -> Centring:
    centred = items - offset.astype(np.float32)
    distances = np.sqrt(np.vecdot(centred, centred))
    radius = max(float(distances.mean(dtype=np.float64)), 1e-3)
    return Centring(offset=offset.astype(np.float32), trust=trust, radius=radius)


def _fit_offset(
    products: Products, lengths: DoubleArray
) -> tuple[DoubleArray, DoubleArray, float, float]:
    """Step A: centre both sides.

    An item is taken as ``offset + slope * direction of its label + noise``. From soft
    assignments, at first by plain cosine, the slope follows by least squares and the
    offset from the means; both give new assignments (as EM does).

    Args:
        lengths: float64 (m,), of the centred labels, of mean 1.

    Returns:
        The offset (d,), the lengths of the labels (m,), the trust in the offset, and how many
        labels the catalog uses.
    """
    directions = products.directions
    factors, biases, effective = lengths, np.zeros(len(lengths)), 1.0
    for number in range(OFFSET_ROUNDS):
        spread = products.spread(factors, biases)
        totals = products.totals(factors, biases, OFFSET_TEMPERATURE * spread)
        if not number:
            # Of the first round only: later ones drift where there are few classes.
            effective = _effective_labels(products, totals, lengths, spread)
        content = (totals.soft - 1 / len(lengths)).astype(np.float32) @ directions
        offset = products.mean - _slope(totals, products) * content
        along = (directions @ offset.astype(np.float32)).astype(np.float64)
        trust = shrinkage(spread, effective, float(along.var()))
        factors = trust + (1 - trust) * lengths
        biases = -trust * factors * along
    return offset, factors, trust, effective


def _effective_labels(
    products: Products, plain: Totals, lengths: DoubleArray, spread: float
) -> float:
    """How many labels the catalog uses: the larger of two counts, where that is safe.

    Plain cosine gives the pictures of many labels to the few that lie towards the pictures' mean,
    so its inverse Simpson index is too low. Centred scores do not, but they spread the pictures of
    one label over many. So the exponential of the information in them counts only where plain
    cosine sees several labels. Its temperature is in units of the plain spread: in that unit the
    centred scores of items of one class are close together, and hold little information.

    Args:
        plain: of the soft assignment by plain cosine.
        spread: of the plain scores.
    """
    by_cosine = min(1 / float((share**2).sum()) for share in (plain.soft, plain.hard))
    if by_cosine < SEVERAL_LABELS:
        return by_cosine
    biases = -lengths * (products.directions @ products.mean.astype(np.float32))
    information = products.information(lengths, biases, INFORMATION_TEMPERATURE * spread)
    return max(by_cosine, float(np.exp(information)))


def _slope(totals: Totals, products: Products) -> float:
    """How far pictures lie along their label's direction.

    With one class only the slope has no meaning; the expected score bounds it.
    """
    mean = totals.soft.astype(np.float32) @ products.directions
    covariance = totals.aligned - float(mean @ products.mean)
    variance = totals.squared - float(mean @ mean)
    return min(max(0.0, covariance / max(variance, _TINY)), totals.top)


def shrinkage(spread: float, effective: float, bias_variance: float) -> float:
    """Positive-part James-Stein factor of the labels' bias towards the offset.

    Classes drawn at random, k of them, give a bias of variance ``spread**2 / k`` by
    chance. Of k the estimator takes 2 off, so a catalog of two effective classes or
    fewer is never centred.
    """
    if effective <= 2:
        return 0.0
    return max(0.0, 1 - spread**2 / max((effective - 2) * bias_variance, _TINY))


def _move_labels(
    products: Products,
    sample: Products,
    offset: DoubleArray,
    factors: DoubleArray,
    trust: float,
    effective: float,
) -> Adaptation:
    """Step B: one step of soft k-means from the texts, and the labels' frequencies.

    Labels whose text already points at their pictures stay, and so do those with few
    pictures. More steps than one lost on skewed catalogs.

    Args:
        sample: of the items, that spreads are measured on.
    """
    items, centring = products.items, _centring(products.items, offset, trust)
    radius, queries = centring.radius, centring.queries(sample.items)
    texts = products.directions * factors.astype(np.float32)[:, np.newaxis]
    biases = (1 - trust) * (texts @ centring.offset).astype(np.float64) / radius
    spread = _spread(queries, texts, biases)
    gate = max(0.0, 1 - GATE * (float(biases.std()) / spread) ** 2)
    centred = items - centring.offset
    distances = np.sqrt(np.vecdot(centred, centred)).astype(np.float64)
    lengths = (1 - trust) * radius + trust * distances
    counts, sums = products.assigned(factors, offset, lengths, biases, TEMPERATURE * spread)
    pictures = unit(sums)
    far = 1 - np.vecdot(products.directions, pictures).astype(np.float64).clip(0.0, 1.0)
    step = gate * LONGEST_STEP * far * counts / (counts + PSEUDO_COUNT)
    share = step.astype(np.float32)[:, np.newaxis]
    vectors = unit((1 - share) * texts + share * pictures)
    vectors *= factors.astype(np.float32)[:, np.newaxis]
    total = counts.sum()
    strength = gate * float(far @ counts / total) * PRIOR * TEMPERATURE * spread
    biases = biases * (1 - step) + strength * np.log((counts + 1) / (total + len(texts)))
    return Adaptation(
        offset=centring.offset,
        trust=trust,
        radius=radius,
        vectors=vectors,
        biases=biases.astype(np.float32),
        spread=_spread(queries, vectors, biases),
        effective_labels=effective,
        gate=gate,
        items=len(items),
    )


def _spread(queries: FloatArray, vectors: FloatArray, biases: DoubleArray) -> float:
    """Mean standard deviation of an item's scores ``query . vectors + biases``.

    The variance of an item's scores over the labels is a quadratic form of the item, so that
    no product with every label is taken.
    """
    rows = np.column_stack([vectors, biases.astype(np.float32)])
    rows -= rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    covariance = (rows.T @ rows) / np.float32(len(rows))
    items = np.column_stack([queries, np.ones(len(queries), dtype=np.float32)])
    variances = np.vecdot(items @ covariance, items)
    return max(float(np.sqrt(variances.clip(0)).mean(dtype=np.float64)), 1e-9)


def unit(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Rows of (n, d) at length 1; a row of zeros stays one."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), _TINY))
