"""Kaggle's "Fashion Product Images": ``styles.csv``, and pictures called after the ids.

Titles with commas are not quoted there; they stand in the last column.
https://www.kaggle.com/datasets/paramaggarwal/fashion-product-images-dataset
"""

from __future__ import annotations

from indexer.sources.feeds.base import Feed

FEED = Feed(
    name="kaggle",
    title="Kaggle's table of fashion products",
    ids=("id",),
    images=(),
    texts=("productDisplayName",),
    needs=(("id",), ("productDisplayName",), ("articleType",)),
    image_pattern="images/{id}.jpg",
    last_takes_rest=True,
)
