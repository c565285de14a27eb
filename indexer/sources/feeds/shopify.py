"""Shopify's product CSV: the rows of one handle are one product.

Its first row has the title; others have a further picture each, a variant, or both. Shopify
writes them one below the other, but a table in another order is read too.
https://help.shopify.com/en/manual/products/import-export/using-csv
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from indexer.sources.feeds.base import Feed, distinct, text_in
from indexer.sources.tables import Row

HANDLES = ("handle", "url_handle")
IMAGES = ("image_src", "product_image_url")
VARIANT_IMAGES = ("variant_image", "variant_image_url")


@dataclass(slots=True)
class _Product:
    """The product of one handle.

    Attributes:
        main: number of the row with the title, else of the first row.
        pictures: place and address of each, in the order of the rows.
        of_variants: addresses of the variants' pictures.
    """

    main: int
    titled: bool
    pictures: list[tuple[float, str]] = field(default_factory=list)
    of_variants: list[str] = field(default_factory=list)

    def addresses(self) -> list[str]:
        """All pictures in their order, each once; the variants' are mostly among the others."""
        placed = sorted(self.pictures, key=lambda picture: picture[0])
        return distinct([address for _, address in placed] + self.of_variants)


def products(
    read: Callable[[], Iterator[Row]], columns: Mapping[str, str], merged: Counter[str]
) -> Iterator[Row]:
    """A row for each handle, with the pictures of all of its rows."""
    handle_column = _first(columns, HANDLES)
    image_column = _first(columns, IMAGES)
    assert handle_column is not None
    assert image_column is not None
    by_handle = _products_by_handle(read(), columns, handle_column, image_column)
    for row in read():
        handle = text_in(row.values or {}, handle_column)
        if row.values is None or not handle:
            yield row
        elif row.number == by_handle[handle].main:
            pictures = by_handle[handle].addresses()
            values = {**row.values, handle_column: handle, image_column: pictures}
            yield Row(number=row.number, values=values)
        else:
            merged["pictures" if text_in(row.values, image_column) else "variants"] += 1


def _products_by_handle(
    rows: Iterator[Row], columns: Mapping[str, str], handle_column: str, image_column: str
) -> dict[str, _Product]:
    title_column = columns.get("title")
    position_column = columns.get("image_position")
    variant_column = _first(columns, VARIANT_IMAGES)
    by_handle: dict[str, _Product] = {}
    for row in rows:
        values = row.values or {}
        handle = text_in(values, handle_column)
        if not handle:
            continue
        titled = bool(text_in(values, title_column))
        product = by_handle.setdefault(handle, _Product(main=row.number, titled=titled))
        if titled and not product.titled:
            product.main, product.titled = row.number, True
        address = text_in(values, image_column)
        if address:
            product.pictures.append((_place(text_in(values, position_column)), address))
        variant = text_in(values, variant_column)
        if variant:
            product.of_variants.append(variant)
    return by_handle


def _place(text: str) -> float:
    """Where a picture stands; without a place, behind those that have one."""
    try:
        return float(text)
    except ValueError:
        return float("inf")


def _first(columns: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((columns[name] for name in names if name in columns), None)


FEED = Feed(
    name="shopify",
    title="Shopify's product export",
    ids=HANDLES,
    images=IMAGES,
    texts=("title",),
    needs=(HANDLES, IMAGES, ("title",)),
    products=products,
    consumed=("image_position", *VARIANT_IMAGES),
)
