"""WooCommerce's product CSV: pictures are a list in one cell, variations are rows of their own.

A variation belongs to the product that its column ``Parent`` names, by ``id:12`` or by its SKU;
its picture is one of the product's.
https://github.com/woocommerce/woocommerce/wiki/Product-CSV-Import-Schema
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from indexer.sources.feeds.base import Feed, distinct, split_addresses, text_in
from indexer.sources.tables import Row


def products(
    read: Callable[[], Iterator[Row]], columns: Mapping[str, str], merged: Counter[str]
) -> Iterator[Row]:
    """A row for each product that is no variation of one that the table has."""
    images = columns["images"]
    own_ids = [columns[name] for name in ("id", "sku") if name in columns]
    families = _Families(columns)
    for row in read():
        families.add(row)
    for row in read():
        if row.values is None:
            yield row
            continue
        pictures = split_addresses(row.values.get(images))
        if families.parent_of(row.values) is not None:
            merged["pictures" if pictures else "variants"] += 1
            continue
        further = families.pictures_of(row.number)
        values = {**row.values, images: distinct(pictures + further)}
        values[own_ids[0]] = next(filter(None, (text_in(values, column) for column in own_ids)), "")
        yield Row(number=row.number, values=values)


class _Families:
    """Which row is whose variation; the pictures of variations by their product's row."""

    def __init__(self, columns: Mapping[str, str]) -> None:
        self._columns = columns
        self._rows: dict[str, int] = {}
        self._variations: dict[str, list[str]] = {}
        self._names: dict[int, list[str]] = {}

    def add(self, row: Row) -> None:
        """Record one row in the first pass."""
        values = row.values or {}
        if self._is_variation(values):
            pictures = split_addresses(values.get(self._columns["images"]))
            self._variations.setdefault(self._named(values), []).extend(pictures)
            return
        identifier = text_in(values, self._columns.get("id"))
        names = [f"id:{identifier}"] if identifier else []
        names += filter(None, [text_in(values, self._columns.get("sku"))])
        for name in names:
            self._rows.setdefault(name, row.number)
        if names:
            self._names[row.number] = names

    def parent_of(self, values: Mapping[str, Any]) -> int | None:
        """The row of a variation's product; None for other rows, or where it is missing."""
        return self._rows.get(self._named(values)) if self._is_variation(values) else None

    def pictures_of(self, row: int) -> list[str]:
        """The pictures of a product's variations, in the order of their rows."""
        names = [name for name in self._names.get(row, []) if self._rows[name] == row]
        return [picture for name in names for picture in self._variations.get(name, [])]

    def _named(self, values: Mapping[str, Any]) -> str:
        name = text_in(values, self._columns.get("parent"))
        return f"id:{name[3:].strip()}" if name.lower().startswith("id:") else name

    def _is_variation(self, values: Mapping[str, Any]) -> bool:
        kinds = text_in(values, self._columns.get("type")).casefold().split(",")
        return "variation" in (kind.strip() for kind in kinds) and bool(self._named(values))


FEED = Feed(
    name="woocommerce",
    title="WooCommerce's product export",
    ids=("id", "sku"),
    images=("images",),
    texts=("name",),
    needs=(("id", "sku"), ("images",), ("name",), ("type", "sku", "parent")),
    products=products,
)
