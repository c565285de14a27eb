"""Labels of given vectors, and vectors to give them."""

from __future__ import annotations

import numpy as np

from indexer.core.records import FloatArray, Label
from indexer.core.vectors import normalise
from indexer.labels.sets import LabelSet


def labels_of(vectors: FloatArray) -> LabelSet:
    """Labels of these vectors."""
    return LabelSet(
        labels=tuple(Label(label_id=f"l{n}", name="", path=("",)) for n in range(len(vectors))),
        definitions=("",) * len(vectors),
        vectors=vectors,
    )


def drawn(count: int, width: int, seed: int) -> FloatArray:
    """float32 (count, width), rows of length 1, in a cone."""
    return normalise(np.random.default_rng(seed).normal(size=(count, width)) + 0.5)
