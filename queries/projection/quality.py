"""How far a map can be trusted; arrays in, figures out."""

from __future__ import annotations

from indexer.core.records import FloatArray

NEIGHBOURS = 10
SAMPLE = 2_000
"""Items that it is measured on: all pairs of them are compared."""


def trustworthiness(vectors: FloatArray, places: FloatArray) -> float | None:
    """How far neighbours on a map are neighbours by embedding; 1 where all of them are.

    It counts how far away the others are by embedding (Venna and Kaski 2001), and is 0.5 for
    places at random. None where there are too few items to tell.

    Args:
        vectors: float32 (n, d), rows of length 1; the n items are a sample of all.
        places: float32 (n, 2).
    """
    from sklearn.manifold import trustworthiness as measure

    # It is defined for fewer neighbours than half of the items.
    neighbours = min(NEIGHBOURS, (len(vectors) - 1) // 2)
    if neighbours < 1:
        return None
    return float(measure(vectors, places, n_neighbors=neighbours))
