"""How little an input looks like any of the labels; pure numpy. Large is unknown.

Two scores: by a background vocabulary, where it speaks of the labels' world, else by
the match that is expected of the label. Words of the background that are labels are dropped first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from indexer.core.records import DoubleArray, FloatArray, IndexArray, Label
from indexer.core.softmax import log_sum_exp, softmax
from indexer.core.vectors import normalise

Scores = npt.NDArray[np.floating]

SAME_CONCEPT_COSINE = 0.8
"""Centred text vectors that are nearer than this are taken for one concept. Of .4 to .95 the
lowest that cost nothing on any of clothing, CIFAR-10, photos and groceries with labels removed."""

SHARED_LABELS = 0.4
"""The share of labels that must have a nearer word than any other label. Of kinds of groceries
.38 to .59 have one, and the background gains 6 points of AUROC; of CLINC's intents .33 to .38
have, and it gains nothing."""

RARELY_AWAKENED = 1e-4
"""The share of the catalog at which a word counts half. Of 1e-3, 3e-4 and 1e-4 the best on
clothing, CIFAR-10 and the sample shop with labels removed; no set lost by any of them."""

_BLOCK_LABELS = 1024


def foreign_words(words: Sequence[str], labels: Sequence[Label]) -> IndexArray:
    """Rows of the words that name no label: neither by name nor by synonym.

    Case, underscores, hyphens and a plural's last letter are no difference.
    """
    taken = {_plain(name) for label in labels for name in (label.name, *label.synonyms)}
    return np.array(
        [row for row, word in enumerate(words) if _plain(word) not in taken], dtype=np.int64
    )


def other_concepts(labels: FloatArray, words: FloatArray) -> IndexArray:
    """Rows of the words whose vectors are not a label's: centred cosine below 0.8.

    Centred by the mean of labels and words: text vectors of one model share a direction.

    Args:
        labels: float32 (k, d), rows of length 1.
        words: float32 (w, d), rows of length 1.
    """
    if not len(words):
        return np.empty(0, dtype=np.int64)
    centred_labels, centred_words = _centred(labels, words)
    nearest = np.full(len(words), -np.inf)
    for start in range(0, len(labels), _BLOCK_LABELS):
        block = centred_labels[start : start + _BLOCK_LABELS]
        np.maximum(nearest, (centred_words @ block.T).max(axis=1), out=nearest)
    return np.flatnonzero(nearest < SAME_CONCEPT_COSINE)


def shares_world(labels: FloatArray, words: FloatArray) -> bool:
    """Whether the words speak of what the labels do, by texts alone.

    True where for at least 0.4 of the labels the nearest word is nearer than the nearest
    other label. A list of things does not tell an intent of a banking app from another
    one, and scoring by it would cost more than it gives. This rule is the project's own.

    Args:
        labels: float32 (k, d), rows of length 1.
        words: float32 (w, d), without those of the labels.
    """
    if not len(words):
        return False
    centred_labels, centred_words = _centred(labels, words)
    nearer = 0
    for start in range(0, len(labels), _BLOCK_LABELS):
        block = centred_labels[start : start + _BLOCK_LABELS]
        among = block @ centred_labels.T
        among[np.arange(len(block)), start + np.arange(len(block))] = -2.0
        nearer += int(((block @ centred_words.T).max(axis=1) > among.max(axis=1)).sum())
    return nearer >= SHARED_LABELS * len(labels)


def background_score(labels: Scores, words: Scores, temperature: float) -> DoubleArray:
    """How much better the background explains an input than the labels do.

    The soft maximum over the words less that over the labels. Negative labels are from
    Jiang et al. 2024, "Negative Label Guided OOD Detection with Pretrained
    Vision-Language Models", arXiv:2403.20078 (NegLabel, which takes the share of a joint
    softmax; this difference is its logit); the soft maximum as a score is the free energy
    of Liu et al. 2020, "Energy-based Out-of-distribution Detection", NeurIPS. That the
    scores come from labels and words adapted together is this project's own.

    Args:
        labels: (n, k), scores of the labels.
        words: (n, w), scores of the words, from the same head.
        temperature: in the unit of the scores.

    Returns:
        float64 (n,), in the unit of the scores; above 0 the words explain it better.
    """
    return np.asarray(log_sum_exp(words, temperature) - log_sum_exp(labels, temperature))


def word_weights(labels: Scores, words: Scores, temperature: float) -> DoubleArray:
    """How much each background word counts, by what this catalog's items say of it.

    A word that items awaken which are surely of the labels says little of the unknown: a
    catalog of shoes awakens "sock" all the time. That words are weighed by what the catalog's
    confident items awaken is from Zhang et al. 2026, "Activation Matters: Test-time Activated
    Negative Labels for OOD Detection with Vision-Language Models", arXiv:2603.25250 (TANL).
    It also raises words that unknown items awaken. With labels removed that gained .034 of AUROC
    on CIFAR-10 by a tiny CLIP and .008 on clothing, and lost up to .003 on photos, the sample shop
    and CIFAR-10 by another model. It moves the scale that fixed odds are of, so only the known
    ones count here.

    Args:
        labels: (n, k), scores of a sample of the catalog.
        words: (n, w), scores of the words, from the same head.
        temperature: in the unit of the scores.

    Returns:
        float64 (w,), logarithms of the weights, 0 or less.
    """
    shares = softmax(np.column_stack([labels, words]), temperature)
    label_count = labels.shape[1]
    confident = shares[:, :label_count].sum(axis=1) > 0.5
    awakened = shares[confident, label_count:].sum(axis=0) / max(1, len(shares))
    return np.asarray(-np.log1p(awakened / RARELY_AWAKENED))


def expected_similarity_score(similarities: Scores, probabilities: DoubleArray) -> DoubleArray:
    """Minus the cosine that is expected of the label: the score without a background.

    As maximum concept matching (Ming et al. 2022, "Delving into Out-of-Distribution Detection
    with Vision-Language Representations", arXiv:2211.13445) takes the nearest concept's match,
    but the mean of the cosines by the labels' probabilities, which needs no temperature of its
    own. The combination is this project's own.

    Args:
        similarities: (n, k), plain cosines.
        probabilities: float64 (n, k), rows sum to 1, by the head that decides.

    Returns:
        float64 (n,), -1 to 1.
    """
    return np.asarray(-(probabilities * similarities).sum(axis=1))


def _centred(labels: FloatArray, words: FloatArray) -> tuple[FloatArray, FloatArray]:
    mean = (labels.sum(axis=0) + words.sum(axis=0)) / (len(labels) + len(words))
    return normalise(labels - mean), normalise(words - mean)


def _plain(name: str) -> str:
    words = " ".join(name.replace("_", " ").replace("-", " ").casefold().split())
    return words.removesuffix("s")
