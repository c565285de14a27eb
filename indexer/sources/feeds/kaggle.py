"""Kaggle's "Fashion Product Images": ``styles.csv``, and pictures called after the ids.

Titles with commas are not quoted there; they stand in the last column.
https://www.kaggle.com/datasets/paramaggarwal/fashion-product-images-dataset
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from indexer.sources.feeds.base import Feed
from indexer.sources.tables import Row


def products(
    read: Callable[[], Iterator[Row]],
    columns: Mapping[str, str],  # noqa: ARG001 - none is made
    merged: Counter[str],  # noqa: ARG001 - each row is a product
) -> Iterator[Row]:
    """The rows as they are."""
    return read()


FEED = Feed(
    name="kaggle",
    title="Kaggle's table of fashion products",
    ids=("id",),
    images=(),
    texts=("productDisplayName",),
    needs=(("id",), ("productDisplayName",), ("articleType",)),
    products=products,
    image_pattern="images/{id}.jpg",
    last_takes_rest=True,
)
