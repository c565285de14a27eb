"""The vector of a query: words, a picture, both, and without other words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexer.core.errors import UsageError
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise

NEGATIVE_WEIGHT = 0.5
"""Share of a negative vector that is taken away; ``docs/search.md`` has the measurement."""


def check_question(
    text: str | None,
    *,
    pictured: bool,
    hybrid: bool,
    without: Sequence[str],
    chooses: bool = False,
) -> None:
    """Refuse a question that can't be answered, before a model is loaded for it.

    Args:
        pictured: whether a picture or a stored item is given too.
        chooses: whether a filter or a category alone says which items are meant.

    Raises:
        UsageError: nothing is searched for, ``hybrid`` has no words, or a negative is empty.
    """
    has_words = bool(text and text.strip())
    if without and not (has_words or pictured):
        raise UsageError(
            "only what is not wanted is given, and it is taken away from what is searched for: "
            "give words, a picture or an item too."
        )
    if hybrid and not has_words:
        raise UsageError("a hybrid search looks for words too: give some.")
    if any(not words.strip() for words in without):
        raise UsageError("what is not wanted (--not) is empty: give words, or leave it out.")
    if not (has_words or pictured or chooses):
        raise UsageError(
            "nothing to search for: give words, --image FILE, or both; or list what a --filter "
            "or a --category chooses."
        )


def query_vector(
    text: FloatArray | None, picture: FloatArray | None, *, text_weight: float = 0.5
) -> FloatArray:
    """One vector for a query of words, a picture, or both.

    Args:
        text: float32 (d,), length 1, or None.
        picture: the same for the picture.
        text_weight: share of the words where both are given, 0 to 1.

    Returns:
        float32 (d,), length 1.

    Raises:
        UsageError: neither is given, or the two cancel each other out.
    """
    if text is None and picture is None:
        raise UsageError("nothing to search for: give words, --image FILE, or both.")
    if text is None or picture is None:
        return np.asarray(text if picture is None else picture)
    mixed = text_weight * text + (1 - text_weight) * picture
    # Of so short a vector rounding would choose the direction.
    if np.linalg.norm(mixed) < 1e-6:
        raise UsageError("words and picture are opposites at this --text-weight: change it.")
    return normalise(mixed)


def without_words(
    vector: FloatArray, negatives: Sequence[FloatArray], *, weight: float = NEGATIVE_WEIGHT
) -> FloatArray:
    """A query moved away from words that are not wanted.

    What is taken away of each negative vector is the part that is orthogonal to the query. All
    texts of a CLIP model lie in a narrow cone, so several whole negatives would turn the query
    around. (Widdows 2003, "Orthogonal negation in vector spaces", projects the query instead: on
    the sample shop that changed nothing.)

    Args:
        vector: float32 (d,), length 1.
        negatives: float32 (d,) each, length 1.
        weight: how much is taken away; 0 leaves the query as it is.

    Returns:
        float32 (d,), length 1.
    """
    moved = np.array(vector, dtype=np.float64)
    for negative in negatives:
        moved -= weight * (negative - float(negative @ vector) * vector)
    return normalise(moved.astype(np.float32))
