"""Google Merchant Center's product data: a row a product, its pictures in several columns.

https://support.google.com/merchants/answer/7052112
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from indexer.sources.feeds.base import Feed, split_addresses, table_name
from indexer.sources.tables import Row

FURTHER = ("additional_image_link", "additional_image_links", "lifestyle_image_link")


def products(
    read: Callable[[], Iterator[Row]],
    columns: Mapping[str, str],
    merged: Counter[str],  # noqa: ARG001 - each row is a product
) -> Iterator[Row]:
    """The rows, with the addresses of all columns of pictures in that of the first."""
    image_column = columns["image_link"]
    further = [table_name(columns, name) for name in FURTHER]
    for row in read():
        if row.values is None:
            yield row
            continue
        pictures = [
            address
            for column in (image_column, *further)
            for address in split_addresses(row.values.get(column))
        ]
        yield Row(number=row.number, values={**row.values, image_column: pictures})


FEED = Feed(
    name="google",
    title="Google Merchant Center's product data",
    ids=("id",),
    images=("image_link",),
    texts=("title",),
    needs=(("id",), ("image_link",)),
    products=products,
    consumed=FURTHER,
)
