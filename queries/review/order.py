"""The order of the review queue: which label to review first; pure numpy."""

from __future__ import annotations

import numpy as np

from indexer.core.records import DoubleArray, FloatArray, IndexArray

NEIGHBOURS = 10
"""Items whose labels are compared with an item's own. Of 5, 10 and 20 the fewest looks until
95% of the labels were right on banking77, and as many as 20 on clothing photos."""

OWN_SHARE = 0.5
"""How much an item's own score counts beside its neighbours'. Of .5 and .7 better on both."""

LOOK_ALIKE = 0.98
"""Cosine from which two items of one label are look-alikes. Of .9 to .98 the one that costs no
looks on banking77: one of a group comes first, the others after all other items."""

# Rows of the table of cosines that are in memory at once.
_BLOCK = 512


def nearest(vectors: FloatArray, candidates: IndexArray) -> IndexArray:
    """The nearest other items of each candidate.

    Args:
        vectors: float32 (p, d), rows of length 1.
        candidates: int64 (c,), rows of ``vectors``.

    Returns:
        int64 (c, k), rows of ``vectors``; k is ``NEIGHBOURS``, less where there are fewer items.
    """
    count = min(NEIGHBOURS, len(vectors) - 1)
    places = np.empty((len(candidates), max(0, count)), dtype=np.int64)
    if count < 1:
        return places
    for start in range(0, len(candidates), _BLOCK):
        block = candidates[start : start + _BLOCK]
        cosines = vectors[block] @ vectors.T
        cosines[np.arange(len(block)), block] = -np.inf
        places[start : start + _BLOCK] = np.argpartition(-cosines, count - 1, axis=1)[:, :count]
    return places


def trust(
    scores: DoubleArray, labels: IndexArray, candidates: IndexArray, neighbours: IndexArray
) -> DoubleArray:
    """How far the label of each candidate is to be trusted, 0 to 1.

    The mean of its score and of how surely its nearest neighbours have the same label: a
    label that the items around it do not share is more often wrong than its score says, and
    where many items are near, their votes are many. A neighbour that a person has looked at
    has a score of 1. Labelling what is uncertain in dense
    places teaches most (density-weighted uncertainty: Settles and Craven 2008, "An Analysis
    of Active Learning Strategies for Sequence Labeling Tasks", EMNLP); the form is this
    project's own.

    Args:
        scores: float64 (p,), of the items' labels.
        labels: int64 (p,), equal numbers for equal labels.
        candidates: int64 (c,), places of ``scores``.
        neighbours: int64 (c, k), as ``nearest`` gives them.

    Returns:
        float64 (c,).
    """
    candidate_scores = scores[candidates]
    if not neighbours.size:
        return candidate_scores
    same_label = labels[neighbours] == labels[candidates][:, np.newaxis]
    agreed = (scores[neighbours] * same_label).mean(axis=1)
    return np.asarray(OWN_SHARE * candidate_scores + (1 - OWN_SHARE) * agreed)


def look_alikes_last(order: IndexArray, labels: IndexArray, vectors: FloatArray) -> IndexArray:
    """One of each group of look-alikes keeps its place; the others come after all.

    Args:
        order: int64 (c,), rows of ``vectors``, the first to look at first.
        labels: int64 (c,), of the rows of ``vectors``.
        vectors: float32 (c, d), rows of length 1.

    Returns:
        int64 (c,).
    """
    waits = np.zeros(len(order), dtype=bool)
    for label in np.unique(labels):
        places = np.flatnonzero(labels[order] == label)
        for start in range(0, len(places), _BLOCK):
            block = places[start : start + _BLOCK]
            compared = places[: start + len(block)]
            near = vectors[order[block]] @ vectors[order[compared]].T >= LOOK_ALIKE
            for row, place in enumerate(block.tolist()):
                earlier = compared[: start + row]
                waits[place] = bool((near[row, : len(earlier)] & ~waits[earlier]).any())
    return np.concatenate([order[~waits], order[waits]])
