"""Metadata of Amazon's review data sets, one JSON object a product.

2014 has ``imUrl``, 2018 ``imageURL`` and ``imageURLHighRes``, 2023 ``images`` with several sizes
of each picture. https://amazon-reviews-2023.github.io
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from indexer.sources.feeds.base import Feed, distinct, split_addresses, table_name
from indexer.sources.tables import Row

IMAGES = ("images", "imageURLHighRes", "imageURL", "imUrl", "image")
SIZES = ("hi_res", "large", "thumb")
"""Sizes of one picture, the largest first."""


def products(
    read: Callable[[], Iterator[Row]],
    columns: Mapping[str, str],
    merged: Counter[str],  # noqa: ARG001 - each row is a product
) -> Iterator[Row]:
    """The rows, with the largest size of each picture in the first column of pictures."""
    images = [table_name(columns, name) for name in IMAGES]
    ids = [table_name(columns, name) for name in FEED.ids]
    made = next(name for name in images if name in columns.values())
    identifier = next(name for name in ids if name in columns.values())
    for row in read():
        if row.values is None:
            yield row
            continue
        values = dict(row.values)
        lists = [_pictures(values.get(column)) for column in images]
        values[made] = next(filter(None, lists), [])
        values[identifier] = next((values[name] for name in ids if values.get(name)), None)
        yield Row(number=row.number, values=values)


def _pictures(cell: Any) -> list[str]:
    if isinstance(cell, Mapping):
        # Arrow keeps a list of objects as an object of lists.
        sizes = [cell.get(size) or [] for size in SIZES]
        lists = [size if isinstance(size, list) else [size] for size in sizes]
        return distinct([next(filter(None, address), "") for address in zip_longest(*lists)])
    if isinstance(cell, list | tuple):
        return distinct([address for entry in cell for address in _entry(entry)])
    return distinct(split_addresses(cell))


def _entry(entry: Any) -> list[str]:
    if isinstance(entry, Mapping):
        return [str(next(filter(None, map(entry.get, SIZES)), ""))]
    return split_addresses(entry)


FEED = Feed(
    name="amazon",
    title="Amazon's product metadata",
    ids=("parent_asin", "asin"),
    images=IMAGES,
    texts=("title",),
    needs=(("parent_asin", "asin"), IMAGES, ("title",)),
    products=products,
    consumed=IMAGES,
)
