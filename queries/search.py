"""Find items by words, by a picture, or by both."""

from __future__ import annotations

import numpy as np

from indexer.catalog.opening import Catalog
from indexer.core.errors import UsageError
from indexer.core.records import FloatArray
from indexer.core.vectors import normalise
from queries.results import SearchHit


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
    if np.linalg.norm(mixed) < 1e-6:
        raise UsageError("words and picture are opposites at this --text-weight: change it.")
    return normalise(mixed)


def search(
    catalog: Catalog,
    vector: FloatArray,
    *,
    limit: int = 10,
    filter_expression: str = "",
    partition: str | None = None,
) -> list[SearchHit]:
    """The nearest items, best first.

    Args:
        vector: float32 (d,), length 1, by the catalog's model.
        filter_expression: Milvus syntax over the items' fields and ``metadata["..."]``.
        partition: only items of this one.

    Raises:
        UsageError: the filter is not valid, or there is no such partition.
    """
    catalog.report_lag()
    hits = catalog.nearest_items(
        vector, limit=limit, filter_expression=filter_expression, partition=partition
    )
    return [
        SearchHit(
            similarity=hit.similarity,
            **{name: hit.fields[name] for name in SearchHit.__slots__ if name != "similarity"},
        )
        for hit in hits
    ]
